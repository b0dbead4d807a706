import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { startStorm, STORM_VARIABLES } from '../support/storm.js';

const KILLS = 20;
/** A server that waits for a table for two seconds gives up, and ends: it is looked at for half of that. */
const LOOKED_AT_MS = 1000;
const STARTS = 5;

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
    const { refreshToken } = tokens;
    const loggedOut = await callUntilAnswered(() => call(other.url, operation('logout'), { input: { refreshToken } }));
    expect(loggedOut.kind).toBe('answered');
    // Whoever waits for the revocations from now on is the one that starts.
    await other.stop();

    const who = () => call(killed.url, WHO_AM_I, {}, bearer(tokens.accessToken));
    const onlooker = await cluster.connect();
    const waits = async () => {
      const { rowCount } = await onlooker.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'latchkey' AND wait_event_type = 'Lock' AND query LIKE '%FROM revocation%'`,
      );
      return rowCount !== 0;
    };
    const until = async (isSo: () => Promise<boolean>) => {
      const deadline = performance.now() + 20_000;
      while (!(await isSo()) && performance.now() < deadline) await pause(5);
    };

    let looks = 0;
    let servedTooSoon = 0;
    /** Starts it while the revocations cannot be read, and looks at it; tells what it waited for, and what it answered first. */
    const startBehindALock = async () => {
      const admin = await cluster.connect();
      await admin.query('BEGIN');
      await admin.query('LOCK TABLE revocation IN ACCESS EXCLUSIVE MODE');
      killed.launch({ LATCHKEY_DATABASE_TIMEOUT_MS: '5000' });
      await until(waits);
      const seenAt = performance.now();
      do {
        if (await killed.isReady()) servedTooSoon += 1;
        if ((await who()).kind !== 'retry') servedTooSoon += 1;
        looks += 1;
        await pause(20);
      } while (performance.now() - seenAt < LOOKED_AT_MS);
      const hasWaited = await waits();
      await admin.query('COMMIT');
      await admin.end();
      let first = await who();
      if (hasWaited) {
        await until(async () => {
          first = await who();
          return first.kind !== 'retry';
        });
      }
      return { hasWaited, first };
    };

    let start = await startBehindALock();
    // A machine that was busy for a second too long has seen it give up.
    for (let starts = 1; starts < STARTS && start.first.kind === 'retry'; starts += 1) {
      await killed.kill();
      start = await startBehindALock();
    }
    await onlooker.end();
    printFigures('R7', {
      'looks before the first full load': looks,
      'answers to them': servedTooSoon,
      'first answer': JSON.stringify(start.first),
    });
    expect(start.hasWaited).toBe(true);
    expect(servedTooSoon).toBe(0);
    expect(start.first).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
  });
});
