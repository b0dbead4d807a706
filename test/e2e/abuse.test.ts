import 'reflect-metadata';
import { createHash, createHmac, createPublicKey } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import argon2 from 'argon2';
import { GraphQLError } from 'graphql';
import { Arg, Directive, Int, Mutation, Query, Resolver } from 'type-graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { NOBODY } from '../support/callers.js';
import { bearer, operation, type GraphqlError } from '../support/client.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { recordingLog } from '../support/log.js';
import { ProbeResolver } from '../support/probe.resolver.js';
import { startTestServer, type TestServer } from '../support/server.js';

/** What a fault of ours may hold, and no client may see. */
const SECRET = 'canary-in-an-exception';

/** Fields as a team adds them to its own server. */
@Resolver()
class ReportResolver {
  @Directive('@requiresScopes(scopes: [["users:read"]])')
  @Query(() => Int, { description: 'A field of one of those teams.' })
  monthlyReport(): number {
    return 42;
  }

  @Directive('@public')
  @Query(() => Int, { description: 'Takes something that only administrators may give.' })
  report(
    @Directive('@requiresScopes(scopes: [["users:read"]])')
    @Arg('month', () => Int, { nullable: true, description: 'The month.' })
    month?: number | null,
  ): number {
    return month ?? 0;
  }

  @Directive('@public')
  @Query(() => Int, { nullable: true, description: 'Fails in one of several ways.' })
  broken(@Arg('how', () => Int, { description: 'Which.' }) how: number): number {
    throw faults[how];
  }

  @Directive('@public')
  @Mutation(() => Int, { description: 'Fails later.' })
  async brokenLater(): Promise<number> {
    await Promise.resolve();
    throw new TypeError(SECRET);
  }
}

const faults: unknown[] = [
  new Error(SECRET),
  Object.assign(new Error(SECRET), { code: '42P01', detail: SECRET, extensions: { code: SECRET }, status: 400 }),
  new GraphQLError(SECRET, { extensions: { code: 'UNAUTHENTICATED', secret: SECRET } }),
  SECRET,
  { message: SECRET },
  null,
  undefined,
  new AggregateError([new Error(SECRET)], SECRET),
];

const probe = new ProbeResolver();
const recorded = recordingLog();

let testDatabase: TestDatabase;
let server: TestServer;
let call: Calls;
/** What runs when it likes: the buffer of sightings, the poll of revocations, housekeeping. */
const RUNS_BY_ITSELF = /\bsighting\b|FROM revocation WHERE xid|pg_try_advisory_xact_lock/;
/** How many statements have reached the database for the sake of a request. */
let statements = 0;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  // The default queue is shorter than the storm below.
  const variables = { ...testDatabase.variables, LATCHKEY_ARGON2_QUEUE: '200' };
  const database = await openDatabase(testConfig(variables), recorded.log);
  const overrides = { log: recorded.log, database: counted(database), resolvers: [probe, new ReportResolver()] };
  server = await startTestServer({ variables, overrides });
  call = createCalls(server.graphql);
});

afterAll(async () => {
  await server.close();
  await testDatabase.drop();
});

beforeEach(() => {
  probe.runs = 0;
});

afterEach(() => {
  vi.restoreAllMocks();
});

function counted(database: Database): Database {
  return {
    ...database,
    query: (sql, parameters) => {
      if (!RUNS_BY_ITSELF.test(sql)) statements += 1;
      return database.query(sql, parameters);
    },
    read: (work) => {
      statements += 1;
      return database.read(work);
    },
  };
}

/** What a request made the server do, beside answering. */
async function workOf<T>(request: () => Promise<T>): Promise<{ reply: T; resolvers: number; hashes: number; statements: number }> {
  const spies = [vi.spyOn(argon2, 'verify'), vi.spyOn(argon2, 'hash')];
  const before = { resolvers: probe.runs, statements };
  const reply = await request();
  const hashes = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  return { reply, resolvers: probe.runs - before.resolvers, hashes, statements: statements - before.statements };
}

const NO_WORK = { resolvers: 0, hashes: 0, statements: 0 };

/** Lets a test read only what it wrote itself. */
function forget(): void {
  recorded.lines.length = 0;
  recorded.written.length = 0;
}

const post = (body: string, headers: Record<string, string> = {}) =>
  fetch(new URL('/graphql', server.url), { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

const register = (input: Record<string, unknown> = newPerson()) => call.answer<Tokens>('register', { input });

async function administrator(): Promise<Tokens> {
  const person = newPerson();
  await server.accounts.register(person, NOBODY, ['user', 'admin']);
  return call.answer<Tokens>('login', { input: { identifier: person.email, password: person.password } });
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('A4: an access token that is forged', () => {
  let genuine: Tokens;
  let header: Record<string, unknown>;
  let payload: Record<string, unknown>;
  let publicJwk: Record<string, string>;
  let visits = 0;
  let statementsInAll = 0;
  const visited = createHttpServer((_request, response) => {
    visits += 1;
    response.end('{"keys":[]}');
  });
  let elsewhere: string;

  beforeAll(async () => {
    genuine = await register();
    const [head = '', body = ''] = genuine.accessToken.split('.');
    header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
    payload = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const jwks = (await (await fetch(new URL('/.well-known/jwks.json', server.url))).json()) as { keys: Record<string, string>[] };
    publicJwk = jwks.keys[0]!;
    await new Promise<void>((resolve) => visited.listen(0, '127.0.0.1', resolve));
    const address = visited.address();
    elsewhere = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}/`;
    return () => new Promise((resolve) => visited.close(resolve));
  });

  const signature = () => genuine.accessToken.split('.')[2]!;
  const withHeader = (more: Record<string, unknown>) => `${json({ ...header, ...more })}.${json(payload)}.${signature()}`;
  const withPayload = (more: Record<string, unknown>) => `${json(header)}.${json({ ...payload, ...more })}.${signature()}`;
  const hmacBy = (key: string) => {
    const input = `${json({ ...header, alg: 'HS256' })}.${json(payload)}`;
    return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
  };

  it.each<[string, () => string]>([
    ['by nobody (alg none)', () => `${json({ ...header, alg: 'none' })}.${json(payload)}.`],
    ['by nobody, spelt otherwise', () => withHeader({ alg: 'nOnE' })],
    [
      'with the public key as a secret (PEM)',
      () => hmacBy(createPublicKey({ key: publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()),
    ],
    ['with the public key as a secret (JWK)', () => hmacBy(JSON.stringify(publicJwk))],
    ['with the thumbprint as a secret', () => hmacBy(publicJwk['kid']!)],
    ['as another user', () => withPayload({ sub: crypto.randomUUID() })],
    ['with more scopes', () => withPayload({ scope: 'users:read users:write' })],
    ['to live longer', () => withPayload({ exp: 4_000_000_000 })],
    ['with keys from elsewhere (jku)', () => withHeader({ jku: elsewhere })],
    ['with keys from elsewhere (x5u)', () => withHeader({ x5u: elsewhere })],
    ['with a key that it brings along', () => withHeader({ jwk: publicJwk })],
    ['with a path for a kid', () => withHeader({ kid: '../../../dev/null' })],
    ['with SQL for a kid', () => withHeader({ kid: "' OR 1=1 --" })],
    ['with an object for a kid', () => withHeader({ kid: { $ne: null } })],
    ['with a kid of 2 KB', () => withHeader({ kid: 'k'.repeat(2000) })],
    ['as another kind of token', () => withHeader({ typ: 'JWT' })],
    ['out of two parts', () => genuine.accessToken.split('.').slice(0, 2).join('.')],
    ['out of five parts', () => `${genuine.accessToken}.a.b`],
    ['with padding', () => `${genuine.accessToken}=`],
    ['of 4097 bytes', () => genuine.accessToken.padEnd(4097, 'A')],
    ['of 12 KiB', () => 'a'.repeat(12 * 1024)],
    ['out of a refresh token', () => genuine.refreshToken],
  ])('%s is TOKEN_INVALID', async (_name, forge) => {
    const { reply, ...work } = await workOf(() => server.graphql(operation('viewer'), {}, bearer(forge())));
    expect(reply.errors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(work).toMatchObject({ resolvers: 0, hashes: 0 });
    statementsInAll += work.statements;
  });

  it('costs no visit elsewhere, nor more in all than one look for a key that may be new', () => {
    expect(visits).toBe(0);
    expect(statementsInAll).toBeLessThanOrEqual(1);
  });
});

describe('A5: an input that is oversize', () => {
  it('a refresh token that is too long is refused by its length, without a statement', async () => {
    const { reply, ...work } = await workOf(() => call.fault('refresh', { input: { refreshToken: `lkr1_${'A'.repeat(60_000)}` } }));
    expect(reply.extensions.code).toBe('INVALID_REFRESH_TOKEN');
    expect(work).toEqual(NO_WORK);
  });

  it.each([
    ['a refresh token of 1 MB', 'refresh', { refreshToken: 'A'.repeat(1_000_000) }],
    ['an e-mail address of 100 000 characters', 'register', { email: `${'a'.repeat(100_000)}@example.com`, password: PASSWORD }],
    ['a password of 1 000 000 characters', 'login', { identifier: 'a', password: 'p'.repeat(1_000_000) }],
  ])('%s does not get through the door', async (_name, name, input) => {
    const { reply, ...work } = await workOf(() => post(JSON.stringify({ query: operation(name), variables: { input } })));
    expect(reply.status).toBe(413);
    expect(work).toEqual(NO_WORK);
  });

  it('an e-mail address of 50 000 characters is refused before it is looked at', async () => {
    const { reply, ...work } = await workOf(() =>
      call.fault('register', { input: { ...newPerson(), email: `${'a'.repeat(50_000)}@example.com` } }),
    );
    expect(reply.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'email', rule: 'email' }] });
    expect(work).toEqual(NO_WORK);
  });

  it('an identifier of 50 000 characters is nobody, for the same work as anybody', async () => {
    const { reply, hashes } = await workOf(() => call.fault('login', { input: { identifier: 'a'.repeat(50_000), password: PASSWORD } }));
    expect(reply.extensions.code).toBe('INVALID_CREDENTIALS');
    expect(hashes).toBe(1);
  });

  it('what takes seconds to compose is not composed: nothing long is normalised', async () => {
    // Marks in descending order of class are sorted, in time that grows with the square of their number.
    const marks = ['\u0301', '\u0316'].map((mark) => mark.repeat(15_000)).join('');
    const spy = vi.spyOn(String.prototype, 'normalize');
    const answers = [
      await call.fault('login', { input: { identifier: `a${marks}`, password: PASSWORD } }),
      await call.fault('login', { input: { identifier: 'a', password: PASSWORD, device: { name: `a${marks}` } } }),
      await call.fault('login', { input: { identifier: 'a', password: `a${marks}` } }),
      await call.fault('register', { input: { ...newPerson(), device: { name: `a${marks}` } } }),
      await call.fault('register', { input: { ...newPerson(), email: `a${marks}@example.com` } }),
      await call.fault('register', { input: { ...newPerson(), username: `a${marks}` } }),
    ];
    const longest = Math.max(...spy.mock.contexts.map(String).map(({ length }) => length));
    spy.mockRestore();
    expect(answers.map(({ extensions }) => extensions.code)).toEqual(['INVALID_CREDENTIALS', ...Array<string>(5).fill('BAD_USER_INPUT')]);
    expect(longest).toBeLessThanOrEqual(512);
  });

  it.each([
    ['a device name', 'register', () => ({ ...newPerson(), device: { name: 'd'.repeat(129) } }), 'device.name'],
    ['an attemptId', 'refresh', () => ({ refreshToken: 'a', attemptId: 'a'.repeat(129) }), 'attemptId'],
    ['an attemptId of nothing', 'refresh', () => ({ refreshToken: 'a', attemptId: '' }), 'attemptId'],
    ['a list of scopes', 'login', () => ({ identifier: 'a', password: PASSWORD, scopes: Array.from({ length: 65 }, () => 'a') }), 'scopes'],
    ['a scope', 'login', () => ({ identifier: 'a', password: PASSWORD, scopes: ['s'.repeat(129)] }), 'scopes'],
    ['a username', 'register', () => ({ ...newPerson(), username: 'u'.repeat(33) }), 'username'],
  ])('%s beyond its length is BAD_USER_INPUT, for no work', async (_name, name, input, path) => {
    const { reply, ...work } = await workOf(() => call.fault(name, { input: input() }));
    expect(reply.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path }] });
    expect(work).toEqual(NO_WORK);
  });

  it.each([
    [
      '10 000 variables',
      `{"query":"{ probe { value } }","variables":{${Array.from({ length: 10_000 }, (_, i) => `"v${i}":1`).join(',')}}}`,
      413,
    ],
    [
      '5 000 variables that nothing declares',
      `{"query":"{ probe { value } }","variables":{${Array.from({ length: 5000 }, (_, i) => `"v${i}":1`).join(',')}}}`,
      200,
    ],
    ['lists in lists, 30 000 deep', `{"query":"{ probe { value } }","variables":{"v":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`, 200],
    [
      'lists in lists with a prototype',
      `{"query":"{ probe { value } }","variables":{"v":${'['.repeat(30_000)}{"__proto__":1}${']'.repeat(30_000)}}}`,
      400,
    ],
    [
      'objects in objects, 10 000 deep',
      `{"query":"{ probe { value } }","variables":{"v":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}}`,
      200,
    ],
  ])('%s do not stop the server', async (_name, body, status) => {
    expect((await post(body)).status).toBe(status);
    expect((await post('{"query":"{ probe { value } }"}')).status).toBe(200);
  });

  it('a deep variable where a string belongs is refused, and not repeated', async () => {
    const input = `{"identifier":${'['.repeat(20_000)}"canary"${']'.repeat(20_000)},"password":{"canary":1}}`;
    const { reply, ...work } = await workOf(async () => {
      const response = await post(`{"query":${JSON.stringify(operation('login'))},"variables":{"input":${input}}}`);
      return { status: response.status, text: await response.text() };
    });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain('BAD_USER_INPUT');
    expect(reply.text).not.toContain('canary');
    expect(reply.text.length).toBeLessThan(2000);
    expect(work).toEqual(NO_WORK);
  });
});

describe('A6: a document that is hostile', () => {
  const times = (count: number, part: (index: number) => string) => Array.from({ length: count }, (_, index) => part(index)).join(' ');
  const deep = (levels: number) => `{ probe ${'{ again '.repeat(levels - 2)}{ value }${' }'.repeat(levels - 2)} }`;
  const guess = 'login(input: { identifier: "a", password: "long enough to be one" }) { scope }';
  const bomb = (levels: number, leaf: string, on = 'Probe') =>
    `${times(levels, (level) => `fragment f${level} on ${on} { ...f${level + 1} ...f${level + 1} }`)} fragment f${levels} on ${on} { ${leaf} }`;

  it.each<[string, string]>([
    ['11 levels deep', deep(11)],
    ['240 levels deep', deep(240)],
    ['500 levels deep', deep(500)],
    ['6000 levels deep', deep(6000)],
    ['11 levels deep through a fragment', `query { ...a } fragment a on Query ${deep(11)}`],
    [
      '11 levels deep through fragments named __schema and __type',
      `{ probe { ...__schema } } fragment __schema on Probe { again { again { again { again { ...__type } } } } } fragment __type on Probe { again { again { again { again { again { value } } } } } }`,
    ],
    ['11 aliases', `{ ${times(11, (i) => `a${i}: probe { value }`)} }`],
    ['1000 aliases', `{ ${times(1000, (i) => `a${i}: probe { value }`)} }`],
    [
      '11 aliases in a fragment named __schema',
      `{ ...__schema } fragment __schema on Query { ${times(11, (i) => `a${i}: probe { value }`)} }`,
    ],
    ['2 logins', `mutation { ${times(2, (i) => `a${i}: ${guess}`)} }`],
    ['1000 logins', `mutation { ${times(1000, (i) => `a${i}: ${guess}`)} }`],
    ['2 logins, one in a fragment', `mutation { ${guess} ...a } fragment a on Mutation { b: ${guess} }`],
    ['2 logins, both in an inline fragment', `mutation { ... { a: ${guess} b: ${guess} } }`],
    [
      '2 logins, both by one fragment under two directives',
      `mutation { ...a @include(if: true) ... @skip(if: false) { b: ${guess} } } fragment a on Mutation { ${guess} }`,
    ],
    ['a login and a refresh', `mutation { ${guess} refresh(input: { refreshToken: "a" }) { scope } }`],
    [
      'a login and a registration',
      `mutation { ${guess} register(input: { email: "a@example.com", password: "long enough to be one" }) { scope } }`,
    ],
    [
      'a login and a change of password',
      `mutation { ${guess} changePassword(input: { currentPassword: "a", newPassword: "b" }) { user { id } } }`,
    ],
    ['2 logins in two fragments of the same bomb', `mutation { ...f0 } ${bomb(5, guess, 'Mutation')}`],
    ['1001 tokens', `{ ${times(250, () => 'probe { value }')} }`],
    ['100 directives', `{ probe ${times(100, () => '@include(if: true)')} { value } }`],
    ['6 directives', `{ probe ${times(6, () => '@include(if: true)')} { value } }`],
    ['a fragment bomb of 30 levels', `{ probe { ...f0 } } ${bomb(30, 'value')}`],
    [
      'a fragment bomb of 30 levels of depth',
      `{ probe { ...f0 } } ${times(30, (i) => `fragment f${i} on Probe { again { ...f${i + 1} } }`)} fragment f30 on Probe { value }`,
    ],
    ['a fragment bomb at the root', `query { ...f0 } ${bomb(30, 'probe { value }', 'Query')}`],
    ['a fragment bomb of inline fragments', `{ probe ${'{ ... '.repeat(100)}{ value }${' }'.repeat(100)} }`],
    ['a fragment that holds itself', '{ probe { ...a } } fragment a on Probe { value ...a }'],
    ['fragments that hold each other', '{ probe { ...a } } fragment a on Probe { again { ...b } } fragment b on Probe { again { ...a } }'],
    [
      'fragments of mutations that hold each other',
      `mutation { ...a } fragment a on Mutation { ${guess} ...b } fragment b on Mutation { ...a }`,
    ],
    ['2000 times the same field', `{ probe { ${times(2000, () => 'value')} } }`],
    ['nested introspection', `{ __schema { types { ${'fields { type { '.repeat(6)}name${' } }'.repeat(6)} } } }`],
    [
      'nested introspection through fragments',
      '{ __schema { types { ...a } } } fragment a on __Type { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } }',
    ],
    ['two operations and no name', '{ probe { value } } query other { probe { value } }'],
    ['nothing', ' '],
    ['a comment', '# probe'],
    ['a byte order mark and NUL', '\ufeff{ probe { value\0 } }'],
    ['an unfinished string', '{ probe(text: "canary'],
    ['a block string of control characters', '{ probe(text: """\u0001""") { value '],
    ['a type definition', 'type Query { probe: Int }'],
    ['a subscription', 'subscription { probe { value } }'],
    ['900 variables', `query (${times(190, (i) => `$v${i}: Int`)} $x: Nothing) { probe { value } }`],
    ['a default of the wrong type', 'query ($x: Int = "canary") { probe { value } }'],
  ])('%s: refused before anything runs', async (_name, query) => {
    const { reply, ...work } = await workOf(async () => {
      const response = await post(JSON.stringify({ query }));
      return { status: response.status, text: await response.text() };
    });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    const { errors, ...rest } = JSON.parse(reply.text) as { errors: GraphqlError[] };
    expect(rest).toEqual({});
    expect(errors.length).toBeLessThanOrEqual(4);
    expect(errors.map(({ extensions }) => extensions.code)).not.toContain('INTERNAL_SERVER_ERROR');
    expect(reply.text).not.toContain('canary');
    expect(work).toEqual(NO_WORK);
  });

  it.each<[string, string, number]>([
    ['10 levels', deep(9), 8],
    ['10 aliases', `{ ${times(10, (i) => `a${i}: probe { value }`)} }`, 10],
    ['the same fragment twice', '{ probe { ...a again { ...a } } } fragment a on Probe { value }', 2],
    [
      'a field named like a property of every object',
      '{ __proto__: probe { value } constructor: probe { value } toString: probe { value } }',
      3,
    ],
  ])('is not one with %s', async (_name, query, runs) => {
    const { data, errors } = await server.graphql(query);
    expect(errors).toEqual([]);
    expect(Object.keys(data as object)).toHaveLength(/\{ (?:a0|__proto__):/.test(query) ? runs : 1);
    expect(probe.runs).toBe(runs);
  });

  it('can be answered as introspection, which GraphiQL and code generators send', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    const { errors } = await server.graphql(getIntrospectionQuery({ inputValueDeprecation: true, descriptions: true, oneOf: true }));
    expect(errors).toEqual([]);
  });
});

describe('A8: in production', () => {
  let production: TestServer;

  beforeAll(async () => {
    const database = await createTestDatabase();
    const variables = {
      ...database.variables,
      NODE_ENV: 'production',
      LATCHKEY_SECRETS: 'a-secret-of-production-as-long-as-it-must-be',
      ...(database.url === undefined ? { LATCHKEY_ALLOW_PGLITE: 'true' } : {}),
    } as const;
    const config = { ...variables, LATCHKEY_GRAPHIQL: '' };
    production = await startTestServer({ variables: config, overrides: { resolvers: [new ReportResolver()] } });
    return async () => {
      await production.close();
      await database.drop();
    };
  });

  it.each([
    ['the schema', '{ __schema { types { name } } }'],
    ['a type', '{ __type(name: "User") { name fields { name } } }'],
    ['the schema in a fragment', '{ ...a } fragment a on Query { __schema { queryType { name } } }'],
    ['the schema under another name', '{ probe: __schema { queryType { name } } }'],
    ['the schema beside what is allowed', '{ __typename __schema { queryType { name } } }'],
  ])('%s is not told', async (_name, query) => {
    const { status, data, errors } = await production.graphql(query);
    expect([status, data]).toEqual([400, undefined]);
    expect(JSON.stringify(errors)).not.toMatch(/viewer|Query\b.*users/);
  });

  it.each([
    ['a field', '{ viewr { id } }', /viewer/],
    ['a mutation', 'mutation { logim(input: {}) { scope } }', /login/],
    ['an argument', '{ users(frist: 1) { totalCount } }', /first|after/],
    ['an input field', 'mutation { logout(input: { refreshTokn: "a" }) { success } }', /refreshToken|sessions/],
    ['an enum value', 'mutation { logout(input: { sessions: THIS_SESSIO }) { success } }', /[A-Z]+_SESSIONS?\b/],
    ['a type', '{ ...a } fragment a on Quer { __typename }', /Query/],
    ['a directive', '{ __typename @includ(if: true) }', /include/],
  ])('a slip in %s is not put right', async (_name, query, right) => {
    const { status, errors } = await production.graphql(query);
    expect(status).toBe(400);
    const messages = errors.map(({ message }) => message).join('\n');
    expect(messages).not.toMatch(/did you mean/i);
    expect(messages).not.toMatch(right);
  });

  it.each(['/', '/graphiql', '/graphiql/', '/graphiql/index.html', '/.env', '/package.json', '/metrics', '/favicon.ico'])(
    'there is nothing at %s',
    async (path) => {
      const response = await fetch(new URL(path, production.url), { headers: { accept: 'text/html' }, redirect: 'manual' });
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    },
  );

  it('GET /graphql shows no landing page', async () => {
    const response = await fetch(new URL('/graphql', production.url), { headers: { accept: 'text/html' } });
    expect([response.status, response.headers.get('content-type')]).toEqual([405, 'application/json; charset=utf-8']);
  });

  it('a fault of ours shows no stack', async () => {
    const { errors } = await production.graphql('{ broken(how: 0) }');
    expect(JSON.stringify(errors)).not.toMatch(/stack|\.ts|\.js|canary/);
  });
});

describe('A11, A12: a password over HTTP', () => {
  const fifteenEmoji = '🦉🐙🦜🐢🦔🐌🦋🐝🦂🐡🦑🐘🦒🦩🦥';

  it.each([
    ['15 emoji', fifteenEmoji],
    ['emoji that are joined', '👩‍👩‍👧‍👦 went to the sea in a boat'],
    ['1024 characters', 'xy z'.repeat(256)],
    ['1024 emoji', '🦉🐙🦜🐢'.repeat(256)],
    ['spaces at both ends', '   seven purple ladders   '],
    ['text from right to left', 'סולמות סגולים נשענים על הקיר'],
    ['NUL in the middle', 'seven purple\0ladders lean'],
  ])('of %s is accepted, whole', async (_name, password) => {
    const { email } = newPerson();
    const { user } = await register({ email, password });
    const login = (attempt: string) =>
      server.graphql<{ login: Tokens }>(operation('login'), { input: { identifier: email, password: attempt } });
    expect((await login(password)).data!.login.user.id).toBe(user.id);
    for (const near of [
      password.slice(0, -1),
      `${password.slice(0, -1)}!`,
      password.trim() === password ? `${password} ` : password.trim(),
    ]) {
      expect((await login(near)).errors[0]!.extensions.code).toMatch(/INVALID_CREDENTIALS|BAD_USER_INPUT/);
    }
    if (password.includes('\0'))
      expect((await login(`${password.split('\0')[0]!}\0another`)).errors[0]!.extensions.code).toBe('INVALID_CREDENTIALS');
  });

  it.each([
    ['14 emoji', Array.from(fifteenEmoji).slice(1).join(''), 'minLength'],
    ['1025 characters', 'x'.repeat(1025), 'maxLength'],
    ['1025 emoji', '🦉'.repeat(1025), 'maxLength'],
    ['60 000 characters', 'x'.repeat(60_000), 'maxLength'],
    ['half an emoji', `\ud800${PASSWORD}`, 'wellFormed'],
    ['the other half', `${PASSWORD}\udc00`, 'wellFormed'],
    ['halves in the wrong order', `\udc00\ud800${PASSWORD}`, 'wellFormed'],
  ])('of %s is refused without being hashed, and not repeated', async (_name, password, rule) => {
    const registration = await workOf(() => call.fault('register', { input: { ...newPerson(), password } }));
    expect(registration).toMatchObject(NO_WORK);
    expect(registration.reply.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'password', rule }] });
    expect(JSON.stringify(registration.reply).length).toBeLessThan(500);
    if (rule === 'minLength') return;
    const login = await workOf(() => call.fault('login', { input: { identifier: 'person1@example.com', password } }));
    expect(login).toMatchObject(NO_WORK);
    expect(login.reply.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'password', rule }] });
  });

  it('typed in another normal form is the same password', async () => {
    const { email } = newPerson();
    const password = 'le café près de la forêt';
    await register({ email, password: password.normalize('NFC') });
    for (const form of ['NFC', 'NFD'] as const) {
      await call.answer('login', { input: { identifier: email, password: password.normalize(form) } });
    }
    expect((await call.fault('login', { input: { identifier: email, password: 'le cafe pres de la foret' } })).extensions.code).toBe(
      'INVALID_CREDENTIALS',
    );
  });
});

describe('A13: a name that looks like another', () => {
  it('is one account, in whatever case, width or white space it is written', async () => {
    await register({ email: 'twin@example.com', password: PASSWORD, username: 'twin' });
    for (const email of ['TWIN@EXAMPLE.COM', ' twin@example.com ', 'ｔｗｉｎ@example.com', 'twin@ｅxample.com']) {
      expect((await call.fault('register', { input: { email, password: PASSWORD } })).extensions).toMatchObject({ reason: 'EMAIL_TAKEN' });
      await call.answer('login', { input: { identifier: email, password: PASSWORD } });
    }
    for (const username of ['TWIN', ' twin ', 'ｔwin']) {
      expect((await call.fault('register', { input: { ...newPerson(), username } })).extensions).toMatchObject({
        reason: 'USERNAME_TAKEN',
      });
    }
  });

  it.each(['twіn', 'tw in', 'twin\u200b', 'twin.', '.twin', 'twin@example.com', 'twin\0', '\u202etwin', 'tẃin'])(
    'a username %j is refused',
    async (username) => {
      const { extensions } = await call.fault('register', { input: { ...newPerson(), username } });
      expect(extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'username', rule: 'username' }] });
    },
  );

  it.each([
    'twin@example.com\0',
    'twin@example.com\r\nBcc: x@example.com',
    'twin@@example.com',
    'twin',
    `${'a'.repeat(310)}@example.com`,
    '\ud800@example.com',
  ])('an e-mail address %j is refused', async (email) => {
    const { extensions } = await call.fault('register', { input: { email, password: PASSWORD } });
    expect(extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'email', rule: 'email' }] });
  });

  it('is registered once, by however many at once', async () => {
    const { email } = newPerson();
    const spellings = [email, email.toUpperCase(), ` ${email}`];
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        server.graphql<{ register: Tokens }>(operation('register'), { input: { email: spellings[index % 3], password: PASSWORD } }),
      ),
    );
    expect(replies.filter(({ errors }) => errors.length === 0)).toHaveLength(1);
    const refusals = replies.flatMap(({ errors }) => errors.map(({ extensions }) => extensions));
    expect(refusals).toEqual(Array.from({ length: 99 }, () => ({ code: 'CONFLICT', reason: 'EMAIL_TAKEN', retryable: false })));
  });
});

describe('A14, A16: an input of another shape', () => {
  const person = () => ({ email: 'shape@example.com', password: PASSWORD });

  it.each<[string, string, unknown]>([
    ['an object for a string', 'login', { identifier: { $ne: null }, password: PASSWORD }],
    ['raw SQL as an ORM might take it', 'login', { identifier: { __raw: true, sql: 'true' }, password: PASSWORD }],
    ['a list for a string', 'login', { identifier: ['a', 'b'], password: PASSWORD }],
    ['a number for a string', 'refresh', { refreshToken: 1 }],
    ['a boolean for a string', 'refresh', { refreshToken: true }],
    ['null where something must be', 'login', { identifier: 'a', password: null }],
    ['an enum value that does not exist', 'register', { ...newPerson(), device: { platform: 'TOASTER' } }],
    [
      'a list for an object',
      'login',
      [
        { identifier: 'a', password: PASSWORD },
        { identifier: 'b', password: PASSWORD },
      ],
    ],
    ['a string for an object', 'login', 'canary'],
    ['a role', 'register', { ...person(), role: 'admin' }],
    ['roles', 'register', { ...person(), roles: ['admin'] }],
    ['an id', 'register', { ...person(), id: crypto.randomUUID() }],
    ['emailVerified', 'register', { ...person(), emailVerified: true }],
    ['passwordHash', 'register', { ...person(), passwordHash: '$argon2id$' }],
    ['disabled', 'register', { ...person(), disabled: false }],
    ['securityVersion', 'register', { ...person(), securityVersion: 0 }],
    ['constructor', 'register', { ...person(), constructor: 'canary' }],
    ['a userId', 'login', { identifier: 'a', password: PASSWORD, userId: crypto.randomUUID() }],
    ['a sessionId', 'refresh', { refreshToken: 'a', sessionId: crypto.randomUUID() }],
  ])('%s is refused by the schema, and not repeated', async (_name, name, input) => {
    const { reply, ...work } = await workOf(() => server.graphql(operation(name), { input }));
    expect([reply.status, reply.data]).toEqual([400, undefined]);
    expect(reply.errors[0]!.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      retryable: false,
      fields: [{ path: '$input', rule: 'type' }],
    });
    expect(JSON.stringify(reply.errors)).not.toMatch(/canary|TOASTER|\$ne|ladders/);
    expect(work).toEqual(NO_WORK);
  });

  it.each([
    ['a literal', 'mutation { login(input: { identifier: { a: "canary" }, password: 1234567890 }) { scope } }'],
    ['a number', '{ users(first: 99999999999999999999) { totalCount } }'],
    ['a string for a number', '{ users(first: "canary") { totalCount } }'],
  ])('%s in the document is refused, and not repeated', async (_name, query) => {
    const { status, errors } = await server.graphql(query);
    expect(status).toBe(400);
    expect(JSON.stringify(errors)).not.toMatch(/canary|1234567890|99999/);
  });

  it('cannot name a property of every object as a variable', async () => {
    const response = await post('{"query":"query ($constructor: String) { probe(text: $constructor) { value } }","variables":{}}');
    expect(response.status).toBe(200);
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it('cannot name one as the operation', async () => {
    for (const operationName of ['constructor', 'toString', 'hasOwnProperty']) {
      const response = await post(JSON.stringify({ query: 'query a { probe { value } }', operationName }));
      expect(response.status).toBe(400);
    }
    expect(probe.runs).toBe(0);
  });
});

describe('a field of your own', () => {
  it('is guarded by its directive: nobody, somebody, and who has the scope', async () => {
    const document = '{ monthlyReport }';
    const nobody = await server.graphql(document);
    expect(nobody.errors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
    const somebody = await server.graphql(document, {}, bearer((await register()).accessToken));
    expect(somebody.errors[0]!.extensions).toMatchObject({ code: 'FORBIDDEN', requiredScopes: [['users:read']] });
    const admin = await server.graphql(document, {}, bearer((await administrator()).accessToken));
    expect(admin.data).toEqual({ monthlyReport: 42 });
  });

  it('is guarded by an argument once that is given, null too', async () => {
    expect((await server.graphql('{ report }')).data).toEqual({ report: 0 });
    for (const [document, variables] of [
      ['{ report(month: 1) }', {}],
      ['{ report(month: null) }', {}],
      ['query ($month: Int) { report(month: $month) }', { month: 1 }],
    ] as const) {
      expect((await server.graphql(document, variables)).errors[0]!.extensions.code).toBe('UNAUTHENTICATED');
    }
    const admin = bearer((await administrator()).accessToken);
    expect((await server.graphql('{ report(month: 1) }', {}, admin)).data).toEqual({ report: 1 });
  });
});

describe('a fault of ours', () => {
  it.each([...faults.keys()])('of kind %i is masked, with a request id that leads to the log', async (how) => {
    forget();
    const { data, errors, headers } = await server.graphql<{ broken: null }>('query ($how: Int!) { broken(how: $how) }', { how });
    expect(data).toEqual({ broken: null });
    expect(errors).toEqual([
      {
        message: 'Something went wrong here. The request id leads to the log.',
        path: ['broken'],
        locations: expect.any(Array) as unknown,
        extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, requestId: headers.get('x-request-id') },
      },
    ]);
    const logged = recorded.lines.filter(({ level }) => level === 'error');
    expect(logged).toEqual([
      expect.objectContaining({ requestId: headers.get('x-request-id'), msg: 'a request failed', path: ['broken'] }),
    ]);
  });

  it('that comes later, in a mutation, is masked too', async () => {
    const { data, errors } = await server.graphql('mutation { brokenLater }');
    expect(data).toBeNull();
    expect(errors[0]!.extensions.code).toBe('INTERNAL_SERVER_ERROR');
    expect(JSON.stringify(errors)).not.toContain(SECRET);
  });

  it('does not take the rest of the answer with it', async () => {
    const { data } = await server.graphql('{ probe { value } broken(how: 0) }');
    expect(data).toEqual({ probe: { value: 1 }, broken: null });
  });
});

describe('A17, A18: the log', () => {
  it('has one line of JSON for each event, whatever is sent', async () => {
    forget();
    const nasty = '\r\n{"level":"error","msg":"forged"}\u001b[31m"}\u2028\u0000';
    const headers = { 'user-agent': 'a"}\\n{"level":"error"} \xe9\t', 'x-request-id': 'forged', referer: '"}' };
    await server.graphql(operation('login'), { input: { identifier: nasty, password: `${nasty}${PASSWORD}` } }, headers);
    await server.graphql(
      operation('register'),
      { input: { email: `${nasty}@example.com`, password: nasty, device: { name: nasty } } },
      headers,
    );
    await server.graphql(operation('refresh'), { input: { refreshToken: nasty, attemptId: nasty } }, headers);
    await server.graphql(`query ${'a'.repeat(200)} { probe(text: ${JSON.stringify(nasty)}) { value } }`, {}, headers);
    await fetch(new URL('/%0d%0a{"level":"error","msg":"forged"}', server.url));
    const events = recorded.lines;
    expect(events.filter(({ msg }) => msg === 'request')).toHaveLength(5);
    expect(events.map(({ msg }) => msg)).not.toContain('forged');
    for (const line of recorded.written) {
      expect(line.indexOf('\n')).toBe(line.length - 1);
      // eslint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f]/);
    }
  });

  it('and the answers hold no secret and nothing that was sent, but for the tokens where the API gives them', async () => {
    forget();
    const seed = createHash('sha256').update('canary').digest('hex').slice(0, 8);
    let count = 0;
    const canaries: string[] = [];
    const canary = (what: string) => {
      canaries.push(`${what}-${seed}-${(count += 1)}`);
      return canaries.at(-1)!;
    };
    const answers: string[] = [];
    const send = async (name: string, variables: Record<string, unknown>, headers: Record<string, string> = {}) => {
      const reply = await server.graphql<Record<string, Tokens>>(operation(name), variables, { 'user-agent': canary('agent'), ...headers });
      const { [name]: tokens } = reply.data ?? {};
      answers.push(
        JSON.stringify(tokens === undefined ? reply.data : { ...tokens, accessToken: '', refreshToken: '', user: undefined }),
        JSON.stringify(reply.errors),
      );
      if (tokens?.refreshToken !== undefined) canaries.push(tokens.refreshToken, tokens.accessToken, tokens.accessToken.split('.')[1]!);
      return tokens;
    };

    const email = `${canary('email')}@example.com`;
    const password = canary('a long password');
    const device = { name: canary('device') };
    const tokens = (await send('register', { input: { email, password, device } }))!;
    await send('register', { input: { email, password: canary('a second password') } });
    await send('register', {
      input: { email: canary('no-address'), password: canary('short').slice(0, 14), username: canary('-bad-name-') },
    });
    await send('login', { input: { identifier: email, password } });
    await send('login', { input: { identifier: email, password: canary('a wrong password') } });
    await send('login', { input: { identifier: canary('nobody'), password: canary('of nobody at all') } });
    await send('login', { input: { identifier: email, password, scopes: [canary('scope with space ')] } });
    await send('login', { input: { identifier: { deep: canary('identifier') }, password: [canary('list')] } });
    await send('refresh', { input: { refreshToken: tokens.refreshToken, attemptId: canary('attempt') } });
    await send('refresh', { input: { refreshToken: canary('refresh') } });
    await send('refresh', { input: { refreshToken: `${tokens.refreshToken.slice(0, -2)}AA` } });
    await send('logout', { input: { refreshToken: canary('refresh') } }, bearer(canary('bearer')));
    await send('viewer', {}, { authorization: `Basic ${canary('basic')}` });
    await send('viewer', {}, bearer(`${tokens.accessToken.slice(0, -2)}AA`));
    const change = { currentPassword: canary('a current password'), newPassword: canary('a new password') };
    await send('change-password', { input: change }, bearer(tokens.accessToken));
    await send('revoke-session', { input: { sessionId: canary('session') } }, bearer(tokens.accessToken));
    await send('users', { after: canary('cursor') }, bearer(tokens.accessToken));
    const admin = bearer((await administrator()).accessToken);
    await send('users', { after: canary('cursor') }, admin);
    await send('set-user-roles', { input: { userId: canary('user'), roles: [canary('role')] } }, admin);
    for (const query of [
      `{ probe(text: ${canary('enum')}) { value } }`,
      `{ users(first: "${canary('literal')}") { totalCount } }`,
      `mutation { login(input: { identifier: "${canary('unfinished')}`,
      `mutation { login(input: { identifier: { x: "${canary('object')}" }, password: ["${canary('list')}"] }) { scope } }`,
    ]) {
      answers.push(JSON.stringify((await server.graphql(query)).errors));
    }
    for (const path of [`/graphql?access_token=${canary('token')}`, `/${canary('path')}?q=${canary('query')}`]) {
      answers.push(
        await (
          await fetch(new URL(path, server.url), {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: `{"${canary('body')}`,
          })
        ).text(),
      );
    }
    answers.push(
      await (
        await post(`{"query":"{ probe }","${canary('key')}`, { authorization: `Bearer ${canary('first')} ${canary('second')}` })
      ).text(),
    );

    expect(recorded.lines.length).toBeGreaterThan(30);
    const written = recorded.written.join('');
    const answered = answers.join('\n');
    // What a person gave for others to read comes back to that person.
    const shown = new Set([email.split('@')[0], device.name]);
    for (const text of canaries) {
      expect(written).not.toContain(text);
      if (!shown.has(text)) expect(answered).not.toContain(text);
    }
  });
});

describe('after all of this', () => {
  it('the server serves, and the schema of those who attacked it is what it was', async () => {
    const tokens = await register();
    expect(await call.answer('viewer', {}, bearer(tokens.accessToken))).toMatchObject({ id: tokens.user.id, roles: ['user'] });
    expect((await fetch(new URL('/readyz', server.url))).status).toBe(200);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
