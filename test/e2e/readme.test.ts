import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { stripIgnoredCharacters } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import type { FaultCode, UnauthenticatedReason } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { openDatabase } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { NOBODY } from '../support/callers.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Invoice, InvoiceResolver, type InvoiceStore } from '../support/invoice.resolver.js';
import { codeBlocks, operations, patternOf, readme, section, tableRows } from '../support/readme.js';
import { startTestServer, type TestServer } from '../support/server.js';

const theCalls = codeBlocks(section(readme, '## The four calls'));
const yourOwnField = codeBlocks(section(readme, '## Protect your own field'));
const operatingIt = codeBlocks(section(readme, '## Operating it'));

/** Each command with the answer that README prints below it, named after its root field. */
const examples = theCalls.flatMap(({ language, text }, index) =>
  language === 'sh' ? [{ field: /\{ (\w+)/.exec(text)?.[1], command: text, shown: theCalls[index + 1]! }] : [],
);

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

describe('the calls of README', () => {
  let server: TestServer;
  /** What a reader of the answers would set. */
  const shell: Record<string, string> = { PASSWORD };

  beforeAll(async () => {
    server = await startTestServer({ variables: database.variables });
    await server.accounts.register({ email: 'dev@latchkey.localhost', username: 'dev', password: PASSWORD }, NOBODY, ['user', 'admin']);
  });

  afterAll(() => server.close());

  it('has four of them, and one that is refused', () => {
    expect(examples.map(({ field }) => field)).toEqual(['login', 'viewer', 'refresh', 'logout', 'viewer']);
    expect(examples.map(({ shown }) => shown.language)).toEqual(Array(5).fill('json'));
  });

  it.each(examples.slice(0, 4))('sends the document of schema/operations: $field', ({ command }) => {
    const [, document = '', name = ''] = /"query": "((?:query|mutation) (\w+).*)"/.exec(command) ?? [];
    expect(document).not.toBe('');
    expect(stripIgnoredCharacters(document)).toBe(stripIgnoredCharacters(operation(name.toLowerCase())));
  });

  it.each(examples)('is answered as README says: $field', async ({ command, shown }) => {
    const { stdout } = await promisify(execFile)('bash', ['-c', command.replaceAll('http://localhost:4000', server.url)], {
      env: { PATH: process.env['PATH'], no_proxy: '*', ...shell },
    });
    for (const [, name = '', token = ''] of stdout.matchAll(/"(accessToken|refreshToken)":"([^"]+)"/g)) {
      shell[name === 'accessToken' ? 'ACCESS_TOKEN' : 'REFRESH_TOKEN'] = token;
    }
    expect(JSON.parse(stdout)).toEqual(expected(JSON.parse(shown.text)));
  });
});

describe('the table of errors', () => {
  const rows = tableRows(section(readme, '### Errors'));

  it('names every code, and no other', () => {
    const codes = {
      UNAUTHENTICATED: 'no',
      FORBIDDEN: 'no',
      INVALID_CREDENTIALS: 'no',
      INVALID_REFRESH_TOKEN: 'no',
      BAD_USER_INPUT: 'no',
      CONFLICT: 'no',
      RATE_LIMITED: 'yes',
      SERVICE_UNAVAILABLE: 'yes',
      INTERNAL_SERVER_ERROR: 'no',
    } satisfies Record<FaultCode | 'INTERNAL_SERVER_ERROR', 'yes' | 'no'>;
    expect(Object.fromEntries(rows.map(([code = '', , retryable]) => [code.replaceAll('`', ''), retryable]))).toEqual(codes);
  });

  it('names every reason of UNAUTHENTICATED, and no other', () => {
    const reasons = {
      TOKEN_MISSING: true,
      TOKEN_INVALID: true,
      TOKEN_EXPIRED: true,
      TOKEN_STALE: true,
      SESSION_REVOKED: true,
    } satisfies Record<UnauthenticatedReason, true>;
    expect(rows[0]?.[1]?.replaceAll('`', '').split(', ')).toEqual(Object.keys(reasons));
  });
});

describe("the field of one's own", () => {
  const [resolver, migration = ''] = yourOwnField.map(({ text }) => text);
  const grantScope = /addSql\(`([^`]*)`\)/.exec(migration)?.[1] ?? '';
  const store: InvoiceStore = {
    ofCustomer: (userId) => Promise.resolve([Object.assign(new Invoice(), { id: `of ${userId}`, totalCents: 1250 })]),
  };
  const start = () => startTestServer({ variables: database.variables, overrides: { resolvers: [new InvoiceResolver(store)] } });
  const document = '{ invoices { id totalCents } }';

  it('is the resolver that these tests run', () => {
    const tested = readFileSync(new URL('../support/invoice.resolver.ts', import.meta.url), 'utf8');
    expect(resolver).toBe(tested.replaceAll('../../src/graphql/', '../').replaceAll('../../src/', '../../'));
  });

  it('does not start before some role grants its scope', async () => {
    await expect(start()).rejects.toThrow('Query.invoices: no role grants the scope "invoices:read"');
  });

  it('is refused to who lacks the scope, and answered once an administrator has given the role', async () => {
    const [admin, customer] = [newPerson(), newPerson()];
    await withServer(startTestServer({ variables: database.variables }), async ({ answer }) => {
      await answer('register', { input: customer });
    });
    await runSql(grantScope);
    await makeAdministrator(admin);

    await withServer(start(), async ({ answer }, { graphql }) => {
      const login = ({ email, password }: typeof admin) => answer<Tokens>('login', { input: { identifier: email, password } });
      const before = await login(customer);
      const refused = await graphql(document, {}, bearer(before.accessToken));
      expect(refused.errors.map(({ extensions }) => extensions)).toEqual([
        { code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: [['invoices:read']], retryable: false },
      ]);

      const { accessToken } = await login(admin);
      await answer('set-user-roles', { input: { userId: before.user.id, roles: ['user', 'customer'] } }, bearer(accessToken));
      const stale = await graphql(document, {}, bearer(before.accessToken));
      expect(stale.errors.map(({ extensions }) => extensions.reason)).toEqual(['TOKEN_STALE']);
      const after = await answer<Tokens>('refresh', { input: { refreshToken: before.refreshToken } });
      expect(after.scope).toBe('invoices:read');
      const answered = await graphql(document, {}, bearer(after.accessToken));
      expect(answered.data).toEqual({ invoices: [{ id: `of ${before.user.id}`, totalCents: 1250 }] });
    });
  });
});

describe('the SQL of docs/operations.md', () => {
  const statements = codeBlocks(operations).filter(({ language }) => language === 'sql');

  it.each(statements)('is understood by the database: $text', async ({ text }) => {
    await expect(runSql(`EXPLAIN ${text}`)).resolves.toBeUndefined();
  });
});

async function withServer(starting: Promise<TestServer>, work: (calls: Calls, server: TestServer) => Promise<void>): Promise<void> {
  const server = await starting;
  try {
    await work(createCalls(server.graphql), server);
  } finally {
    await server.close();
  }
}

/** The command that README gives for it, as its reader would run it between two runs of the server: PGlite lets in one process at a time. */
async function makeAdministrator({ email, password }: { email: string; password: string }): Promise<void> {
  const line = operatingIt.map(({ text }) => /^npx (latchkey users create .*)$/m.exec(text)?.[1]).find((found) => found !== undefined);
  const words = (line ?? '').replace('ada@example.com', email).split(' ');
  const environment: Variables = {
    NODE_ENV: 'test',
    LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
    ...database.variables,
  };
  let printed = '';
  const stdin = Readable.from([`${password}\n`]) as unknown as NodeJS.ReadStream;
  await runCli(['node', ...words], environment, { stdin, stdout: { write: (text) => (printed += text) } });
  expect(printed).toMatch(/^Made [0-9a-f-]{36}\.\n$/);
}

async function runSql(statement: string): Promise<void> {
  const config = testConfig(database.variables);
  const opened = await openDatabase(config, createLogger(config));
  try {
    await opened.query(statement);
  } finally {
    await opened.close();
  }
}

/** What README prints, with `…` for anything. */
function expected(shown: unknown): unknown {
  if (typeof shown === 'string') return shown.includes('…') ? expect.stringMatching(patternOf(shown)) : shown;
  if (Array.isArray(shown)) return shown.map(expected);
  if (typeof shown !== 'object' || shown === null) return shown;
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, expected(value)]));
}
