import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { startStorm, STORM_VARIABLES } from '../support/storm.js';

const KILLS = 20;

describeOnPostgres('replicas that are killed', () => {
  let cluster: PostgresCluster;
  let replicas: [Replica, Replica];

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    const variables = { DATABASE_URL: cluster.url, ...STORM_VARIABLES };
    replicas = [await createReplica(variables), await createReplica(variables)];
    for (const replica of replicas) await replica.start();
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  it('R7: one replica after the other is killed under fifty clients, and nobody is signed out', async () => {
    const storm = await startStorm(replicas.map(({ url }) => url));
    let healedAfterMs = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await pause(500);
      const replica = replicas[kill % 2]!;
      await replica.kill();
      healedAfterMs = Math.max(healedAfterMs, (await storm.healed()).lastMs);
      await replica.start();
    }
    await storm.end();
    const ended = await cluster.query('SELECT revoked_reason FROM session WHERE revoked_at IS NOT NULL');
    printFigures('R7', {
      'replicas killed': KILLS,
      'calls made': storm.calls,
      refreshed: storm.refreshes,
      'to be tried again': storm.retries,
      'sessions lost': storm.lost.length,
      'sessions ended': ended.length,
      'last client healed after ms': healedAfterMs,
    });
    expect(storm.unexpected).toEqual([]);
    expect(storm.lost).toEqual([]);
    expect(ended).toEqual([]);
    expect(healedAfterMs).toBeLessThan(5000);
  });

  it('R7: a restarted replica serves nobody before it knows every live revocation', async () => {
    const [killed, other] = replicas;
    const { tokens } = await HonestClient.register([killed.url]);
    await killed.kill();
    await call(other.url, operation('logout'), { input: { refreshToken: tokens.refreshToken } });

    const admin = await cluster.connect();
    const [launched] = await cluster.query<{ at: string }>('SELECT now()::text AS at');
    await admin.query('BEGIN');
    await admin.query('LOCK TABLE revocation IN ACCESS EXCLUSIVE MODE');
    killed.launch({ LATCHKEY_DATABASE_TIMEOUT_MS: '5000' });
    const itWaits = `SELECT 1 FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE '%incarnation%' AND backend_start > $1::timestamptz`;
    const deadline = performance.now() + 20_000;
    while ((await cluster.query(itWaits, [launched!.at])).length === 0 && performance.now() < deadline) await pause(20);
    let readyTooSoon = 0;
    for (let look = 0; look < 10; look += 1) {
      if (await killed.isReady()) readyTooSoon += 1;
      if ((await call(killed.url, WHO_AM_I, {}, bearer(tokens.accessToken))).kind === 'answered') readyTooSoon += 1;
      await pause(20);
    }
    await admin.query('COMMIT');
    await admin.end();

    let first = await call(killed.url, WHO_AM_I, {}, bearer(tokens.accessToken));
    const begun = performance.now();
    while (first.kind === 'retry' && performance.now() - begun < 20_000) {
      await pause(5);
      first = await call(killed.url, WHO_AM_I, {}, bearer(tokens.accessToken));
    }
    printFigures('R7', { 'answers before the first full load': readyTooSoon, 'first answer': JSON.stringify(first) });
    expect(readyTooSoon).toBe(0);
    expect(first).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
  });
});
