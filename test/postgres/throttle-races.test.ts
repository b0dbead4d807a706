import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createThrottleStore, type ThrottlePolicy, type ThrottleStore } from '../../src/persistence/throttle.store.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';

const POLICY: ThrottlePolicy = {
  freeFailures: 300,
  firstDelaySeconds: 1,
  maxDelaySeconds: 60,
  maxFailures: null,
  forgetAfterSeconds: null,
};

describeOnPostgres('attempts that race', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  let client: pg.Client;
  let store: ThrottleStore;
  /** The same store inside a transaction: its statements come late, and now() is when it began. */
  let slow: ThrottleStore;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    const config = testConfig(testDatabase.variables);
    database = await openDatabase(config, createLogger({ logLevel: 'silent' }));
    store = createThrottleStore(database);
    client = new pg.Client({ connectionString: config.databaseUrl! });
    await client.connect();
    const query: Database['query'] = async <Row>(text: string, values: readonly unknown[] = []) =>
      (await client.query(text, [...values])).rows as Row[];
    slow = createThrottleStore({ ...database, query });
  });

  afterAll(async () => {
    await client.end();
    await database.close();
    await testDatabase.drop();
  });

  it.each<[string, (key: string) => Promise<unknown>]>([
    ['a first attempt', (key) => store.begin(key, POLICY)],
    [
      'a failure that is free',
      async (key) => {
        await store.begin(key, POLICY);
        await store.fail(key, POLICY);
      },
    ],
  ])('with %s that began after them are let through', async (what, meanwhile) => {
    await client.query('BEGIN');
    await client.query('SELECT now()');
    await meanwhile(what);
    expect(await slow.begin(what, POLICY)).toBe(true);
    await client.query('COMMIT');
  });
});
