import { afterAll, beforeAll, expect, it } from 'vitest';

import { PASSWORD, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { createFlood, tally, type FloodReply } from '../support/flood.js';
import { freePort } from '../support/free-port.js';
import { WHO_AM_I } from '../support/honest-client.js';
import { inParallel } from '../support/in-parallel.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { readMetric } from '../support/prometheus.js';
import { createReplica, type Replica } from '../support/replica.js';

const GUESSES = 10_000;
const AT_ONCE = 60;
/** What one account may cost in a quarter of an hour, which neither test takes. */
const HASHES_PER_ACCOUNT = 10;
const ACCOUNTS = 1000;
/** They are in every other pair, fifty times each: far more often than may cost anything. */
const OFTEN_TRIED = 100;
const ADDRESSES = 500;
/** Ten thousand calls take a minute or two. */
const SLOW = { timeout: 300_000 };
const HOME = '203.0.113.7';
const LOGIN = operation('login');
const REFRESH = operation('refresh');

describeOnPostgres('stolen passwords, tried by the ten thousand at two processes', () => {
  const flood = createFlood(AT_ONCE);
  const replicas: Replica[] = [];
  const metricsPorts: string[] = [];
  let cluster: PostgresCluster;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    for (let i = 0; i < 2; i += 1) {
      const metricsPort = String(await freePort());
      const replica = await createReplica({
        DATABASE_URL: cluster.url,
        LATCHKEY_METRICS_PORT: metricsPort,
        // The test is the proxy.
        LATCHKEY_TRUST_PROXY: '127.0.0.1',
        // As it comes.
        LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: '',
      });
      await replica.start();
      replicas.push(replica);
      metricsPorts.push(metricsPort);
    }
  });

  afterAll(async () => {
    flood.close();
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  const at = (i: number) => replicas[i % replicas.length]!.url;
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const logIn = (i: number, identifier: string, password: string, address: string) =>
    flood.send<Tokens>(at(i), LOGIN, { input: { identifier, password } }, from(address));
  const register = async (email: string): Promise<Tokens> => {
    const { answer, code } = await flood.send<Tokens>(at(0), operation('register'), { input: { email, password: PASSWORD } }, from(HOME));
    if (answer === undefined) throw new Error(`register: ${code}`);
    return answer;
  };

  /** Passwords that were hashed to be compared, at all replicas. */
  const hashes = async () => {
    const counts = metricsPorts.flatMap((port) =>
      ['succeeded', 'failed'].map((outcome) => readMetric(port, 'latchkey_logins_total', `outcome="${outcome}"`)),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };

  /** The wrong passwords that were compared for the account that cost most, by the audit trail; and of how many accounts any were. */
  const worstAccount = async () => {
    const [row] = await cluster.query<{ worst: number; accounts: number }>(
      `SELECT max(n)::int AS worst, count(*)::int AS accounts
         FROM (SELECT count(*) AS n FROM audit_event
               WHERE type = 'SIGN_IN_FAILED' AND reason = 'WRONG_PASSWORD' GROUP BY user_id) AS t`,
    );
    return row!;
  };

  /** Whom a guess is at, and how many there were at them before. */
  const turnOf = (guess: number) => {
    const turn = Math.floor(guess / 2);
    const seldomTried = ACCOUNTS - OFTEN_TRIED;
    return guess % 2 === 0
      ? { account: turn % OFTEN_TRIED, list: Math.floor(turn / OFTEN_TRIED) }
      : { account: OFTEN_TRIED + (turn % seldomTried), list: Math.floor(turn / seldomTried) };
  };

  /** Refused for the password or for the rate, and told when to come back. */
  const judge = (replies: readonly FloodReply<Tokens>[]) => {
    const limited = replies.flatMap(({ error }) => (error?.extensions.code === 'RATE_LIMITED' ? [error.extensions] : []));
    for (const { retryable, retryAfterSeconds } of limited) {
      expect(retryable).toBe(true);
      expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(retryAfterSeconds).toBeLessThanOrEqual(3600);
    }
    const codes = tally(replies.map(({ code }) => code));
    expect(Object.keys(codes).sort()).toEqual(['INVALID_CREDENTIALS', 'RATE_LIMITED']);
    return codes;
  };

  it('A1: ten thousand pairs over a thousand accounts from five hundred addresses cost each account ten hashes at most', SLOW, async () => {
    const { user } = await register('someone@example.com');
    const sessions = await Promise.all([1, 2, 3].map((n) => register(`live${n}@example.com`)));
    await cluster.query(
      `WITH made AS (
         INSERT INTO user_account (id, email, email_key)
         SELECT gen_random_uuid(), e, e FROM (SELECT 'stolen' || n || '@example.com' AS e FROM generate_series(1, $2) AS n) AS emails RETURNING id
       )
       INSERT INTO credential (user_id, password_hash) SELECT made.id, c.password_hash FROM made, credential c WHERE c.user_id = $1`,
      [user.id, ACCOUNTS - sessions.length],
    );
    const stolen = Array.from({ length: ACCOUNTS - sessions.length }, (_, n) => `stolen${n + 1}@example.com`);
    const emails = [...sessions.map((tokens) => tokens.user.email), ...stolen];

    const before = await hashes();
    const begun = performance.now();
    const replies = await inParallel(GUESSES, AT_ONCE, (i) => {
      const { account, list } = turnOf(i);
      const address = (i + 37 * Math.floor(i / ADDRESSES)) % ADDRESSES;
      return logIn(i, emails[account]!, `the password of list ${list}`, `198.18.${address >> 8}.${address & 0xff}`);
    });
    const seconds = (performance.now() - begun) / 1000;
    const codes = judge(replies);
    const cost = (await hashes()) - before;
    const { worst, accounts: tried } = await worstAccount();
    const alive = await Promise.all(
      sessions.map(async ({ accessToken, refreshToken }, i) => [
        (await flood.send(at(i), WHO_AM_I, {}, bearer(accessToken))).code,
        (await flood.send(at(i), REFRESH, { input: { refreshToken } })).code,
      ]),
    );
    printFigures('A1', {
      'calls made': replies.length,
      accounts: tried,
      hashes: cost,
      'most for one account': worst,
      'rate limited': codes['RATE_LIMITED'] ?? 0,
      'sessions lost': alive.flat().filter((code) => code !== 'ok').length,
      seconds,
    });
    expect(cost).toBe(codes['INVALID_CREDENTIALS']);
    expect(tried).toBe(ACCOUNTS);
    expect(worst).toBeLessThanOrEqual(HASHES_PER_ACCOUNT);
    expect(alive.flat()).toEqual(alive.flat().map(() => 'ok'));
    // Nobody else has been shut out.
    expect((await logIn(0, 'someone@example.com', PASSWORD, '192.0.2.1')).code).toBe('ok');
  });

  it(
    'A1: ten thousand guesses at one account from a thousand addresses are ten hashes at most, and do not lock its owner out',
    SLOW,
    async () => {
      const email = 'victim@example.com';
      const { user, refreshToken } = await register(email);
      const before = await hashes();
      const begun = performance.now();
      const replies = await inParallel(GUESSES, AT_ONCE, (i) => {
        const address = i % 1000;
        return logIn(i, email, `the password of guess ${i}`, `198.19.${address >> 8}.${address & 0xff}`);
      });
      const seconds = (performance.now() - begun) / 1000;
      const codes = judge(replies);
      const cost = (await hashes()) - before;
      const refreshed = await flood.send<Tokens>(at(0), REFRESH, { input: { refreshToken } }, from(HOME));
      printFigures('A1', {
        'calls made': replies.length,
        accounts: 1,
        hashes: cost,
        'rate limited': codes['RATE_LIMITED'] ?? 0,
        'sessions lost': refreshed.code === 'ok' ? 0 : 1,
        seconds,
      });
      expect(cost).toBe(codes['INVALID_CREDENTIALS']);
      expect(cost).toBeLessThanOrEqual(HASHES_PER_ACCOUNT);
      expect(refreshed.code).toBe('ok');

      // The strangers have gone on for weeks, and every server has been restarted.
      await cluster.query(`UPDATE throttle SET failures = 100, blocked_until = 'infinity' WHERE key = $1`, [`account:${user.id}`]);
      for (const replica of replicas) {
        await replica.stop();
        await replica.start();
      }
      const afterRestart = await hashes();
      for (const [i, password] of [PASSWORD, 'the password of guess 0', PASSWORD].entries()) {
        const { error } = await logIn(i, email, password, `192.0.2.${i + 10}`);
        expect(error?.extensions).toEqual({ code: 'RATE_LIMITED', retryable: true, retryAfterSeconds: 3600 });
      }
      expect(await hashes()).toBe(afterRestart);
      // On the device that has a session the right password is enough, and ends what the strangers have done.
      expect((await logIn(0, email, PASSWORD, HOME)).code).toBe('ok');
      expect((await logIn(1, email, PASSWORD, '192.0.2.20')).code).toBe('ok');
    },
  );
});
