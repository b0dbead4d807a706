import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHAT_IS_MY_ADDRESS, WHO_AM_I, type Outcome } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';

/** An older feed is not believed: the row is asked, which cannot be had. */
const STALE_AFTER_MS = 10_000;
/** Within so long a revocation holds on every replica that reaches the database; and two seconds more on one that has just got it back. */
const BOUND_MS = 1000;
const BOUND_AFTER_HEALING_MS = BOUND_MS + 2000;
const HEALS_WITHIN_MS = 5000;
/** What passes between a moment here and the same moment there, on a loaded machine. */
const SLACK_MS = 500;

interface Probe {
  begunAt: number;
  endedAt: number;
  outcome: Outcome<unknown>;
}

describeOnPostgres('a replica that loses its database to a network that tells nobody', () => {
  let cluster: PostgresCluster;
  let proxy: FaultProxy;
  let near: Replica;
  let cutOff: Replica;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port });
    const url = new URL(cluster.url);
    url.port = String(proxy.port);
    near = await createReplica({ DATABASE_URL: cluster.url });
    cutOff = await createReplica({ DATABASE_URL: url.href });
    await near.start();
    await cutOff.start();
  });

  afterAll(async () => {
    await near.kill();
    await cutOff.kill();
    await proxy.close();
    await cluster.remove();
  });

  /** Asks again and again, without waiting for answers, what a token is worth at the replica that is cut off. */
  const probe = (document: string, accessToken: string) => {
    const probes: Promise<Probe>[] = [];
    const timer = setInterval(() => {
      const begunAt = performance.now();
      probes.push(
        call(cutOff.url, document, {}, bearer(accessToken)).then((outcome) => ({ begunAt, endedAt: performance.now(), outcome })),
      );
    }, 100);
    return async (): Promise<Probe[]> => {
      clearInterval(timer);
      return Promise.all(probes);
    };
  };

  it.each([
    ['both ways for 4 s', () => proxy.stall(), 4000],
    ['both ways for 15 s', () => proxy.stall(), 15_000],
    ['one way for 15 s', () => proxy.loseReplies(), 15_000],
  ])(
    'R9: a network that loses everything %s makes nobody sign in again, and what was revoked meanwhile soon holds',
    async (name, cut, cutMs) => {
      const [staying, leaving] = await Promise.all([HonestClient.register([cutOff.url]), HonestClient.register([cutOff.url])]);
      for (const client of [staying, leaving]) await client.use(WHAT_IS_MY_ADDRESS);
      const endProbing = probe(WHO_AM_I, staying.tokens.accessToken);
      const endProbingRevoked = probe(WHO_AM_I, leaving.tokens.accessToken);

      const cutAt = performance.now();
      cut();
      await pause(cutMs / 2);
      const { refreshToken } = leaving.tokens;
      await callUntilAnswered(() => call(near.url, operation('logout'), { input: { refreshToken } }));
      await pause(cutMs / 2 - (performance.now() - cutAt - cutMs / 2));
      const healedAt = performance.now();
      proxy.heal();

      await callUntilAnswered(() => call(cutOff.url, WHAT_IS_MY_ADDRESS, {}, bearer(staying.tokens.accessToken)));
      await staying.refresh();
      const healedAfterMs = performance.now() - healedAt;
      await pause(Math.max(0, BOUND_AFTER_HEALING_MS + 1000 - healedAfterMs));

      const probes = await endProbing();
      const probesOfRevoked = await endProbingRevoked();
      const count = (kind: Outcome<unknown>['kind'], of: readonly Probe[]) => of.filter(({ outcome }) => outcome.kind === kind).length;
      const inTheCut = probes.filter(({ begunAt }) => begunAt > cutAt && begunAt < healedAt);
      const fromMemory = inTheCut.filter(({ outcome, endedAt }) => outcome.kind === 'answered' && endedAt < healedAt);
      const fromMemoryTooLate = fromMemory.filter(({ begunAt }) => begunAt > cutAt + STALE_AFTER_MS + SLACK_MS);
      // The last poll before the cut may be a poll's interval old.
      const turnedAwayTooSoon = inTheCut.filter(
        ({ begunAt, outcome }) => outcome.kind === 'retry' && begunAt < cutAt + STALE_AFTER_MS - BOUND_MS - SLACK_MS,
      );
      const acceptedAfterBound = probesOfRevoked.filter(
        ({ begunAt, outcome }) => outcome.kind === 'answered' && begunAt > healedAt + BOUND_AFTER_HEALING_MS,
      );
      const accepted = probesOfRevoked.filter(({ begunAt, outcome }) => outcome.kind === 'answered' && begunAt > healedAt);
      printFigures('R9', {
        cut: name,
        'calls made': probes.length + probesOfRevoked.length,
        'served from memory': fromMemory.length,
        'answered "try again"': count('retry', inTheCut),
        'sessions lost': count('refused', probes),
        'healed after ms': healedAfterMs,
        'revoked token last accepted ms after healing': Math.max(0, ...accepted.map(({ begunAt }) => begunAt - healedAt)),
        'accepted after the bound': acceptedAfterBound.length,
      });

      expect(probes.filter(({ outcome }) => outcome.kind === 'refused' || outcome.kind === 'unexpected')).toEqual([]);
      expect(probesOfRevoked.filter(({ outcome }) => outcome.kind === 'unexpected')).toEqual([]);
      expect(staying.lost).toBeUndefined();
      expect(turnedAwayTooSoon).toEqual([]);
      expect(fromMemoryTooLate).toEqual([]);
      expect(acceptedAfterBound).toEqual([]);
      expect(probesOfRevoked.at(-1)!.outcome).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
      expect(healedAfterMs).toBeLessThan(HEALS_WITHIN_MS);
    },
  );
});
