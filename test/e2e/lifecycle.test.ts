import 'reflect-metadata';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Directive, Int, Query, Resolver } from 'type-graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCalls, newPerson, type Tokens } from '../support/calls.js';
import { bearer, createClient, operation } from '../support/client.js';
import { createTestDatabase, describeOnPostgres } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { build, startProcess, type ServerProcess } from '../support/process.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const cheapPasswords = { LATCHKEY_ARGON2_MEMORY_KIB: '7168', LATCHKEY_ARGON2_ITERATIONS: '1' };
const SECRET = 'canary-of-a-secret-that-is-as-long-as-it-must-be';

const running: ServerProcess[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-lifecycle-'));
  await build();
}, 180_000);

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGKILL');
    await child.ended;
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function start(variables: Record<string, string>): ServerProcess {
  const child = startProcess({ HOST: '127.0.0.1', PORT: '0', LATCHKEY_GRAPHIQL: 'false', ...cheapPasswords, ...variables });
  running.push(child);
  return child;
}

/** In development, on an embedded database: where it listens and whom it has made. */
async function startInDevelopment(dataDir: string, variables: Record<string, string> = {}) {
  const child = start({ LATCHKEY_DATA_DIR: dataDir, ...variables });
  const url = (await child.wrote(/POST (http:\/\/\S+)\/graphql/))[1]!;
  await child.wrote(/Secrets .*\n/);
  const email = /Sign in as +(\S+)/.exec(child.output)?.[1];
  const password = /password +(\S+)/.exec(child.output)?.[1];
  return { child, url, call: createCalls(createClient(url)), user: { identifier: email, password } };
}

describe('a server in development', () => {
  let dataDir: string;

  beforeAll(() => {
    dataDir = join(folder, 'development');
  });

  it('has its user there by the time that it is ready', async () => {
    const own = join(folder, 'ready');
    const port = await freePort();
    start({ LATCHKEY_DATA_DIR: own, PORT: String(port) });
    const url = `http://127.0.0.1:${port}`;
    const isReady = () =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(isReady, { timeout: 60_000, interval: 1 }).toBe(true);
    const password = (await readFile(join(own, 'development-password'), 'utf8')).trim();
    const input = { identifier: 'dev@latchkey.localhost', password };
    expect((await createCalls(createClient(url)).answer<Tokens>('login', { input })).user.roles).toEqual(['admin', 'user']);
  });

  it('stands up with nothing given, and knows its data when it is started again', async () => {
    const first = await startInDevelopment(dataDir);
    expect(first.child.output).toContain(dataDir);
    expect(first.child.output).toMatch(/Secrets +for development only/);
    const tokens = await first.call.answer<Tokens>('login', { input: first.user });
    expect(tokens.user.roles).toEqual(['admin', 'user']);
    expect(tokens.scope).toBe('audit:read users:read users:write');
    first.child.kill('SIGTERM');
    expect(await first.child.ended).toBe(0);

    const second = await startInDevelopment(dataDir);
    expect(second.user).toEqual(first.user);
    expect(await second.call.answer('viewer', {}, bearer(tokens.accessToken))).toMatchObject({ id: tokens.user.id });
    expect((await second.call.answer<Tokens>('refresh', { input: { refreshToken: tokens.refreshToken } })).user).toEqual(tokens.user);
    second.child.kill('SIGINT');
    expect(await second.child.ended).toBe(0);
  });

  it('R20: refuses a data folder that another process uses, and says what to do', async () => {
    const first = await startInDevelopment(dataDir);
    const second = start({ LATCHKEY_DATA_DIR: dataDir });
    expect(await second.ended).toBe(1);
    expect(second.output).toContain(`Another process uses the data folder ${dataDir}.`);
    expect(second.output).toMatch(/LATCHKEY_DATA_DIR=.*DATABASE_URL=/);
    // What the operator can mend needs no stack.
    expect(second.output).not.toMatch(/^\s+at /m);
    await first.call.answer('login', { input: first.user });
  });

  it('R20: killed during refreshes, each of which rotates, it loses no session and no refresh token', async () => {
    const before = await startInDevelopment(dataDir, { LATCHKEY_REFRESH_GRACE_SECONDS: '0' });
    const sessions = await Promise.all([1, 2, 3, 4].map(() => before.call.answer<Tokens>('login', { input: before.user })));
    const last = new Map(sessions.map(({ session, refreshToken }) => [session.id, refreshToken]));
    let answered = 0;
    const refresh = async ({ call }: typeof before, id: string) => {
      const tokens = await call.answer<Tokens>('refresh', { input: { refreshToken: last.get(id)! } });
      expect(tokens.session.id).toBe(id);
      last.set(id, tokens.refreshToken);
      answered += 1;
    };
    const refreshAll = (server: typeof before) => Promise.allSettled([...last.keys()].map((id) => refresh(server, id)));
    // Each as fast as it can, until the server is gone.
    const untilItFails = async (id: string) => {
      for (;;) await refresh(before, id);
    };
    const inFlight = Promise.allSettled([...last.keys()].map(untilItFails));
    await expect.poll(() => answered, { timeout: 60_000, interval: 1 }).toBeGreaterThan(40);
    before.child.kill('SIGKILL');
    expect(await before.child.ended).toBeNull();
    expect((await inFlight).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);

    const after = await startInDevelopment(dataDir);
    expect(after.user).toEqual(before.user);
    expect((await refreshAll(after)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    const viewer = await after.call.answer<{ sessions: { id: string }[] }>('viewer', {}, bearer(sessions[0]!.accessToken));
    expect(viewer.sessions.map(({ id }) => id)).toEqual(expect.arrayContaining([...last.keys()]));
  });
});

describe('a server that is told to stop', () => {
  it('finishes the request in flight, takes no new one, and ends with 0 as soon as that is done', async () => {
    const database = await createTestDatabase();
    // Longer than this test may take: nothing here ends by being cut off.
    const timeout = { LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS: '600' };
    const child = start({ NODE_ENV: 'test', LATCHKEY_SECRETS: SECRET, ...timeout, ...database.variables });
    const [, url] = await child.wrote(/"url":"([^"]+)"/);
    const { hostname, port } = new URL(url!);

    // Its headers are there, its body is not: the server says 100 once it waits for the rest.
    const body = JSON.stringify({ query: operation('register'), variables: { input: newPerson() } });
    const head = `POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    const socket = connect(Number(port), hostname);
    let reply = '';
    socket.setEncoding('utf8').on('data', (chunk) => (reply += String(chunk)));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`${head}Expect: 100-continue\r\n\r\n`);
    await expect.poll(() => reply).toContain('100 Continue');

    child.kill('SIGTERM');
    await child.wrote(/stopping: requests in flight may finish/);
    const isReached = () =>
      fetch(new URL('/livez', url)).then(
        () => true,
        () => false,
      );
    await expect.poll(isReached).toBe(false);
    socket.write(body);
    await closed;
    expect(reply).toMatch(/HTTP\/1\.1 200 OK/);
    expect(reply).toContain('"refreshToken":"lkr1_');
    expect(await child.ended).toBe(0);
    await database.drop();
  });

  it('cuts off a request that takes longer than it is given', async () => {
    const server = await startTestServer({ variables: { LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS: '0' } });
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    let reply = '';
    socket.setEncoding('utf8').on('data', (chunk) => (reply += String(chunk)));
    const closed = new Promise((resolve) => socket.once('close', resolve).on('error', () => undefined));
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n',
    );
    await expect.poll(() => reply).toContain('100 Continue');
    await server.close();
    await closed;
    expect(reply).not.toContain('200 OK');
  });
});

describe('a configuration with faults', () => {
  it('is refused with all of them at once, and no value', async () => {
    const child = start({
      NODE_ENV: 'produktion',
      PORT: 'canary-port',
      DATABASE_URL: 'mysql://root:canary-password@localhost/x',
      LATCHKEY_SECRETS: 'canary-short',
      LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '7200',
      LATCHKEY_REFRESH_GRACE_SECONDS: '-1',
      LATCHKEY_SIGNING_ALGORITHM: 'none',
      LATCHKEY_PASSWORD_MIN_LENGTH: '7',
      LATCHKEY_SECERTS: SECRET,
    });
    expect(await child.ended).toBe(1);
    expect(child.output).toMatch(/^Latchkey did not start\.\nThe configuration has 9 faults:\n/);
    const named = [...child.output.matchAll(/^ {2}(\w+): /gm)].map((match) => match[1]);
    expect(named.sort()).toEqual([
      'DATABASE_URL',
      'LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS',
      'LATCHKEY_PASSWORD_MIN_LENGTH',
      'LATCHKEY_REFRESH_GRACE_SECONDS',
      'LATCHKEY_SECERTS',
      'LATCHKEY_SECRETS',
      'LATCHKEY_SIGNING_ALGORITHM',
      'NODE_ENV',
      'PORT',
    ]);
    expect(child.output).not.toMatch(/canary|produktion|7200|\n\s+at /);
  });

  it.each([
    ['nothing', {}, ['DATABASE_URL', 'LATCHKEY_SECRETS']],
    [
      'secrets that were made for development',
      { LATCHKEY_SECRETS: `development-${SECRET}`, DATABASE_URL: 'postgres://localhost/x' },
      ['LATCHKEY_SECRETS'],
    ],
  ])('production is refused with %s, and told what to do', async (_name, variables: Record<string, string>, named) => {
    const child = start({ NODE_ENV: 'production', LATCHKEY_DATA_DIR: join(folder, 'never'), ...variables });
    expect(await child.ended).toBe(1);
    expect([...child.output.matchAll(/^ {2}(\w+): /gm)].map((match) => match[1]).sort()).toEqual(named);
    expect(child.output).not.toContain('canary');
  });

  it('a database that cannot be reached ends the start, and its password is not told', async () => {
    const child = start({ NODE_ENV: 'test', LATCHKEY_SECRETS: SECRET, DATABASE_URL: 'postgres://user:canary@127.0.0.1:1/x' });
    expect(await child.ended).toBe(1);
    expect(child.output).toMatch(/^Latchkey did not start\.$/m);
    expect(child.output).not.toContain('canary');
  });
});

describe('production', () => {
  it('starts on what it is given by name, greets nobody, makes no user, and shows neither GraphiQL nor the schema', async () => {
    const database = await createTestDatabase();
    const pglite = database.url === undefined ? { LATCHKEY_ALLOW_PGLITE: 'true' } : {};
    const variables = { NODE_ENV: 'production', LATCHKEY_SECRETS: SECRET, LATCHKEY_GRAPHIQL: '', ...pglite, ...database.variables };
    const child = start(variables);
    const [, url] = await child.wrote(/"url":"([^"]+)"/);
    expect(child.output).not.toMatch(/Sign in as|password|canary/);
    expect((await fetch(new URL('/graphiql/', url))).status).toBe(404);
    const { errors } = await createClient(url!)('{ __schema { queryType { name } } }');
    expect(errors).toHaveLength(1);
    const login = await createCalls(createClient(url!)).fault('login', {
      input: { identifier: 'dev@latchkey.localhost', password: 'whatever it may be' },
    });
    expect(login.extensions.code).toBe('INVALID_CREDENTIALS');
    child.kill('SIGTERM');
    expect(await child.ended).toBe(0);
    await database.drop();
  });

  it('does not migrate by itself, and names the command that does', async () => {
    const variables = { NODE_ENV: 'production', LATCHKEY_SECRETS: SECRET, LATCHKEY_ALLOW_PGLITE: 'true' };
    const child = start({ ...variables, LATCHKEY_DATA_DIR: join(folder, 'unmigrated') });
    expect(await child.ended).toBe(1);
    expect(child.output).toContain('latchkey migrate');
    expect(child.output).not.toMatch(/^\s+at /m);
  });
});

describe('a schema that leaves something open', () => {
  @Resolver()
  class ForgottenResolver {
    @Query(() => Int, { description: 'Nobody said who may use it.' })
    forgotten(): number {
      return 1;
    }
  }

  @Resolver()
  class MisspeltResolver {
    @Directive('@auhtenticated')
    @Query(() => Int, { description: 'Somebody meant to say who may use it.' })
    misspelt(): number {
      return 1;
    }
  }

  @Resolver()
  class UngrantableResolver {
    @Directive('@requiresScopes(scopes: [["reports:read"]])')
    @Query(() => Int, { description: 'Nobody can ever use it.' })
    ungrantable(): number {
      return 1;
    }
  }

  it.each([
    ['a root field that nobody decided on', new ForgottenResolver(), 'Query.forgotten: say who may use it'],
    ['a directive that does not exist', new MisspeltResolver(), 'Query.misspelt: @auhtenticated is not a directive'],
    ['a scope that no role grants', new UngrantableResolver(), 'Query.ungrantable: no role grants the scope "reports:read"'],
  ])('by %s does not start, and the field is named', async (_name, resolver, message) => {
    await expect(startTestServer({ overrides: { resolvers: [resolver] } })).rejects.toThrow(message);
  });
});

describe('a port that is taken', () => {
  it('ends the start, which lets go of the database first', async () => {
    const server = await startTestServer();
    const { port } = new URL(server.url);
    for (const variable of ['PORT', 'LATCHKEY_METRICS_PORT']) {
      const started = startTestServer({ variables: { [variable]: port } });
      await expect(started).rejects.toThrow(
        `Port ${port} of 127.0.0.1 is taken. End the program that listens there, or set ${variable} to`,
      );
    }
    await server.close();
  });
});

describe('health', () => {
  it('is good while everything is there, and kept by nobody', async () => {
    const server = await startTestServer();
    const live = await fetch(new URL('/livez', server.url));
    expect([live.status, await live.json()]).toEqual([200, { status: 'ok' }]);
    const ready = await fetch(new URL('/readyz', server.url));
    const checks = { database: true, keys: true, revocations: true, serving: true };
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', checks }]);
    for (const response of [live, ready]) expect(response.headers.get('cache-control')).toBe('no-store');
    await server.close();
  });
});

describeOnPostgres('a database that goes away', () => {
  let proxy: TcpProxy;
  let server: TestServer;

  beforeAll(async () => {
    const database = await createTestDatabase();
    const url = new URL(database.url!);
    proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || '5432') });
    url.host = `127.0.0.1:${proxy.port}`;
    server = await startTestServer({ variables: { DATABASE_URL: url.href, LATCHKEY_DATABASE_TIMEOUT_MS: '2000' } });
    return async () => {
      await server.close();
      await proxy.close();
      await database.drop();
    };
  });

  it('makes the server live but not ready; nobody is signed out, and all goes on when it is back', async () => {
    const call = createCalls(server.graphql);
    const person = newPerson();
    const tokens = await call.answer<Tokens>('register', { input: person });

    proxy.cut();
    const ready = await fetch(new URL('/readyz', server.url));
    expect(ready.status).toBe(503);
    // What was revoked is known still.
    const checks = { database: false, keys: true, revocations: true, serving: true };
    expect(await ready.json()).toEqual({ status: 'unavailable', checks });
    expect((await fetch(new URL('/livez', server.url))).status).toBe(200);
    for (const [name, variables, headers] of [
      ['refresh', { input: { refreshToken: tokens.refreshToken } }, {}],
      ['login', { input: { identifier: person.email, password: person.password } }, {}],
      ['logout', { input: { refreshToken: tokens.refreshToken } }, {}],
      ['logout', {}, bearer(tokens.accessToken)],
    ] as const) {
      const fault = await call.fault(name, variables, headers);
      expect(fault.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryable: true });
    }
    // The token itself needs no database.
    const { data } = await server.graphql('{ viewer { id } }', {}, bearer(tokens.accessToken));
    expect(data).toEqual({ viewer: { id: tokens.user.id } });

    proxy.restore();
    expect((await fetch(new URL('/readyz', server.url))).status).toBe(200);
    expect((await call.answer<Tokens>('refresh', { input: { refreshToken: tokens.refreshToken } })).session).toEqual(tokens.session);
  });
});
