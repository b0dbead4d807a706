import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { PASSWORD, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import type { Variables } from '../support/config.js';
import { describeOnPostgres } from '../support/database.js';
import { medianAndWorst, printFigures } from '../support/figures.js';
import { createFlood, tally } from '../support/flood.js';
import { freePort } from '../support/free-port.js';
import { WHAT_IS_MY_ADDRESS, WHO_AM_I } from '../support/honest-client.js';
import { inParallel } from '../support/in-parallel.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { readMetric } from '../support/prometheus.js';
import { createReplica } from '../support/replica.js';

/** The defaults: nothing of it is set. */
const ARGON2_MIB = 19;
const CONCURRENCY = 2;
const QUEUE = 64;
/** What two processes may differ by that do the same, but for the hashes. */
const OTHER_MIB = 50;
/** The cheapest hash that there is. */
const CHEAP_MIB = 7;
const CHEAP: Variables = { LATCHKEY_ARGON2_MEMORY_KIB: String(CHEAP_MIB * 1024), LATCHKEY_ARGON2_ITERATIONS: '1' };
const DEFAULT: Variables = { LATCHKEY_ARGON2_MEMORY_KIB: '', LATCHKEY_ARGON2_ITERATIONS: '' };
const ASKERS = 20;

const SLOW = { timeout: 300_000 };
const LOGIN = operation('login');

/** Makes the process write, as it ends, the most memory that it had beside the heap of JavaScript, which grows and shrinks as it likes. */
const PEAK = `
  let peak = 0;
  setInterval(() => {
    const { rss, heapTotal } = process.memoryUsage();
    peak = Math.max(peak, rss - heapTotal);
  }, 10).unref();
  process.on('exit', () => console.log(JSON.stringify({ level: 'info', msg: 'peak', bytes: peak })));`;
const REPORTING_PEAK = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(PEAK)}` };

describeOnPostgres('a flood of passwords', () => {
  let cluster: PostgresCluster;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
  });

  afterAll(async () => {
    await cluster.remove();
  });

  /** Sends so many logins at once to a server of their own, while others ask with their access tokens until all are answered. */
  const flooded = async (logins: number, hash: Variables) => {
    const metricsPort = String(await freePort());
    const replica = await createReplica(
      {
        DATABASE_URL: cluster.url,
        LATCHKEY_METRICS_PORT: metricsPort,
        LATCHKEY_TRUST_PROXY: '127.0.0.1',
        ...hash,
      },
      REPORTING_PEAK,
    );
    await replica.start();
    const flood = createFlood(2000);
    const { url } = replica;
    const email = `${randomUUID()}@example.com`;
    const { answer } = await flood.send<Tokens>(url, operation('register'), { input: { email, password: PASSWORD } });
    const authorization = bearer(answer!.accessToken);

    // So many at once that hash nothing: what they take is no part of what a hash takes.
    const warmUp = await inParallel(1000, 1000, () => flood.send(url, WHAT_IS_MY_ADDRESS, {}, authorization));

    const over = new AbortController();
    let mostWaiting = 0;
    const watching = (async () => {
      while (!over.signal.aborted) mostWaiting = Math.max(mostWaiting, await readMetric(metricsPort, 'latchkey_argon2_waiting'));
    })();
    const asked: { code: string; ms: number }[] = [];
    const asking = Array.from({ length: ASKERS }, async (_, i) => {
      do {
        const begun = performance.now();
        const { code } = await flood.send(url, i % 2 === 0 ? WHO_AM_I : WHAT_IS_MY_ADDRESS, {}, authorization);
        asked.push({ code, ms: performance.now() - begun });
      } while (!over.signal.aborted);
    });
    const replies = await inParallel(logins, logins, (i) =>
      flood.send(
        url,
        LOGIN,
        { input: { identifier: `someone${i}@example.com`, password: 'the password of someone' } },
        { 'x-forwarded-for': `198.18.${i >> 8}.${i & 0xff}` },
      ),
    );
    const answeredMeanwhile = asked.length;
    over.abort();
    await Promise.all([watching, ...asking]);

    const afterwards = await flood.send(url, LOGIN, { input: { identifier: email, password: PASSWORD } });
    const waiting = await readMetric(metricsPort, 'latchkey_argon2_waiting');
    flood.close();
    await replica.stop();
    const { bytes } = replica.log.find(({ msg }) => msg === 'peak') as unknown as { bytes: number };
    return { replies, warmUp, asked, answeredMeanwhile, mostWaiting, waiting, afterwards, peakMiB: bytes / 2 ** 20 };
  };

  it(
    'A3: is hashed two at a time, waits up to a limit, is told to come back beyond it, and keeps nobody else from being served',
    SLOW,
    async () => {
      const cheap = await flooded(1000, CHEAP);
      for (const logins of [200, 1000]) {
        const storm = await flooded(logins, DEFAULT);
        const codes = tally(storm.replies.map(({ code }) => code));
        const moreMiB = storm.peakMiB - cheap.peakMiB;
        const { median, worst } = medianAndWorst(storm.asked.map(({ ms }) => ms));
        printFigures('A3', {
          'logins at once': logins,
          hashed: codes['INVALID_CREDENTIALS'] ?? 0,
          'told to come back': codes['SERVICE_UNAVAILABLE'] ?? 0,
          'most that waited': storm.mostWaiting,
          'other calls answered meanwhile': storm.answeredMeanwhile,
          'after ms, median': median,
          worst,
          [`MiB more than with hashes of ${CHEAP_MIB}`]: moreMiB,
        });
        expect(Object.keys(codes).sort()).toEqual(['INVALID_CREDENTIALS', 'SERVICE_UNAVAILABLE']);
        for (const { code, error } of storm.replies) {
          if (code === 'SERVICE_UNAVAILABLE') expect(error!.extensions).toEqual({ code, retryable: true });
        }
        expect(storm.mostWaiting).toBeGreaterThan(0);
        expect(storm.mostWaiting).toBeLessThanOrEqual(QUEUE);
        expect(tally(storm.warmUp.map(({ code }) => code))).toEqual({ ok: 1000 });
        expect(tally(storm.asked.map(({ code }) => code))).toEqual({ ok: storm.asked.length });
        // Nobody waits for a hash to end: many are answered in the time of each.
        expect(storm.answeredMeanwhile).toBeGreaterThan(10 * (codes['INVALID_CREDENTIALS'] ?? 0));
        expect(moreMiB).toBeLessThanOrEqual(CONCURRENCY * (ARGON2_MIB - CHEAP_MIB) + OTHER_MIB);
        // And it is over when it is over.
        expect([storm.afterwards.code, storm.waiting]).toEqual(['ok', 0]);
      }
    },
  );
});
