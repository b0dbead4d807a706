import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Principal } from '../../src/authorization/principal.js';
import type { SessionSelection } from '../../src/sessions/sessions.js';
import type { TokenPair } from '../../src/sessions/token-pair.js';
import { OPERATOR } from '../support/callers.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { codeOf, openSessionEngine, principalOf, type SessionEngine } from '../support/session-engine.js';

const ANONYMOUS: Principal = { kind: 'anonymous' };

describeOnPostgres('logouts that race', () => {
  let testDatabase: TestDatabase;
  let engine: SessionEngine;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    engine = await openSessionEngine(testDatabase);
  });

  afterAll(async () => {
    await engine.close();
    await testDatabase.drop();
  });

  /** Refreshes and ends a session at once, many times; the one and the other sets off first by turns. */
  const race = async (rounds: number, end: (pair: TokenPair) => Promise<unknown>) => {
    for (let round = 0; round < rounds; round += 1) {
      // A user for each round: there is one session to look through.
      const pair = await engine.signIn(await engine.newUser());
      const refresh = () => engine.refresh(pair).catch(() => undefined);
      const [successor] = await (round % 2 === 0 ? Promise.all([refresh(), end(pair)]) : Promise.all([end(pair), refresh()].toReversed()));
      for (const token of [pair, successor as TokenPair | undefined]) {
        if (token !== undefined) expect(await codeOf(engine.refresh(token)), `round ${round}`).toBe('INVALID_REFRESH_TOKEN');
      }
      expect(await engine.isAlive(pair)).toBe(false);
    }
  };

  it.each<SessionSelection>(['THIS_SESSION', 'ALL_SESSIONS'])(
    'R8: after a logout of %s returns, no refresh succeeds, neither by the token nor by a successor that was in flight',
    async (selection) => {
      await race(250, (pair) => engine.sessions.logout(ANONYMOUS, OPERATOR, pair.refreshToken, selection));
    },
  );

  it('R8: after a session was revoked by its id, no refresh succeeds', async () => {
    await race(100, (pair) => engine.sessions.revoke(principalOf(pair), OPERATOR, pair.grant.sessionId));
  });

  it('R8: after a user was disabled, no refresh succeeds', async () => {
    await race(100, async ({ grant }) => {
      await engine.users.setDisabled(grant.userId, true, OPERATOR);
      await engine.users.setDisabled(grant.userId, false, OPERATOR);
    });
  });

  it('that each end the others and keep one session, keep it', async () => {
    for (let round = 0; round < 60; round += 1) {
      const userId = await engine.newUser();
      const pair = await engine.signIn(userId);
      const other = await engine.signIn(userId);
      const endOthers = () => engine.sessions.logout(principalOf(pair), OPERATOR, null, 'OTHER_SESSIONS');
      await Promise.all([endOthers(), endOthers()]);
      expect(await codeOf(engine.refresh(other))).toBe('INVALID_REFRESH_TOKEN');
      expect(await engine.isAlive(pair), `round ${round}`).toBe(true);
    }
  });

  it('roles that are set at the same time are those of one call, whole', async () => {
    for (let round = 0; round < 60; round += 1) {
      const userId = await engine.newUser();
      const changes = await Promise.all([
        engine.users.setRoles(userId, ['admin'], OPERATOR),
        engine.users.setRoles(userId, ['user'], OPERATOR),
      ]);
      expect(changes.map((change) => change?.length)).toEqual([1, 1]);
      const [user] = await engine.users.byIds([userId]);
      expect(user!.roles, `round ${round}`).toHaveLength(1);
    }
    expect(await engine.users.setRoles('019aa000-0000-7000-8000-00000000000a', ['user'], OPERATOR)).toBeUndefined();
  });

  it('that end all sessions of one user in different ways wait for each other, and none fails', async () => {
    for (let round = 0; round < 10; round += 1) {
      const userId = await engine.newUser();
      const pairs = [await engine.signIn(userId), await engine.signIn(userId)] as const;
      // So many that statements overlap while they lock one after the other.
      await engine.database.query(
        `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
         SELECT gen_random_uuid(), $1, 1, '', 1, 'OTHER', now() + interval '1 day', now() + interval '1 day' FROM generate_series(1, 300)`,
        [userId],
      );
      await Promise.all([
        engine.sessions.logout(principalOf(pairs[0]), OPERATOR, null, 'ALL_SESSIONS'),
        engine.users.setDisabled(userId, true, OPERATOR),
        engine.sessions.logout(principalOf(pairs[1]), OPERATOR, null, 'OTHER_SESSIONS'),
        engine.users.changePassword(userId, { old: 'of nothing', new: 'of something' }, { except: pairs[0].grant.sessionId }, OPERATOR),
        engine.users.resetPassword(userId, 'of something else', OPERATOR),
        engine.users.setRoles(userId, ['admin'], OPERATOR),
        ...pairs.map((pair) => engine.refresh(pair).catch(() => undefined)),
      ]);
      expect(await engine.store.liveByUsers([userId])).toEqual([]);
    }
  });
});
