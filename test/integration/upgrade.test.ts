import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, type Calls, type Tokens } from '../support/calls.js';
import { bearer } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

let testDatabase: TestDatabase;
let variables: Variables;
let database: Database;
const servers: TestServer[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  // Strict: every refresh rotates, on whichever server.
  variables = { ...testDatabase.variables, LATCHKEY_REFRESH_GRACE_SECONDS: '0' };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
});

afterAll(async () => {
  for (const server of servers) await server.close();
  await database.close();
  await testDatabase.drop();
});

async function startReplica(): Promise<Calls> {
  const server = await startTestServer({ variables, overrides: { database: { ...database, close: () => Promise.resolve() } } });
  servers.push(server);
  return createCalls(server.graphql);
}

/** What a newer version may do to a database that this one still runs on: it adds, and takes nothing away. */
async function migrateFurther(): Promise<void> {
  await database.query(`ALTER TABLE session ADD COLUMN of_the_next_version text NOT NULL DEFAULT 'unknown'`);
  await database.query(`ALTER TABLE user_account ADD COLUMN of_the_next_version int NULL`);
  await database.query(`CREATE TABLE of_the_next_version (id int PRIMARY KEY)`);
  await database.query(`INSERT INTO migration (name, executed_at) VALUES ('Migration29990101000000_next', now())`);
}

describe('R19: a database that a newer version has migrated', () => {
  it('serves this version, one that ran already and one that starts anew; each refreshes the tokens of the other', async () => {
    const before = await startReplica();
    let tokens = await before.answer<Tokens>('register', { input: newPerson() });
    await migrateFurther();
    const after = await startReplica();
    for (const replica of [after, before, after, before]) {
      tokens = await replica.answer<Tokens>('refresh', { input: { refreshToken: tokens.refreshToken } });
      for (const other of [before, after]) {
        expect(await other.answer('viewer', {}, bearer(tokens.accessToken))).toMatchObject({ id: tokens.user.id });
      }
    }
    await after.answer('logout', { input: { refreshToken: tokens.refreshToken } });
    expect((await before.fault('refresh', { input: { refreshToken: tokens.refreshToken } })).extensions.code).toBe('INVALID_REFRESH_TOKEN');
  });

  it('holds tokens of a format that this version does not know: they are refused, and end nothing', async () => {
    const replica = await startReplica();
    const { refreshToken } = await replica.answer<Tokens>('register', { input: newPerson() });
    const [prefix, body] = [refreshToken.slice(0, 5), Buffer.from(refreshToken.slice(5), 'base64url')];
    body[0] = 2;
    const newer = `${prefix}${body.toString('base64url')}`;
    expect((await replica.fault('refresh', { input: { refreshToken: newer } })).extensions.code).toBe('INVALID_REFRESH_TOKEN');
    await replica.answer('logout', { input: { refreshToken: newer } });
    expect(await replica.answer<Tokens>('refresh', { input: { refreshToken } })).toMatchObject({ tokenType: 'Bearer' });
  });
});
