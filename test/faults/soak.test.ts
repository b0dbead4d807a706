import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { startStorm, STORM_VARIABLES } from '../support/storm.js';

/** Long enough to see what each rotation leaves behind. Half an hour, before a release, tells of memory too. */
const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 20);
const CLIENTS = 30;
const SAMPLE_MS = 500;
const LONGEST_LOCK_SECONDS = 2;
/** As it comes: who has to wait for a lock must be there to be seen. */
const PATIENT = { LATCHKEY_DATABASE_TIMEOUT_MS: '5000' };

describeOnPostgres('a long time of ordinary use', () => {
  let cluster: PostgresCluster;
  let replicas: Replica[];

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster(['autovacuum_naptime=10s']);
    replicas = await Promise.all([1, 2].map(() => createReplica({ DATABASE_URL: cluster.url, ...STORM_VARIABLES, ...PATIENT })));
    for (const replica of replicas) await replica.start();
  });

  afterAll(async () => {
    for (const replica of replicas) await replica.kill();
    await cluster.remove();
  });

  const resident = () => replicas.map((replica) => replica.residentMib());
  const tableBytes = async () => (await cluster.query<{ bytes: number }>(`SELECT pg_relation_size('session')::int AS bytes`))[0]!.bytes;
  const updates = async () => {
    const [row] = await cluster.query<{ all: number; hot: number; dead: number }>(
      `SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot, n_dead_tup::int AS dead FROM pg_stat_user_tables WHERE relname = 'session'`,
    );
    return row!;
  };
  const longWaits = () =>
    cluster.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - state_change > make_interval(secs => $1)`, [
      LONGEST_LOCK_SECONDS,
    ]);

  it(
    'R18: rotates in place, keeps the table and the memory as they were, and has nobody wait for a lock',
    { timeout: SECONDS * 1000 + 120_000 },
    async () => {
      const urls = replicas.map(({ url }) => url);
      const storm = await startStorm(urls, CLIENTS);
      let isOver = false as boolean;
      let comers = 0;
      const churn = (async () => {
        while (!isOver) {
          const { tokens } = await HonestClient.register(urls);
          await callUntilAnswered(() => call(urls[0]!, operation('logout'), { input: { refreshToken: tokens.refreshToken } }));
          comers += 1;
          await pause(SAMPLE_MS);
        }
      })();

      let waits = 0;
      const watch = async (seconds: number) => {
        const until = performance.now() + seconds * 1000;
        while (performance.now() < until) {
          waits += (await longWaits()).length;
          await pause(SAMPLE_MS);
        }
      };
      await watch(SECONDS / 2);
      const before = { bytes: await tableBytes(), resident: resident(), updates: await updates() };
      await watch(SECONDS / 2);
      const after = { bytes: await tableBytes(), resident: resident() };
      isOver = true;
      await churn;
      await storm.end();

      // Backends tell of what they did when they end, if not before.
      await Promise.all(replicas.map((replica) => replica.stop()));
      const backends = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'latchkey'`;
      await expect.poll(() => cluster.query(backends), { timeout: 10_000 }).toEqual([]);
      const { all, hot, dead } = await updates();
      const hotShare = (hot - before.updates.hot) / (all - before.updates.all);
      const growth = after.resident.map((mib, index) => mib - before.resident[index]!);
      printFigures('R18', {
        seconds: SECONDS,
        refreshes: storm.refreshes,
        'signed up and out': comers,
        'sessions lost': storm.lost.length,
        updates: all,
        'HOT % in the second half': 100 * hotShare,
        'dead rows': dead,
        'table KiB at half time': before.bytes / 1024,
        'and at the end': after.bytes / 1024,
        'resident MiB grown in the second half': Math.max(...growth),
        'waits for a lock beyond 2 s': waits,
      });
      expect([storm.lost, storm.unexpected]).toEqual([[], []]);
      expect(all).toBeGreaterThan(CLIENTS);
      expect(hotShare).toBeGreaterThan(0.95);
      expect(waits).toBe(0);
      // What is dead is as much as has not been vacuumed, or pruned on the way, and does not grow with the rotations.
      expect(dead).toBeLessThan(Math.max(1000, all / 2));
      // A page for each comer and one more, whatever has rotated.
      expect(after.bytes - before.bytes).toBeLessThan((comers + 1) * 8192);
      after.resident.forEach((mib, index) => expect(mib).toBeLessThan(before.resident[index]! * 1.5));
    },
  );
});
