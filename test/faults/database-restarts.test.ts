import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { startStorm, STORM_VARIABLES, type Storm } from '../support/storm.js';

const HEALS_WITHIN_MS = 5000;

describeOnPostgres('a database that fails under fifty clients', () => {
  let cluster: PostgresCluster;
  let replicas: [Replica, Replica];
  let storm: Storm;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    const variables = { DATABASE_URL: cluster.url, LATCHKEY_DATABASE_POOL_MAX: '5', ...STORM_VARIABLES };
    replicas = [await createReplica(variables), await createReplica(variables)];
    for (const replica of replicas) await replica.start();
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  const begin = async () => {
    storm = await startStorm(replicas.map(({ url }) => url));
    await pause(1000);
  };

  /** Ends the storm: nobody lost anything, and nobody was answered in a way that would have made them. */
  const conclude = async (id: string, healings: readonly { firstMs: number; lastMs: number }[]) => {
    await storm.end();
    const ended = await cluster.query('SELECT revoked_reason FROM session WHERE revoked_at IS NOT NULL');
    const worst = (key: 'firstMs' | 'lastMs') => Math.max(...healings.map((healing) => healing[key]));
    printFigures(id, {
      'calls made': storm.calls,
      refreshed: storm.refreshes,
      'answered "try again"': storm.retries,
      'sessions lost': storm.lost.length,
      'sessions ended': ended.length,
      'first client healed after ms': worst('firstMs'),
      'last client healed after ms': worst('lastMs'),
    });
    expect(storm.unexpected).toEqual([]);
    expect(storm.lost).toEqual([]);
    expect(ended).toEqual([]);
    expect(worst('lastMs')).toBeLessThan(HEALS_WITHIN_MS);
  };

  afterEach(async () => {
    await storm.end();
  });

  it('R6: ten crashes of the database sign nobody out, and every client is served within five seconds after each', async () => {
    await begin();
    const healings = [];
    for (let crash = 0; crash < 10; crash += 1) {
      await cluster.stop('immediate');
      await pause(crash * 60);
      await cluster.start();
      healings.push(await storm.healed());
      await pause(500);
    }
    await conclude('R6', healings);
  });

  it('R6: terminated connections sign nobody out', async () => {
    await begin();
    const admin = await cluster.connect();
    let terminated = 0;
    for (let round = 0; round < 30; round += 1) {
      const { rowCount } = await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'latchkey' ORDER BY random() LIMIT 3`,
      );
      terminated += rowCount ?? 0;
      await pause(100);
    }
    await admin.end();
    const healing = await storm.healed();
    printFigures('R6', { 'connections terminated': terminated });
    expect(terminated).toBeGreaterThan(50);
    await conclude('R6', [healing]);
  });

  it('R6: a pool that others have used up makes callers wait or try again, and signs nobody out', async () => {
    await begin();
    const admin = await cluster.connect();
    await admin.query('BEGIN');
    await admin.query('SELECT FROM session FOR UPDATE');
    const toldBefore = storm.retries;
    await pause(4000);
    const told = storm.retries - toldBefore;
    await admin.query('COMMIT');
    await admin.end();
    await conclude('R6', [await storm.healed()]);
    expect(told).toBeGreaterThan(storm.clients.length);
  });

  it('R6: a database that only reads, as a standby does, signs nobody out', async () => {
    await begin();
    const toldBefore = storm.retries;
    await cluster.query(`ALTER SYSTEM SET default_transaction_read_only = on`);
    await cluster.query('SELECT pg_reload_conf()');
    await pause(3000);
    const told = storm.retries - toldBefore;
    await cluster.query(`ALTER SYSTEM RESET default_transaction_read_only`);
    await cluster.query('SELECT pg_reload_conf()');
    await conclude('R6', [await storm.healed()]);
    expect(told).toBeGreaterThan(storm.clients.length);
  });
});
