import argon2 from 'argon2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { PASSWORD } from '../support/calls.js';
import { operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const WRONG = 'not the password of anyone';

let testDatabase: TestDatabase;
let server: TestServer;
let database: Database;
/** What has reached the database on behalf of requests. */
let statements: string[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const variables: Variables = { ...testDatabase.variables, LATCHKEY_TRUST_PROXY: '127.0.0.1' };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  server = await startTestServer({ variables, overrides: { database: counted(database) } });
  const nobody = { signedIn: null, ipAddress: null, userAgent: null };
  for (const name of ['known', 'disabled', 'limited']) {
    const { userId } = await server.accounts.register({ email: `${name}@example.com`, username: name, password: PASSWORD }, nobody);
    if (name === 'disabled') await server.accounts.setDisabled(userId, true, { userId: null, ipAddress: null, userAgent: null });
  }
});

afterAll(async () => {
  await server.close();
  await testDatabase.drop();
});

afterEach(() => {
  vi.restoreAllMocks();
});

function counted(original: Database): Database {
  return {
    ...original,
    query: (sql, parameters) => {
      // What runs by itself: the buffer of sightings, and the poll of revocations.
      if (!sql.includes('sighting') && !sql.includes('pg_snapshot_xmin')) statements.push(sql);
      return original.query(sql, parameters);
    },
    read: (work) => {
      statements.push('entities');
      return original.read(work);
    },
  };
}

let senders = 0;

/** Sends a login from somewhere else each time, and tells what comes back and what it took. */
async function logIn(identifier: string, password: string) {
  senders += 1;
  statements = [];
  const spies = [vi.spyOn(argon2, 'verify'), vi.spyOn(argon2, 'hash')];
  const response = await fetch(new URL('/graphql', server.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.18.0.${senders}` },
    body: JSON.stringify({ query: operation('login'), variables: { input: { identifier, password } } }),
  });
  // Two are different for each request, whoever asks.
  const headers = [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  const reply = { status: response.status, headers, body: await response.text() };
  const parameters = spies[0]!.mock.calls.map(([hash]) => /^.*\$(?=[^$]+\$[^$]+$)/.exec(String(hash))?.[0]);
  const work = { hashes: spies.map((spy) => spy.mock.calls.length), parameters, statements: statements.length };
  vi.restoreAllMocks();
  return { reply, work };
}

describe('A2: a login that is refused', () => {
  it('answers in the same words, with the same headers, after the same work, whatever was wrong', async () => {
    const wrongPassword = await logIn('known@example.com', WRONG);
    expect(wrongPassword.reply.body).toContain('INVALID_CREDENTIALS');
    expect(wrongPassword.work.hashes).toEqual([1, 0]);
    for (const [identifier, password] of [
      ['known', WRONG],
      ['nobody@example.com', WRONG],
      ['nobody', WRONG],
      ['not even an address @', WRONG],
      ['disabled@example.com', PASSWORD],
      ['disabled', WRONG],
    ] as const) {
      expect(await logIn(identifier, password), identifier).toEqual(wrongPassword);
    }
  });

  it('by a limit does too, whether or not there is such a user, and whether or not the password was right', async () => {
    const limit = async (identifier: string) => {
      for (let i = 0; i < 5; i += 1) await logIn(identifier, WRONG);
      // The seconds to wait run down while the test runs.
      await database.query(`UPDATE throttle SET blocked_until = 'infinity' WHERE key LIKE 'account:%'`);
    };
    // The first in a minute writes an audit event, and the next does not, whoever it is.
    const refuse = async (identifier: string) => {
      await limit(identifier);
      return [await logIn(identifier, WRONG), await logIn(identifier, WRONG), await logIn(identifier, PASSWORD)];
    };
    const known = await refuse('limited');
    for (const { reply, work } of known) {
      expect(reply.body).toContain('RATE_LIMITED');
      expect(work.hashes).toEqual([0, 0]);
    }
    expect(known[2]).toEqual(known[1]);
    expect(await refuse('limitless')).toEqual(known);
  });
});
