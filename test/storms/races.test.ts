import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { TokenPair } from '../../src/sessions/token-pair.js';
import { openRefreshToken, sealRefreshToken } from '../../src/tokens/refresh-token.js';
import type { Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { createFlood, tally } from '../support/flood.js';
import { WHO_AM_I } from '../support/honest-client.js';
import { inParallel } from '../support/in-parallel.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { openSessionEngine, type SessionEngine } from '../support/session-engine.js';
import { ageSession, sessionState } from '../support/session-rows.js';

const AT_ONCE = 1000;
/** Within so long a revocation holds on every replica: a poll each second, and the time that a poll takes. */
const BOUND_MS = 1500;
const MANY_GENERATIONS = 1_000_000;
/** How many forged tokens are sent to so many processes: a hundred thousand in all. */
const FORGERIES: Record<number, number> = { 1: 10_000, 2: 10_000, 4: 80_000 };
const PREFIX = 'lkr1_';

/** The tokens alone: what a refresh costs is asked ten thousands of times here. */
const REFRESH = 'mutation Refresh($input: RefreshInput!) { refresh(input: $input) { accessToken refreshToken } }';
const LOGOUT = operation('logout');

/** Statements that look at accounts or sessions on behalf of a call; not those that a replica repeats by itself. */
const STATEMENTS = `
  SELECT coalesce(sum(calls), 0)::int AS count FROM pg_stat_statements
   WHERE query ~ '\\m(session|user_account|credential|throttle|audit_event)\\M'
     AND query !~ 'sighting|pg_try_advisory_xact_lock|pg_stat_statements'`;

type Refreshed = Pick<Tokens, 'accessToken' | 'refreshToken'>;

describeOnPostgres('calls that race over server processes', () => {
  const flood = createFlood(AT_ONCE);
  let cluster: PostgresCluster;
  let replicas: Replica[] = [];
  /** Makes users and sessions by the thousand: no password is hashed for them. */
  let engine: SessionEngine;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster(['shared_preload_libraries=pg_stat_statements']);
    await cluster.query('CREATE EXTENSION pg_stat_statements');
    // A thousand callers queue for the connections of one replica: how long that takes is not what these tests are about.
    const variables = { DATABASE_URL: cluster.url, LATCHKEY_DATABASE_TIMEOUT_MS: '60000' };
    replicas = await Promise.all(Array.from({ length: 4 }, () => createReplica(variables)));
    await Promise.all(replicas.map((replica) => replica.start()));
    engine = await openSessionEngine({ variables, url: cluster.url, drop: () => Promise.resolve() });
  });

  afterAll(async () => {
    flood.close();
    await engine.close();
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  const refresh = (url: string, refreshToken: string, attemptId: string | null = null) =>
    flood.send<Refreshed>(url, REFRESH, { input: { refreshToken, attemptId } });
  const logOut = (url: string, refreshToken: string) => flood.send<{ success: boolean }>(url, LOGOUT, { input: { refreshToken } });
  const who = (url: string, accessToken: string) => flood.send(url, WHO_AM_I, {}, bearer(accessToken));

  const count = async (sql: string, parameters: readonly unknown[] = []) =>
    (await cluster.query<{ count: number }>(sql, parameters))[0]!.count;
  const statements = () => count(STATEMENTS);
  const reuseEvents = (sessionId: string) =>
    count(`SELECT count(*)::int FROM audit_event WHERE session_id = $1 AND type = 'REFRESH_TOKEN_REUSED'`, [sessionId]);

  const signIn = async () => engine.signIn(await engine.newUser());
  const signInMany = (times: number, userId: string) => inParallel(times, 50, () => engine.signIn(userId));

  /** Whether an access token that was revoked is still good for anything when the bound has passed. */
  const isTooLong = async (url: string, { accessToken }: TokenPair): Promise<boolean> => {
    const deadline = performance.now() + BOUND_MS;
    for (;;) {
      const isTooLate = performance.now() > deadline;
      const { code } = await who(url, accessToken);
      if (code === 'SESSION_REVOKED') return false;
      if (isTooLate) return true;
    }
  };

  describe.each([1, 2, 4])('of %i', (processes) => {
    let urls: string[];
    beforeAll(() => {
      urls = replicas.slice(0, processes).map(({ url }) => url);
    });
    const at = (i: number) => urls[i % urls.length]!;

    it.each([
      ['with one attemptId', () => 'attempt'],
      ['with an attemptId each', (i: number) => `attempt ${i}`],
      ['without an attemptId', () => null],
    ])('R1: a thousand at once of one token %s are one rotation, one successor, and no reuse', async (name, attemptOf) => {
      const pair = await signIn();
      const { sessionId } = pair.grant;
      const replies = await inParallel(AT_ONCE, AT_ONCE, (i) => refresh(at(i), pair.refreshToken, attemptOf(i)));
      const answers = replies.flatMap(({ answer }) => answer ?? []);
      const successors = new Set(answers.map(({ refreshToken }) => refreshToken));
      const { generation, revokedReason } = await sessionState(cluster, sessionId);
      printFigures('R1', {
        processes,
        attempts: name,
        'calls made': replies.length,
        answered: answers.length,
        rotations: generation - 1,
        successors: successors.size,
        'taken for reuse': await reuseEvents(sessionId),
      });
      expect(tally(replies.map(({ code }) => code))).toEqual({ ok: AT_ONCE });
      expect([...successors]).not.toContain(pair.refreshToken);
      expect([successors.size, generation, revokedReason, await reuseEvents(sessionId)]).toEqual([1, 2, null, 0]);
      // The session lives, by what everyone was given.
      for (const url of urls) expect((await who(url, answers.at(-1)!.accessToken)).code).toBe('ok');
      await ageSession(cluster, sessionId, 60);
      expect((await refresh(at(0), answers[0]!.refreshToken)).code).toBe('ok');
      expect((await sessionState(cluster, sessionId)).generation).toBe(3);
    });

    it('R2: four immediate refreshes by each of a thousand clients, and one more with what they were given, are no theft', async () => {
      const clients = 1000;
      const userId = await engine.newUser();
      const pairs = await signInMany(clients, userId);
      const successors = await inParallel(clients, AT_ONCE / 4, async (client) => {
        const { refreshToken } = pairs[client]!;
        const replies = await Promise.all([0, 1, 2, 3].map((tab) => refresh(at(client + tab), refreshToken, `${client}/${tab}`)));
        const given = replies.map(({ answer, code }) => answer?.refreshToken ?? code);
        const { code } = await refresh(at(client), given[0]!, `${client}/later`);
        return { given: new Set(given).size, later: code };
      });
      const ended = await count('SELECT count(*)::int FROM session WHERE user_id = $1 AND revoked_at IS NOT NULL', [userId]);
      const confused = successors.filter(({ given }) => given !== 1);
      printFigures('R2', {
        processes,
        clients,
        'calls made': 5 * clients,
        'clients given more than one successor': confused.length,
        'sessions lost': ended,
      });
      expect(confused).toEqual([]);
      expect(tally(successors.map(({ later }) => later))).toEqual({ ok: clients });
      expect(ended).toBe(0);
    });

    it.each<[string, (pair: TokenPair) => Promise<Stolen>]>([
      ['the generation before, whose successor was seen', (pair) => moveOn(pair, 1)],
      ['two generations before', (pair) => moveOn(pair, 2)],
      ['the first of ten generations', (pair) => moveOn(pair, 9)],
      ['the first of a million generations', (pair) => pretend(pair, MANY_GENERATIONS)],
    ])('R3: %s, used again by a thousand at once, ends its session and no other, once; one costs two statements', async (name, steal) => {
      const userId = await engine.newUser();
      const [single, stormed, other] = [await engine.signIn(userId), await engine.signIn(userId), await engine.signIn(userId)];
      const { replayed } = await steal(single);
      const before = await statements();
      expect((await refresh(at(0), replayed)).code).toBe('INVALID_REFRESH_TOKEN');
      const cost = (await statements()) - before;
      // Committed: another connection sees it as soon as there is an answer.
      expect((await sessionState(cluster, single.grant.sessionId)).revokedReason).toBe('REFRESH_TOKEN_REUSED');

      const stolen = await steal(stormed);
      const replies = await inParallel(AT_ONCE, AT_ONCE, (i) => refresh(at(i), stolen.replayed, String(i)));
      const acceptedTooLong = await Promise.all(urls.flatMap((url) => [isTooLong(url, stormed), isTooLong(url, single)]));
      const events = await reuseEvents(stormed.grant.sessionId);
      printFigures('R3', {
        processes,
        replayed: name,
        'statements for one replay': cost,
        'replays at once': replies.length,
        'audit events': events,
        'tokens accepted after the bound': acceptedTooLong.filter(Boolean).length,
      });
      expect(tally(replies.map(({ code }) => code))).toEqual({ INVALID_REFRESH_TOKEN: AT_ONCE });
      expect([cost, events, await reuseEvents(single.grant.sessionId)]).toEqual([2, 1, 1]);
      expect((await sessionState(cluster, stormed.grant.sessionId)).revokedReason).toBe('REFRESH_TOKEN_REUSED');
      expect(acceptedTooLong).not.toContain(true);
      for (const url of urls) expect((await refresh(url, stolen.newest)).code).toBe('INVALID_REFRESH_TOKEN');
      // This session only.
      for (const url of urls) expect((await who(url, other.accessToken)).code).toBe('ok');
      expect((await refresh(at(0), other.refreshToken)).code).toBe('ok');
    });

    it('R4: ten thousand tokens of a live session with a tag that is wrong, and many more to four, cost no statement, and end nothing', async () => {
      const pair = await signIn();
      const genuine = Buffer.from(pair.refreshToken.slice(PREFIX.length), 'base64url');
      const forge = (i: number) => {
        const bytes = Buffer.from(genuine);
        // Never the same twice.
        bytes.writeUInt32BE((bytes.readUInt32BE(bytes.length - 4) ^ (i + 1)) >>> 0, bytes.length - 4);
        return PREFIX + bytes.toString('base64url');
      };
      const before = await statements();
      const begun = performance.now();
      const codes = await inParallel(FORGERIES[processes]!, AT_ONCE, async (i) => (await refresh(at(i), forge(i))).code);
      const seconds = (performance.now() - begun) / 1000;
      const cost = (await statements()) - before;
      const { revokedReason } = await sessionState(cluster, pair.grant.sessionId);
      printFigures('R4', {
        processes,
        'calls made': codes.length,
        'a second': Math.round(codes.length / seconds),
        statements: cost,
        'sessions lost': revokedReason === null ? 0 : 1,
      });
      expect(tally(codes)).toEqual({ INVALID_REFRESH_TOKEN: codes.length });
      expect([cost, revokedReason]).toEqual([0, null]);
      // What is counted counts: the genuine one is seen.
      expect((await refresh(at(0), pair.refreshToken)).code).toBe('ok');
      expect(await statements()).toBeGreaterThan(before);
    });

    it('R8: after a logout that raced a refresh has returned, no token of the session works, anywhere', async () => {
      const rounds = 1000;
      const userId = await engine.newUser();
      const pairs = await signInMany(rounds, userId);
      const successors = await inParallel(rounds, AT_ONCE / 2, async (round) => {
        const { refreshToken } = pairs[round]!;
        // The logout sets off first, by some rounds more and by others less; at another replica, where there is one.
        const leaving = logOut(at(round + 1), refreshToken);
        await pause(round % 8);
        const [left, { answer, code }] = await Promise.all([leaving, refresh(at(round), refreshToken, String(round))]);
        expect(left.answer).toEqual({ success: true });
        expect(['ok', 'INVALID_REFRESH_TOKEN']).toContain(code);
        // For a refresh token there is no bound to wait for.
        if (answer !== undefined) expect((await refresh(at(round + 2), answer.refreshToken)).code).toBe('INVALID_REFRESH_TOKEN');
        return answer;
      });
      await pause(BOUND_MS);
      const issued = successors.filter((answer) => answer !== undefined);
      const tries = [...pairs, ...issued].flatMap(({ accessToken, refreshToken }, i) => [
        () => refresh(at(i), refreshToken),
        ...urls.map((url) => () => who(url, accessToken)),
      ]);
      const codes = await inParallel(tries.length, AT_ONCE, async (i) => (await tries[i]!()).code);
      const alive = await count('SELECT count(*)::int FROM session WHERE user_id = $1 AND revoked_at IS NULL', [userId]);
      printFigures('R8', {
        processes,
        rounds,
        'calls made': 2 * rounds + issued.length + tries.length,
        'refreshed before the logout': issued.length,
        'tokens accepted after the bound': codes.filter((code) => code === 'ok').length,
        'live successors': alive,
      });
      expect(Object.keys(tally(codes)).sort()).toEqual(['INVALID_REFRESH_TOKEN', 'SESSION_REVOKED']);
      expect(alive).toBe(0);
      // Both orders were met, or it would not have been a race.
      expect(issued.length).toBeGreaterThan(0);
      expect(issued.length).toBeLessThan(rounds);
    });
  });

  interface Stolen {
    /** What the thief, or the one robbed, presents. */
    replayed: string;
    newest: string;
  }

  /** The holder refreshes so many times, uses what it gets each time, and lets more time pass than the grace. */
  async function moveOn(pair: TokenPair, times: number): Promise<Stolen> {
    let newest = pair;
    for (let i = 0; i < times; i += 1) {
      newest = await engine.refresh(newest);
      await engine.use(newest);
      await ageSession(cluster, pair.grant.sessionId, 60);
    }
    return { replayed: pair.refreshToken, newest: newest.refreshToken };
  }

  /** Writes a generation into the session's row, as if it had been refreshed so often. */
  async function pretend(pair: TokenPair, generation: number): Promise<Stolen> {
    const { sessionId } = pair.grant;
    const token = openRefreshToken(engine.secrets, pair.refreshToken)!;
    await cluster.query('UPDATE session SET generation = $2, seen_generation = $2 WHERE id = $1', [sessionId, generation]);
    return { replayed: pair.refreshToken, newest: sealRefreshToken({ ...token, generation }) };
  }
});
