import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { medianAndWorst, printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';

/** "Within about a second": a poll each second, and the time that a poll takes. */
const BOUND_MS = 1500;

describeOnPostgres('two processes with nothing but a database between them', () => {
  let cluster: PostgresCluster;
  let here: Replica;
  let there: Replica;

  beforeAll(async () => {
    await build();
    // The smallest queue of notifications that PostgreSQL has, so that it can be filled.
    cluster = await startPostgresCluster(['max_notify_queue_pages=64']);
    here = await createReplica({ DATABASE_URL: cluster.url });
    there = await createReplica({ DATABASE_URL: cluster.url });
    await here.start();
    await there.start();
  });

  afterAll(async () => {
    await here.kill();
    await there.kill();
    await cluster.remove();
  });

  const signIn = async (count: number) => {
    const clients = [];
    for (let made = 0; made < count; made += 1) clients.push(await HonestClient.register([here.url]));
    for (const { tokens } of clients) expect((await callUntilAnswered(() => ask(tokens.accessToken))).kind).toBe('answered');
    return clients;
  };
  const ask = (accessToken: string) => call(there.url, WHO_AM_I, {}, bearer(accessToken));
  const logOut = async ({ tokens: { refreshToken } }: HonestClient) => {
    const outcome = await callUntilAnswered(() => call(here.url, operation('logout'), { input: { refreshToken } }));
    expect(outcome).toEqual({ kind: 'answered', answer: { success: true } });
  };

  /** Asks until the token is refused: how long that took from now, and how many calls that were begun after the bound were answered. */
  const untilRefused = async ({ tokens }: HonestClient, code = 'SESSION_REVOKED') => {
    const revokedAt = performance.now();
    let acceptedAfterBound = 0;
    let calls = 0;
    for (;;) {
      const begunAfterMs = performance.now() - revokedAt;
      const outcome = await ask(tokens.accessToken);
      calls += 1;
      if (outcome.kind === 'refused' || outcome.kind === 'unexpected') {
        expect(outcome).toEqual({ kind: 'refused', code });
        return { afterMs: performance.now() - revokedAt, acceptedAfterBound, calls };
      }
      if (begunAfterMs > BOUND_MS && outcome.kind === 'answered') acceptedAfterBound += 1;
      if (begunAfterMs > 10 * BOUND_MS) throw new Error('The revocation is never seen.');
      await pause(1);
    }
  };

  const endAndMeasure = async (clients: readonly HonestClient[], end: (client: HonestClient) => Promise<void>, code: string) => {
    const results = [];
    for (const client of clients) {
      await end(client);
      results.push(await untilRefused(client, code));
    }
    return results;
  };
  const logOutAndMeasure = (clients: readonly HonestClient[]) => endAndMeasure(clients, logOut, 'SESSION_REVOKED');

  const report = (id: string, what: string, results: Awaited<ReturnType<typeof logOutAndMeasure>>) => {
    const { median, worst } = medianAndWorst(results.map(({ afterMs }) => afterMs));
    const acceptedAfterBound = results.reduce((sum, result) => sum + result.acceptedAfterBound, 0);
    printFigures(id, {
      [what]: results.length,
      'calls made': results.reduce((sum, result) => sum + result.calls, 0),
      'refused by the other after ms, median': median,
      worst,
      'accepted after the bound': acceptedAfterBound,
    });
    // The worst is no promise: a call may be begun before the bound, and refused after it.
    expect(acceptedAfterBound).toBe(0);
  };

  it('S1: a logout on one is known to the other within the bound, two hundred times', async () => {
    report('S1', 'logouts', await logOutAndMeasure(await signIn(200)));
  });

  it.each<[string, (userId: string) => Record<string, unknown>]>([
    ['set-user-roles', (userId) => ({ userId, roles: ['user', 'admin'] })],
    ['set-user-disabled', (userId) => ({ userId, disabled: true })],
  ])('S6, S7: what an administrator changes on one is known to the other within the bound: %s', async (name, inputOf) => {
    const [admin, ...clients] = await signIn(21);
    await cluster.query(`INSERT INTO user_role (user_id, role) VALUES ($1, 'admin')`, [admin!.tokens.user.id]);
    await admin!.refresh();
    const change = async ({ tokens }: HonestClient) => {
      const authorization = bearer(admin!.tokens.accessToken);
      const outcome = await callUntilAnswered(() => call(here.url, operation(name), { input: inputOf(tokens.user.id) }, authorization));
      expect(outcome.kind).toBe('answered');
    };
    report(name, 'changes', await endAndMeasure(clients, change, 'TOKEN_STALE'));
  });

  it('R10: a revocation that commits after a later one was polled is seen', async () => {
    const results = [];
    for (let round = 0; round < 10; round += 1) {
      const [early, ...later] = await signIn(3);
      const admin = await cluster.connect();
      await admin.query('BEGIN');
      await admin.query(`INSERT INTO revocation (kind, key, expires_at) VALUES ('session', $1, now() + interval '15 minutes')`, [
        early!.tokens.session.id,
      ]);
      // Each of them is polled: the cursor has had every reason to move on.
      await logOutAndMeasure(later);
      expect((await callUntilAnswered(() => ask(early!.tokens.accessToken))).kind).toBe('answered');
      await admin.query('COMMIT');
      results.push(await untilRefused(early!));
      await admin.end();
    }
    report('R10', 'transactions overtaken', results);
  });

  it('R11: with a full queue of notifications a logout succeeds all the same, and holds there at the next poll', async () => {
    const clients = await signIn(20);
    const sleeper = await cluster.connect();
    await sleeper.query('LISTEN anything');
    await sleeper.query('BEGIN');
    await sleeper.query('SELECT 1');
    const filler = await cluster.connect();
    const fill = async () => {
      for (;;) await filler.query(`SELECT pg_notify('anything', repeat('x', 7900))`);
    };
    await expect(fill()).rejects.toThrow(/too many notifications/);
    report('R11', 'logouts with a full queue', await logOutAndMeasure(clients));
    expect(here.log.map(({ msg }) => msg)).toContain('other replicas could not be notified: they will see it at their next poll');
    await sleeper.end();
    await filler.end();
  });

  it('R11: without a listener, because its connection is terminated again and again, a logout holds there at the next poll', async () => {
    const clients = await signIn(20);
    const admin = await cluster.connect();
    let terminated = 0;
    let isOver = false;
    const terminate = async () => {
      while (!isOver) {
        const { rowCount } = await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'latchkey' AND (query LIKE 'LISTEN%' OR query = 'SELECT 1') AND state = 'idle'`,
        );
        terminated += rowCount ?? 0;
        await pause(50);
      }
    };
    const terminating = terminate();
    const results = await logOutAndMeasure(clients);
    isOver = true;
    await terminating;
    await admin.end();
    printFigures('R11', { 'listeners terminated': terminated });
    report('R11', 'logouts without a listener', results);
    expect(terminated).toBeGreaterThan(4);
  });
});
