import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { freePort } from '../support/free-port.js';
import { call, callUntilAnswered, HonestClient, WHAT_IS_MY_ADDRESS, WHO_AM_I, type Outcome } from '../support/honest-client.js';
import { createNetwork, type Loss, type Network } from '../support/network.js';
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

const CUTS: readonly { what: Loss; seconds: number }[] = [
  { what: 'everything', seconds: 4 },
  { what: 'replies', seconds: 15 },
  { what: 'everything', seconds: 60 },
];

interface Probe {
  begunAt: number;
  endedAt: number;
  outcome: Outcome<unknown>;
}

describeOnPostgres('a replica that loses its database to a network that tells nobody', () => {
  let cluster: PostgresCluster;
  let networks: Network[] = [];
  let near: Replica;
  /** One for each cut: the tests run at the same time. */
  let replicas: Replica[] = [];
  let metricsPorts: number[] = [];

  beforeAll(async () => {
    await build();
    networks = await Promise.all(CUTS.map((_cut, number) => createNetwork(number)));
    const addresses = networks.flatMap(({ databaseAddress }) => databaseAddress ?? []);
    cluster = await startPostgresCluster([`listen_addresses=${['127.0.0.1', ...addresses].join(',')}`]);
    near = await createReplica({ DATABASE_URL: cluster.url });
    metricsPorts = await Promise.all(CUTS.map(() => freePort()));
    replicas = await Promise.all(
      networks.map(async (network, number) => {
        const url = new URL(cluster.url);
        const { host, port } = await network.connectTo(cluster.port);
        url.host = `${host}:${port}`;
        const variables = { DATABASE_URL: url.href, HOST: network.replicaAddress, LATCHKEY_METRICS_PORT: String(metricsPorts[number]) };
        return createReplica(variables, {}, network.command);
      }),
    );
    await near.start();
    for (const replica of replicas) await replica.start();
  });

  afterAll(async () => {
    for (const replica of [near, ...replicas]) await replica.kill();
    for (const network of networks) await network.close();
    await cluster.remove();
  });

  /** Asks again and again, without waiting for answers, what a token is worth at the replica that is cut off. */
  const probe = (cutOff: Replica, document: string, accessToken: string) => {
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

  /** When its last answered poll was begun, by its own account: not sooner than this. */
  const lastPollAt = async (replica: Replica, metricsPort: number) => {
    const askedAt = performance.now();
    const url = new URL('/metrics', replica.url);
    url.port = String(metricsPort);
    const text = await (await fetch(url)).text();
    const [, seconds] = /^latchkey_revocation_feed_age_seconds (\S+)$/m.exec(text) ?? [];
    expect(Number(seconds)).toBeLessThan(STALE_AFTER_MS / 1000);
    return askedAt - Number(seconds) * 1000;
  };

  it.concurrent.each(CUTS)(
    'R9: a network that loses $what for $seconds s makes nobody sign in again, and what was revoked meanwhile soon holds',
    async (cut) => {
      const number = CUTS.indexOf(cut);
      const network = networks[number]!;
      const cutOff = replicas[number]!;
      const cutMs = cut.seconds * 1000;
      const [staying, leaving] = await Promise.all([HonestClient.register([cutOff.url]), HonestClient.register([cutOff.url])]);
      for (const client of [staying, leaving]) await client.use(WHAT_IS_MY_ADDRESS);
      const endProbing = probe(cutOff, WHO_AM_I, staying.tokens.accessToken);
      const endProbingRevoked = probe(cutOff, WHO_AM_I, leaving.tokens.accessToken);

      const freshAt = await lastPollAt(cutOff, metricsPorts[number]!);
      const cutAt = performance.now();
      network.lose(cut.what);
      const cutDoneAt = performance.now();
      await pause(cutMs / 2);
      const { refreshToken } = leaving.tokens;
      await callUntilAnswered(() => call(near.url, operation('logout'), { input: { refreshToken } }));
      await pause(cutMs / 2 - (performance.now() - cutAt - cutMs / 2));
      const healedAt = performance.now();
      network.heal();

      await callUntilAnswered(() => call(cutOff.url, WHAT_IS_MY_ADDRESS, {}, bearer(staying.tokens.accessToken)));
      await staying.refresh();
      const healedAfterMs = performance.now() - healedAt;
      await pause(Math.max(0, BOUND_AFTER_HEALING_MS + 1000 - healedAfterMs));

      const probes = await endProbing();
      const probesOfRevoked = await endProbingRevoked();
      const count = (kind: Outcome<unknown>['kind'], of: readonly Probe[]) => of.filter(({ outcome }) => outcome.kind === kind).length;
      const inTheCut = probes.filter(({ begunAt }) => begunAt > cutAt && begunAt < healedAt);
      const fromMemory = inTheCut.filter(({ outcome, endedAt }) => outcome.kind === 'answered' && endedAt < healedAt);
      const fromMemoryTooLate = fromMemory.filter(({ begunAt }) => begunAt > cutDoneAt + STALE_AFTER_MS + SLACK_MS);
      // It may have been judged as late after it was sent as those that were judged from memory were answered.
      const lagMs = Math.max(SLACK_MS, ...fromMemory.map(({ begunAt, endedAt }) => endedAt - begunAt));
      const turnedAwayTooSoon = inTheCut.filter(
        ({ begunAt, outcome }) => outcome.kind === 'retry' && begunAt < freshAt + STALE_AFTER_MS - lagMs,
      );
      const acceptedAfterBound = probesOfRevoked.filter(
        ({ begunAt, outcome }) => outcome.kind === 'answered' && begunAt > healedAt + BOUND_AFTER_HEALING_MS,
      );
      const accepted = probesOfRevoked.filter(({ begunAt, outcome }) => outcome.kind === 'answered' && begunAt > healedAt);
      printFigures('R9', {
        lost: cut.what,
        by: network.how,
        'for s': cut.seconds,
        'calls made': probes.length + probesOfRevoked.length,
        'served from memory': fromMemory.length,
        'slowest of them ms': Math.max(0, ...fromMemory.map(({ begunAt, endedAt }) => endedAt - begunAt)),
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
      // Once the feed is stale there is a word for it, and it is not silence.
      const told = inTheCut.filter(({ outcome }) => outcome.kind === 'retry' && outcome.why === 'SERVICE_UNAVAILABLE');
      if (cutMs > STALE_AFTER_MS + SLACK_MS) expect(told.length).toBeGreaterThan(0);
      expect(count('retry', inTheCut) - told.length).toBeLessThanOrEqual(0.1 * inTheCut.length);
      expect(acceptedAfterBound).toEqual([]);
      expect(probesOfRevoked.at(-1)!.outcome).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
      expect(healedAfterMs).toBeLessThan(HEALS_WITHIN_MS);
    },
  );
});
