import { afterAll, beforeAll, expect, it } from 'vitest';

import type { TokenPair } from '../../src/sessions/token-pair.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { codeOf, openSessionEngine, type SessionEngine } from '../support/session-engine.js';

const GRACE_SECONDS = 60;
/**
 * A thousand callers queue for the connections of a replica: how long that takes is not what these tests are about. What comes too late for the
 * grace is judged as theft, so that is as long as can be.
 */
const PATIENCE = { LATCHKEY_DATABASE_TIMEOUT_MS: '60000', LATCHKEY_REFRESH_GRACE_SECONDS: String(GRACE_SECONDS) };

describeOnPostgres('refreshes that race', () => {
  let testDatabase: TestDatabase;
  let replicas: [SessionEngine, SessionEngine];

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    replicas = [await openSessionEngine(testDatabase, PATIENCE), await openSessionEngine(testDatabase, PATIENCE)];
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await testDatabase.drop();
  });

  /** Asks the replicas by turns. */
  const refreshAtOnce = (times: number, pair: TokenPair, attemptOf: (i: number) => string | null) =>
    Promise.all(Array.from({ length: times }, (_, i) => replicas[i % replicas.length]!.refresh(pair, attemptOf(i))));

  it.each([
    ['with one attemptId', () => 'attempt'],
    ['with an attemptId each', (i: number) => `attempt ${i}`],
    ['without an attemptId', () => null],
  ])('R1: a thousand at once of one token %s are one rotation, one successor, and no reuse', async (_name, attemptOf) => {
    const [engine] = replicas;
    const pair = await engine.signIn(await engine.newUser());
    const answers = await refreshAtOnce(1000, pair, attemptOf);
    expect(new Set(answers.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect(answers[0]!.refreshToken).not.toBe(pair.refreshToken);
    expect(await engine.row(pair)).toMatchObject({ generation: 2, isRevoked: false });
    expect(replicas.flatMap(({ lines }) => lines)).toEqual([]);
    await engine.age(pair, GRACE_SECONDS);
    expect((await engine.refresh(answers.at(-1)!)).grant.generation).toBe(3);
  });

  it('R1: without a grace, a hundred at once of one token are one rotation and one successor too', async () => {
    const strict = await replicas[0].replica({ LATCHKEY_REFRESH_GRACE_SECONDS: '0' });
    const pair = await strict.signIn(await strict.newUser());
    const answers = await Promise.all(Array.from({ length: 100 }, () => strict.refresh(pair)));
    expect(new Set(answers.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect(await strict.row(pair)).toMatchObject({ generation: 2, isRevoked: false });
  });

  it('R1: tokens of two generations at once, within the grace, are all answered by the newer one', async () => {
    const [engine] = replicas;
    const r1 = await engine.signIn(await engine.newUser());
    const r2 = await engine.refresh(r1);
    const answers = await Promise.all([refreshAtOnce(100, r1, String), refreshAtOnce(100, r2, String)]);
    expect(new Set(answers.flat().map(({ refreshToken }) => refreshToken))).toEqual(new Set([r2.refreshToken]));
    expect(await engine.row(r1)).toMatchObject({ generation: 2, isRevoked: false });
  });

  it('R1: both tokens of two generations at once, after the grace, never end the session by their race', async () => {
    const [engine] = replicas;
    for (let round = 0; round < 50; round += 1) {
      const r1 = await engine.signIn(await engine.newUser());
      const r2 = await engine.refresh(r1, 'first');
      await engine.age(r1, GRACE_SECONDS);
      // One process retries a reply that was lost while another, which got it, goes on: the retry may come too late, and only then is reuse.
      const [retried, next] = await Promise.all([replicas[1].refresh(r1, 'first').catch(() => undefined), engine.refresh(r2, 'second')]);
      if (retried === undefined) expect((await engine.row(r1)).revokedReason).toBe('REFRESH_TOKEN_REUSED');
      else expect(retried.refreshToken).toBe(r2.refreshToken);
      expect(next.grant.generation).toBe(3);
    }
  });

  it('R2: four immediate refreshes by each of 200 clients are never mistaken for theft', async () => {
    const [engine] = replicas;
    const userId = await engine.newUser();
    const refreshEagerly = async (client: number) => {
      const pair = await engine.signIn(userId);
      const answers = await Promise.all([0, 1, 2, 3].map((i) => replicas[i % 2]!.refresh(pair, `${client}/${i}`)));
      // Each of its four processes goes on with what it was given, and uses it.
      const later = await Promise.all(answers.map((answer, i) => replicas[i % 2]!.refresh(answer, `${client}/${i}/later`)));
      return new Set([...answers, ...later].map(({ refreshToken }) => refreshToken)).size;
    };
    const distinct = await Promise.all(Array.from({ length: 200 }, (_, client) => refreshEagerly(client)));
    expect(new Set(distinct)).toEqual(new Set([1]));
    const ended = await engine.database.query('SELECT id FROM session WHERE user_id = $1 AND revoked_at IS NOT NULL', [userId]);
    expect(ended).toEqual([]);
  });

  it('R3: a hundred replays at once of a token that was moved on from end its session once, and all are refused', async () => {
    const [engine] = replicas;
    const r1 = await engine.signIn(await engine.newUser());
    await engine.use(await engine.refresh(r1));
    await engine.age(r1, GRACE_SECONDS);
    const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => codeOf(replicas[i % 2]!.refresh(r1))));
    expect(new Set(codes)).toEqual(new Set(['INVALID_REFRESH_TOKEN']));
    expect((await engine.row(r1)).revokedReason).toBe('REFRESH_TOKEN_REUSED');
  });
});
