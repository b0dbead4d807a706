import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createHousekeepingStore, type Walked, type HousekeepingStore } from '../../src/persistence/housekeeping.store.js';
import { createHousekeeping } from '../../src/sessions/housekeeping.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';

const USER = '019aa000-0000-7000-8000-00000000000a';
/** Who holds this advisory lock has the turn. */
const HOUSEKEEPING_LOCK = 0x6c61746369;
const RETENTION_DAYS = 365;
const log = createLogger({ logLevel: 'silent' });

let testDatabase: TestDatabase;
let database: Database;
let store: HousekeepingStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openDatabase(testConfig(testDatabase.variables), log);
  store = createHousekeepingStore(database);
  await database.query(`INSERT INTO user_account (id, email, email_key) VALUES ($1, 'a@example.com', 'a@example.com')`, [USER]);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  for (const table of ['session', 'revocation', 'throttle', 'signing_key', 'audit_event']) await database.query(`DELETE FROM ${table}`);
});

const run = () => createHousekeeping({ store, auditRetentionDays: RETENTION_DAYS, log }).run();

async function countOf(table: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return row!.count;
}

/** Sessions that are over since so long; ids in order. */
const addSessions = (count: number, endedAgo: string) =>
  database.query(
    `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
     SELECT ('019aa000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 1, '\\x00', 1, 'OTHER',
            now() - $3::text::interval, now() + interval '1 year'
       FROM generate_series(1, $2::int) AS n`,
    [USER, count, endedAgo],
  );

const session = (revoked: string, idle: string, absolute: string) => `
  INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, revoked_at, idle_expires_at, absolute_expires_at)
  VALUES (gen_random_uuid(), '${USER}', 1, '\\x00', 1, 'OTHER', ${revoked}, now() + interval '${idle}', now() + interval '${absolute}')`;
const revocation = (expires: string) =>
  `INSERT INTO revocation (kind, key, expires_at) VALUES ('session', '${USER}', now() + interval '${expires}')`;
const throttle = (key: string, updated: string, blocked = `now() + interval '${updated}'`) =>
  `INSERT INTO throttle (key, updated_at, blocked_until) VALUES ('${key}', now() + interval '${updated}', ${blocked})`;
const signingKey = (expires: string) =>
  `INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk, secret_id, activates_at, expires_at)
   VALUES ('kid', 'EdDSA', '{}', '\\x00', 1, now(), ${expires})`;
const auditEvent = (occurred: string) => `INSERT INTO audit_event (type, occurred_at) VALUES ('SIGNED_IN', now() + interval '${occurred}')`;

describe('housekeeping', () => {
  it.each<[what: string, table: string, due: string, notYet: string]>([
    [
      'sessions a week after they were revoked',
      'session',
      session(`now() - interval '7 days 1 minute'`, '1 day', '1 year'),
      session(`now() - interval '6 days 23 hours 59 minutes'`, '1 day', '1 year'),
    ],
    [
      'sessions a week after they were idle for too long',
      'session',
      session('NULL', '-7 days -1 minute', '1 year'),
      session('NULL', '-6 days -23 hours', '1 year'),
    ],
    [
      'sessions a week after their absolute end',
      'session',
      session('NULL', '1 day', '-7 days -1 minute'),
      session('NULL', '1 day', '-6 days -23 hours'),
    ],
    ['sessions that live, never', 'session', session('NULL', '-8 days', '1 year'), session('NULL', '1 second', '1 second')],
    [
      'revocations three hours after they have expired',
      'revocation',
      revocation('-3 hours -5 seconds'),
      revocation('-2 hours -59 minutes -55 seconds'),
    ],
    [
      'throttles of a network a day after the last failure',
      'throttle',
      throttle('network:a', '-25 hours'),
      throttle('network:a', '-23 hours'),
    ],
    ['throttles of an account a year after', 'throttle', throttle('account:a', '-366 days'), throttle('account:a', '-364 days')],
    [
      'throttles of an account that there is, never',
      'throttle',
      throttle('account:a', '-366 days'),
      throttle('account:019aa000-0000-7000-8000-00000000000a', '-9 years'),
    ],
    ['throttles of a device a month after', 'throttle', throttle('device:a:b', '-31 days'), throttle('device:a:b', '-29 days')],
    [
      'throttles of an account that are used up, a year after, unless there is such an account',
      'throttle',
      throttle('account:a', '-2 years', `'infinity'`),
      throttle('account:019aa000-0000-7000-8000-00000000000a', '-2 years', `'infinity'`),
    ],
    [
      'throttles of a device that are used up, a month after',
      'throttle',
      throttle('device:a:b', '-31 days', `'infinity'`),
      throttle('device:a:b', '-29 days', `'infinity'`),
    ],
    [
      'throttles that still delay, never',
      'throttle',
      throttle('network:a', '-31 days'),
      throttle('network:b', '-31 days', `now() + interval '1 minute'`),
    ],
    [
      'signing keys a week after they last verified',
      'signing_key',
      signingKey(`now() - interval '7 days 1 minute'`),
      signingKey(`now() - interval '6 days'`),
    ],
    ['signing keys in use, never', 'signing_key', signingKey(`now() - interval '8 days'`), signingKey('NULL')],
    ['audit events when they are older than is configured', 'audit_event', auditEvent('-365 days -1 minute'), auditEvent('-364 days')],
  ])('removes %s, and not before', async (_what, table, due, notYet) => {
    await database.query(notYet);
    await run();
    expect(await countOf(table)).toBe(1);
    await database.query(`DELETE FROM ${table}`);
    await database.query(due);
    const removed = await run();
    expect(await countOf(table)).toBe(0);
    expect(Object.values(removed).reduce((sum, count) => sum + count)).toBe(1);
  });

  it('removes in batches of a thousand', async () => {
    await database.query(
      `INSERT INTO audit_event (type, occurred_at) SELECT 'SIGNED_IN', now() - interval '2 years' FROM generate_series(1, 2500)`,
    );
    expect([await store.removeAuditEvents(365), await store.removeAuditEvents(365), await store.removeAuditEvents(365)]).toEqual([
      1000, 1000, 500,
    ]);
    expect(await store.removeAuditEvents(365)).toBe(0);
  });

  it('walks through the sessions in windows of a thousand, whatever it removes of them', async () => {
    await addSessions(2500, '8 days');
    await database.query(`UPDATE session SET idle_expires_at = now() + interval '1 day' WHERE right(id::text, 1) = '0'`);
    const windows = [];
    let after: string | undefined;
    do {
      const { removed, last }: Walked = await store.removeSessions(after);
      windows.push(removed);
      after = last;
    } while (after !== undefined);
    expect(windows).toHaveLength(3);
    expect(windows.reduce((sum, count) => sum + count)).toBe(2500 - 156);
    expect(await countOf('session')).toBe(156);
  });

  it('removes all of a backlog in one round when there is room for it', async () => {
    await addSessions(1500, '8 days');
    expect(await run()).toEqual({ sessions: 1500, revocations: 0, throttles: 0, signingKeys: 0, auditEvents: 0 });
  });
});

describeOnPostgres('a walk through a large table', () => {
  it.each(['removeSessions', 'removeThrottles'] as const)('goes on by the index, whatever the plan of the statement: %s', async (walk) => {
    const asked: string[] = [];
    const query: Database['query'] = (sql) => {
      asked.push(sql);
      return Promise.resolve([]);
    };
    await createHousekeepingStore({ ...database, query })[walk]('019aa000-0000-7000-8000-000000000001');
    const client = new pg.Client({ connectionString: testDatabase.url });
    await client.connect();
    await client.query('SET enable_seqscan = off');
    // That of a prepared statement, made without its parameters.
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${asked[0]!}`);
    await client.end();
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Index Cond: \((id|key) > /);
  });
});

describeOnPostgres('housekeeping on several replicas', () => {
  it('is done by one at a time: who does not have the turn removes nothing, and does not wait', async () => {
    await database.query(auditEvent('-400 days'));
    await addSessions(3, '8 days');
    const other = new pg.Client({ connectionString: testDatabase.url });
    await other.connect();
    try {
      await other.query('SELECT pg_advisory_lock($1)', [HOUSEKEEPING_LOCK]);
      expect(await run()).toEqual({ sessions: 0, revocations: 0, throttles: 0, signingKeys: 0, auditEvents: 0 });
      await other.query('SELECT pg_advisory_unlock($1)', [HOUSEKEEPING_LOCK]);
      expect(await run()).toMatchObject({ sessions: 3, auditEvents: 1 });
    } finally {
      await other.end();
    }
  });

  it('removes each row once when all begin at the same time', async () => {
    await database.query(
      `INSERT INTO audit_event (type, occurred_at) SELECT 'SIGNED_IN', now() - interval '2 years' FROM generate_series(1, 300)`,
    );
    const removed = await Promise.all(Array.from({ length: 5 }, run));
    expect(removed.reduce((sum, { auditEvents }) => sum + auditEvents, 0)).toBe(300);
  });
});
