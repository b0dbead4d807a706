import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import type { Tokens } from '../support/calls.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { ageSession, sessionState } from '../support/session-rows.js';

const CLIENTS = 10;

describeOnPostgres('a database that is restored to an older state', () => {
  let cluster: PostgresCluster;
  let staying: Replica;
  let restarted: Replica;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    staying = await createReplica({ DATABASE_URL: cluster.url });
    restarted = await createReplica({ DATABASE_URL: cluster.url });
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

  it('R12: what it never issued is refused and revokes nothing, the log tells, and every replica reads all revocations again', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => HonestClient.register([staying.url])));
    const [still, lostRevocation, newRevocation] = await Promise.all([1, 2, 3].map(() => HonestClient.register([staying.url])));
    const logOut = async ({ tokens }: HonestClient) => {
      await callUntilAnswered(() => call(staying.url, operation('logout'), { input: { refreshToken: tokens.refreshToken } }));
    };
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
});
