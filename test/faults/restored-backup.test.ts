import { setInterval as every, setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { PASSWORD, type Tokens } from '../support/calls.js';
import { latchkey } from '../support/command.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { ageSession, sessionState } from '../support/session-rows.js';

const CLIENTS = 10;
/** How often a replica is asked whether it is ready, while it cannot read what is revoked. */
const QUESTIONS = 50;

interface Readiness {
  status: string;
  checks: { database: boolean; revocations: boolean };
}

interface Revived {
  id: string;
  user: string;
  reason: string;
  state: string;
}

describeOnPostgres('a database that is restored to an older state', () => {
  let cluster: PostgresCluster;
  let staying: Replica;
  let restarted: Replica;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster(['max_prepared_transactions=1']);
    const variables = { DATABASE_URL: cluster.url, LATCHKEY_LOG_LEVEL: 'info' };
    staying = await createReplica(variables);
    restarted = await createReplica(variables);
    await staying.start();
    await restarted.start();
  });

  afterAll(async () => {
    await staying.kill();
    await restarted.kill();
    await cluster.remove();
  });

  const refresh = (url: string, { refreshToken }: Tokens) =>
    callUntilAnswered(() => call<Tokens>(url, operation('refresh'), { input: { refreshToken } }));
  const who = (url: string, { accessToken }: Tokens) => callUntilAnswered(() => call(url, WHO_AM_I, {}, bearer(accessToken)));

  const logOut = async ({ tokens }: HonestClient, url = staying.url) => {
    await callUntilAnswered(() => call(url, operation('logout'), { input: { refreshToken: tokens.refreshToken } }));
  };

  it('R12: what it never issued is refused and revokes nothing, the log tells, and every replica reads all revocations again', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => HonestClient.register([staying.url])));
    const [still, lostRevocation, newRevocation] = await Promise.all([1, 2, 3].map(() => HonestClient.register([staying.url])));
    await logOut(still!);

    await cluster.stop('fast');
    await cluster.backUp();
    await cluster.start();

    // The future that will not have been.
    for (const client of clients) await client.refresh();
    await logOut(lostRevocation!);
    for (let transaction = 0; transaction < 200; transaction += 1) await cluster.query('SELECT pg_current_xact_id()');
    expect(await who(restarted.url, lostRevocation!.tokens)).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });

    await cluster.stop('immediate');
    await cluster.restoreBackup();
    await restarted.kill();
    const restoredAt = performance.now();
    await cluster.start();
    await restarted.start();

    // Written under a transaction id that the cursor of a replica in memory has long passed.
    await cluster.query(`INSERT INTO revocation (kind, key, expires_at) VALUES ('session', $1, now() + interval '15 minutes')`, [
      newRevocation!.tokens.session.id,
    ]);
    for (const { url } of [staying, restarted]) {
      while ((await who(url, newRevocation!.tokens)).kind === 'answered' && performance.now() - restoredAt < 20_000) await pause(20);
      expect(await who(url, newRevocation!.tokens)).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
      expect(await who(url, still!.tokens)).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
    }
    const seenAfterMs = performance.now() - restoredAt;
    // Memory keeps what the database has forgotten; a process that starts afterwards cannot know.
    expect(await who(staying.url, lostRevocation!.tokens)).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });

    let refusals = 0;
    for (const [index, { tokens }] of clients.entries()) {
      const { url } = index % 2 === 0 ? staying : restarted;
      await ageSession(cluster, tokens.session.id, 60);
      expect(await refresh(url, tokens)).toEqual({ kind: 'refused', code: 'INVALID_REFRESH_TOKEN' });
      refusals += 1;
      expect(await sessionState(cluster, tokens.session.id)).toMatchObject({ generation: 1, revokedReason: null });
    }
    const errors = [...staying.log, ...restarted.log].filter(({ level, msg }) => level === 'error' && msg.includes('never issued'));
    const ended = await cluster.query(`SELECT revoked_reason FROM session WHERE revoked_reason <> 'LOGOUT'`);
    printFigures('R12', {
      'tokens of a later generation refused': refusals,
      'errors logged': errors.length,
      'sessions ended by it': ended.length,
      'revocations read anew after ms': seenAfterMs,
    });
    expect(errors).toHaveLength(CLIENTS);
    expect(ended).toEqual([]);
    expect(staying.log.map(({ msg }) => msg)).toContain('the database restarted or was replaced: every revocation is loaded again');
  });

  it('R12: no replica is ready before it has read all revocations again; what the log says has ended and lives is listed, and ended', async () => {
    const alreadyLogged = staying.log.length;
    const [endedBefore, left, revoked, owner, untouched] = await Promise.all(
      [1, 2, 3, 4, 5].map(() => HonestClient.register([staying.url])),
    );
    const answer = async (url: string, name: string, input: object, accessToken?: string) => {
      const headers = accessToken === undefined ? {} : bearer(accessToken);
      const outcome = await callUntilAnswered(() => call<Tokens>(url, operation(name), { input }, headers));
      if (outcome.kind !== 'answered') throw new Error(`${name}: ${JSON.stringify(outcome)}`);
      return outcome.answer;
    };
    const signInAs = ({ tokens: { user } }: HonestClient) => answer(staying.url, 'login', { identifier: user.email, password: PASSWORD });
    const kept = await signInAs(owner!);
    const other = await signInAs(revoked!);
    await logOut(endedBefore!);

    // A lock that comes back with the backup: what is revoked cannot be read then, and everything else can.
    const locking = await cluster.connect();
    await locking.query('BEGIN');
    await locking.query('LOCK TABLE revocation');
    await locking.query(`PREPARE TRANSACTION 'lock'`);
    await locking.end();
    await cluster.stop('fast');
    await cluster.backUp();
    await cluster.start();
    await cluster.query(`ROLLBACK PREPARED 'lock'`);

    await Promise.all([staying.ready(), restarted.ready()]);

    // The future that will not have been: at one replica, and at the other.
    await logOut(left!);
    const change = { currentPassword: PASSWORD, newPassword: 'nine orange trumpets fall' };
    await answer(restarted.url, 'change-password', change, kept.accessToken);
    await answer(restarted.url, 'revoke-session', { sessionId: revoked!.tokens.session.id }, other.accessToken);
    const logged = () => [...staying.log.slice(alreadyLogged), ...restarted.log];
    const endedByLog = () => logged().flatMap(({ msg, sessionId, userId }) => (msg === 'sessions have ended' ? [sessionId ?? userId] : []));
    const ids = [left!.tokens.session.id, revoked!.tokens.session.id, owner!.tokens.user.id];
    // A line may be read here after the answer has come.
    await expect.poll(endedByLog).toEqual(expect.arrayContaining(ids));
    const log = logged()
      .map((line) => `api-1  | ${JSON.stringify(line)}`)
      .join('\n');

    await cluster.stop('immediate');
    await cluster.restoreBackup();
    await restarted.kill();
    await cluster.start();
    const answers: Readiness[] = [];
    for await (const _ of every(20)) {
      const readiness = (await (await fetch(`${staying.url}/readyz`)).json()) as Readiness;
      if (readiness.checks.database) answers.push(readiness);
      if (answers.length === QUESTIONS) break;
    }
    await cluster.query(`ROLLBACK PREPARED 'lock'`);
    await Promise.all([staying.ready(), restarted.start()]);

    const revivedTokens = [left!, revoked!, owner!].map(({ tokens }) => tokens);
    // The one that starts on this database believes it.
    const livedAgain = await Promise.all(revivedTokens.map((tokens) => who(restarted.url, tokens)));
    const variables = { DATABASE_URL: cluster.url };
    const revived = async (...options: string[]) =>
      JSON.parse(await latchkey(['sessions', 'revived', ...options, '--json'], variables, log)) as Revived[];
    const listed = await revived();
    const ended = await revived('--revoke');
    const outcomes = [];
    for (const tokens of revivedTokens) {
      for (const { url } of [staying, restarted]) {
        await expect.poll(() => who(url, tokens), { timeout: 5000 }).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
        outcomes.push(await refresh(url, tokens));
      }
    }
    printFigures('R12', {
      'ready before it had read all again': answers.filter(({ status }) => status === 'ok').length,
      'times asked': answers.length,
      'sessions revived': listed.length,
      'ended by the command': ended.length,
      'accepted afterwards': outcomes.filter(({ kind }) => kind === 'answered').length,
    });
    expect(answers.filter(({ status, checks }) => status === 'ok' || checks.revocations)).toEqual([]);
    expect(livedAgain.map(({ kind }) => kind)).toEqual(['answered', 'answered', 'answered']);
    const byId = (a: Revived, b: Revived) => (a.id < b.id ? -1 : 1);
    const expected = [
      { id: left!.tokens.session.id, user: left!.tokens.user.id, reason: 'LOGOUT', state: 'lives' },
      { id: revoked!.tokens.session.id, user: revoked!.tokens.user.id, reason: 'REVOKED', state: 'lives' },
      { id: owner!.tokens.session.id, user: owner!.tokens.user.id, reason: 'PASSWORD_CHANGED', state: 'lives' },
    ].sort(byId);
    expect(listed.sort(byId)).toMatchObject(expected);
    expect(ended.sort(byId)).toMatchObject(expected.map((session) => ({ ...session, state: 'revoked' })));
    expect(outcomes.every((outcome) => outcome.kind === 'refused' && outcome.code === 'INVALID_REFRESH_TOKEN')).toBe(true);
    expect(await revived()).toEqual([]);
    for (const tokens of [kept, other, untouched!.tokens]) {
      const refreshed = await refresh(restarted.url, tokens);
      if (refreshed.kind !== 'answered') throw new Error(`refresh: ${JSON.stringify(refreshed)}`);
      // The change of a user that the database has lost is none in memory either.
      expect((await who(staying.url, refreshed.answer)).kind).toBe('answered');
    }
  });
});
