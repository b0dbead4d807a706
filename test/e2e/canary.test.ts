import { afterAll, beforeAll, expect, it } from 'vitest';

import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createServer, type LatchkeyServer } from '../../src/server.js';
import type { Tokens } from '../support/calls.js';
import { bearer, createClient, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { recordingLog } from '../support/log.js';

const SECRET = 'canary-server-secret-0123456789abcdef';
const PEPPER = 'canary-server-pepper-0123456789abcdef';

let testDatabase: TestDatabase;
let database: Database;
let server: LatchkeyServer;
const recorded = recordingLog();

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const variables: Variables = {
    ...testDatabase.variables,
    LATCHKEY_METRICS_PORT: '0',
    LATCHKEY_REFRESH_GRACE_SECONDS: '0',
    LATCHKEY_SECRETS: SECRET,
    LATCHKEY_PASSWORD_PEPPERS: PEPPER,
  };
  const config = testConfig(variables);
  database = await openDatabase(config, recorded.log);
  // The log at its most talkative, the database's own lines included.
  server = await createServer(config, { log: recorded.log, database: { ...database, close: () => Promise.resolve() } });
});

afterAll(async () => {
  await server.close();
  await database.close();
  await testDatabase.drop();
});

/** Every row of every table, as text. */
async function dump(): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  expect(tables.length).toBeGreaterThan(8);
  const texts = await Promise.all(
    tables.map(async ({ name }) => {
      const rows = await database.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`);
      return rows.map(({ text }) => text).join('\n');
    }),
  );
  return texts.join('\n');
}

it('no password, token, header or variable that a client sends is in the log, the metrics or the database', async () => {
  const graphql = createClient(server.url);
  const canaries: string[] = [PEPPER];
  const canary = (what: string) => {
    const text = `${what} canary ${canaries.length} of ours`;
    canaries.push(text);
    return text;
  };
  const headers = () => ({
    cookie: `session=${canary('cookie').replaceAll(' ', '-')}`,
    'x-api-key': canary('key').replaceAll(' ', '-'),
    referer: `https://app.example/${canary('referer').replaceAll(' ', '-')}`,
  });
  const send = async (name: string, input: Record<string, unknown>, more: Record<string, string> = {}) => {
    const { data } = await graphql<Record<string, Tokens>>(
      operation(name),
      { input, unknown: canary('variable') },
      { ...headers(), ...more },
    );
    const tokens = Object.values(data ?? {})[0];
    if (tokens?.refreshToken !== undefined)
      canaries.push(tokens.refreshToken, tokens.refreshToken.slice(5, 60), tokens.accessToken.split('.')[2]!);
    return tokens;
  };

  const email = 'canary@example.com';
  const password = canary('password');
  const registered = (await send('register', { email, username: 'canary', password }))!;
  await send('register', { email, password: canary('password of another') });
  await send('login', { identifier: email, password: canary('wrong password') });
  await send('login', { identifier: canary('identifier'), password: canary('password of nobody') });
  await send('login', { identifier: email, password, scopes: [canary('scope')] });
  const signedIn = (await send('login', { identifier: 'canary', password }))!;
  const second = (await send('refresh', { refreshToken: signedIn.refreshToken, attemptId: canary('attempt') }))!;
  await send('refresh', { refreshToken: second.refreshToken });
  await send('refresh', { refreshToken: signedIn.refreshToken });
  await send('refresh', { refreshToken: canary('refresh token') });
  const newPassword = canary('new password');
  await send('change-password', { currentPassword: password, newPassword }, bearer(registered.accessToken));
  await send('change-password', { currentPassword: canary('old password'), newPassword }, bearer(registered.accessToken));
  await send('viewer', {}, bearer(canary('bearer').replaceAll(' ', '.')));
  await send('viewer', {}, { authorization: `Basic ${canary('basic').replaceAll(' ', '')}` });
  await send('logout', { refreshToken: canary('logout token') });
  await fetch(new URL(`/graphql?query=${canary('query').replaceAll(' ', '-')}`, server.url));
  await server.accounts.resetPassword(registered.user.id, canary('password of an operator'), {
    userId: null,
    ipAddress: null,
    userAgent: null,
  });

  // A statement that fails on its parameters, one of which is a password's hash.
  await database.query('ALTER TABLE credential ADD CONSTRAINT no_more CHECK (false) NOT VALID');
  await send('register', { email: 'another@example.com', password: canary('password of a fault') });
  await database.query('ALTER TABLE credential DROP CONSTRAINT no_more');
  expect(recorded.written.join('')).toContain('a request failed');

  const places = { log: recorded.written.join(''), metrics: await (await fetch(server.metricsUrl!)).text(), database: await dump() };
  expect(places.log.split('\n').length).toBeGreaterThan(20);
  for (const [place, text] of Object.entries(places)) {
    const found = [SECRET, ...canaries].filter((secret) =>
      [
        secret,
        secret.replaceAll(' ', '-'),
        secret.replaceAll(' ', '.'),
        secret.replaceAll(' ', ''),
        Buffer.from(secret).toString('base64'),
      ].some((form) => text.includes(form)),
    );
    expect(found, place).toEqual([]);
  }
  const hashes = await database.query<{ hash: string }>('SELECT password_hash AS hash FROM credential');
  for (const { hash } of hashes) expect(places.log).not.toContain(hash);
  expect(places.log).not.toContain('$argon2id$');
});
