import { randomBytes } from 'node:crypto';

import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Principal } from '../../src/authorization/principal.js';
import type { SessionSelection } from '../../src/sessions/sessions.js';
import type { TokenPair } from '../../src/sessions/token-pair.js';
import { openRefreshToken, sealRefreshToken } from '../../src/tokens/refresh-token.js';
import { OPERATOR } from '../support/callers.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { codeOf, openSessionEngine, principalOf, type SessionEngine } from '../support/session-engine.js';

const SECRET = 'a-secret-that-is-used-in-tests-and-nowhere-else';
const NEW_SECRET = 'another-secret-that-has-taken-its-place-since';
const HOUR = 3600;
const DAY = 24 * HOUR;
const LIVES = 'no error';
const INVALID = 'INVALID_REFRESH_TOKEN';

let testDatabase: TestDatabase;
let engine: SessionEngine;
let userId: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  engine = await openSessionEngine(testDatabase);
});

afterAll(async () => {
  await engine.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  userId = await engine.newUser();
  engine.lines.length = 0;
  engine.announced.length = 0;
});

/** A session that has rotated so many times, a minute apart, and all its pairs, the last one current and just rotated to. */
async function rotate(times: number, by = engine): Promise<[TokenPair, ...TokenPair[]]> {
  const pairs: [TokenPair, ...TokenPair[]] = [await by.signIn(userId)];
  for (let i = 0; i < times; i += 1) {
    await by.age(pairs[0], 60);
    pairs.push(await by.refresh(pairs[i]!, `attempt ${i}`));
  }
  return pairs;
}

/** R1 and its successor R2, which is seen in an access token or not, some time after the rotation. */
async function afterRotation({ isSeen, seconds }: { isSeen: boolean; seconds: number }): Promise<{ r1: TokenPair; r2: TokenPair }> {
  const [r1, r2] = await rotate(1);
  if (isSeen) await engine.use(r2!);
  await engine.age(r1, seconds);
  return { r1, r2: r2! };
}

describe('signing in', () => {
  it('starts a session whose access token says who, which session and since when', async () => {
    const pair = await engine.signIn(userId);
    const { expiresAt, issuedAt, ...claims } = await engine.claims(pair);
    expect(claims).toEqual({
      subject: userId,
      sessionId: pair.grant.sessionId,
      generation: 1,
      userVersion: 1,
      scopes: [],
      authTime: issuedAt,
    });
    expect(expiresAt - issuedAt).toBe(900);
    expect(pair).toMatchObject({ expiresIn: 900, scope: '', refreshTokenExpiresIn: 30 * DAY });
  });

  it('starts another session each time', async () => {
    const [first, second] = [await engine.signIn(userId), await engine.signIn(userId)];
    expect(second.grant.sessionId).not.toBe(first.grant.sessionId);
    expect(await engine.isAlive(first)).toBe(true);
  });

  it('is refused to a user who was disabled meanwhile', async () => {
    await engine.users.setDisabled(userId, true, OPERATOR);
    expect(await codeOf(engine.signIn(userId))).toBe('INVALID_CREDENTIALS');
    const failures = `SELECT reason FROM audit_event WHERE type = 'SIGN_IN_FAILED' AND user_id = $1`;
    expect(await engine.database.query(failures, [userId])).toEqual([{ reason: 'CHANGED_MEANWHILE' }]);
  });

  it('is refused on a password that was changed since it was verified', async () => {
    expect(await codeOf(engine.signIn(userId, null, 'of the password before'))).toBe('INVALID_CREDENTIALS');
  });

  it('is refused to a user who does not exist', async () => {
    expect(await codeOf(engine.signIn(uuidv7()))).toBe('INVALID_CREDENTIALS');
  });
});

describe('a refresh token, row by row of the table', () => {
  it('of no session is refused', async () => {
    const { active } = engine.secrets;
    const refreshToken = sealRefreshToken({ sessionId: uuidv7(), generation: 1, secret: randomBytes(32), sealedBy: active });
    expect(await codeOf(engine.refresh({ refreshToken }))).toBe(INVALID);
  });

  it('of a session that was revoked is refused', async () => {
    const pair = await engine.signIn(userId);
    await engine.store.revoke(pair.grant.sessionId, 'OPERATOR', OPERATOR);
    const { version } = await engine.row(pair);
    expect(await codeOf(engine.refresh(pair))).toBe(INVALID);
    expect((await engine.row(pair)).version).toBe(version);
  });

  it('of a disabled user is refused, even where the session itself was left alive', async () => {
    const pair = await engine.signIn(userId);
    await engine.database.query('UPDATE user_account SET disabled = true WHERE id = $1', [userId]);
    expect(await codeOf(engine.refresh(pair))).toBe(INVALID);
    expect((await engine.row(pair)).generation).toBe(1);
  });

  it('of a user who was disabled and enabled again stays refused: the session was ended', async () => {
    const pair = await engine.signIn(userId);
    await engine.users.setDisabled(userId, true, OPERATOR);
    await engine.users.setDisabled(userId, false, OPERATOR);
    expect(await codeOf(engine.refresh(pair))).toBe(INVALID);
    expect((await engine.row(pair)).isRevoked).toBe(true);
  });

  it('that is current rotates: new access token, successor', async () => {
    const pair = await engine.signIn(userId);
    const next = await engine.refresh(pair);
    expect(next.refreshToken).not.toBe(pair.refreshToken);
    expect(next.accessToken).not.toBe(pair.accessToken);
    expect(next.grant.sessionId).toBe(pair.grant.sessionId);
    expect((await engine.claims(next)).generation).toBe(2);
    expect((await engine.row(pair)).generation).toBe(2);
  });

  it('that is current and rotated to 10 s ago rotates again', async () => {
    const [first, second] = await rotate(1);
    await engine.age(first, 10);
    const third = await engine.refresh(second!);
    expect(third.grant.generation).toBe(3);
    expect(third.refreshToken).not.toBe(second!.refreshToken);
  });

  it.each([0, 5])('that is current and rotated to %i s ago stays, with a new access token and nothing written', async (seconds) => {
    const [first, second] = await rotate(1);
    await engine.age(first, seconds);
    const { version } = await engine.row(first);
    const again = await engine.refresh(second!);
    expect(again.refreshToken).toBe(second!.refreshToken);
    expect(again.accessToken).not.toBe(second!.accessToken);
    expect((await engine.claims(again)).generation).toBe(2);
    expect((await engine.row(first)).version).toBe(version);
  });

  it.each([
    { rule: 'the same attempt, its successor seen', attemptId: 'attempt 0', isSeen: true, seconds: HOUR },
    { rule: 'another attempt, its successor never seen', attemptId: 'another', isSeen: false, seconds: HOUR },
    { rule: 'no attempt, its successor never seen', attemptId: null, isSeen: false, seconds: HOUR },
    { rule: 'another attempt, its successor seen, within the grace', attemptId: 'another', isSeen: true, seconds: 5 },
    { rule: 'no attempt, its successor seen, within the grace', attemptId: null, isSeen: true, seconds: 5 },
  ])('of the generation before repeats its successor: $rule', async ({ attemptId, isSeen, seconds }) => {
    const { r1, r2 } = await afterRotation({ isSeen, seconds });
    const { version } = await engine.row(r1);
    const repeated = await engine.refresh(r1, attemptId);
    expect(repeated.refreshToken).toBe(r2.refreshToken);
    expect((await engine.claims(repeated)).generation).toBe(2);
    expect((await engine.row(r1)).version).toBe(version);
    await engine.age(r1, 10);
    expect((await engine.refresh(repeated)).grant.generation).toBe(3);
  });

  it.each([
    { rule: 'another attempt', attemptId: 'another', seconds: 10 },
    { rule: 'no attempt', attemptId: null, seconds: 10 },
    { rule: 'another attempt, much later', attemptId: 'another', seconds: DAY },
  ])('of the generation before ends the session once its successor was seen: $rule', async ({ attemptId, seconds }) => {
    const { r1, r2 } = await afterRotation({ isSeen: true, seconds });
    expect(await codeOf(engine.refresh(r1, attemptId))).toBe(INVALID);
    expect(await engine.row(r1)).toMatchObject({ isRevoked: true, revokedReason: 'REFRESH_TOKEN_REUSED', generation: 2 });
    expect(await codeOf(engine.refresh(r2))).toBe(INVALID);
    expect(engine.lines).toMatchObject([{ level: 'warn', sessionId: r1.grant.sessionId, userId, presented: 1, current: 2 }]);
  });

  it.each([
    { rule: 'two behind, within the grace, unseen and of its own attempt', times: 2, attemptId: 'attempt 0', seconds: 0 },
    { rule: 'two behind, later', times: 2, attemptId: null, seconds: HOUR },
    { rule: 'five behind', times: 5, attemptId: null, seconds: HOUR },
  ])('of an earlier generation ends the session: $rule', async ({ times, attemptId, seconds }) => {
    const pairs = await rotate(times);
    await engine.age(pairs[0], seconds);
    expect(await codeOf(engine.refresh(pairs[0], attemptId))).toBe(INVALID);
    expect((await engine.row(pairs[0])).revokedReason).toBe('REFRESH_TOKEN_REUSED');
    expect(await codeOf(engine.refresh(pairs.at(-1)!))).toBe(INVALID);
  });

  it('of an earlier generation is judged alike, however many there were since', async () => {
    const pair = await engine.signIn(userId);
    await engine.database.query('UPDATE session SET generation = 1000000 WHERE id = $1', [pair.grant.sessionId]);
    const before = engine.queries;
    expect(await codeOf(engine.refresh(pair))).toBe(INVALID);
    expect(engine.queries - before).toBe(2);
    expect((await engine.row(pair)).revokedReason).toBe('REFRESH_TOKEN_REUSED');
  });

  it('that ended its session is told of once, however often it comes back', async () => {
    const { r1 } = await afterRotation({ isSeen: true, seconds: HOUR });
    await codeOf(engine.refresh(r1));
    const { version } = await engine.row(r1);
    expect(await codeOf(engine.refresh(r1))).toBe(INVALID);
    expect(engine.lines).toHaveLength(1);
    expect((await engine.row(r1)).version).toBe(version);
  });

  it('of a later generation is refused and revokes nothing: the database went back in time', async () => {
    const [r1, r2] = await rotate(1);
    await engine.database.query('UPDATE session SET generation = 1 WHERE id = $1', [r1.grant.sessionId]);
    const { version } = await engine.row(r1);
    expect(await codeOf(engine.refresh(r2!))).toBe(INVALID);
    expect(await engine.row(r1)).toMatchObject({ isRevoked: false, version });
    expect(engine.lines).toMatchObject([{ level: 'error', sessionId: r1.grant.sessionId, presented: 2, current: 1 }]);
  });

  it('of a generation that was issued twice, around a restored backup, is refused and revokes nothing', async () => {
    const pair = await engine.signIn(userId);
    const { sessionId } = pair.grant;
    const twin = sealRefreshToken({ sessionId, generation: 1, secret: randomBytes(32), sealedBy: engine.secrets.active });
    expect(await codeOf(engine.refresh({ refreshToken: twin }))).toBe(INVALID);
    expect(await engine.row(pair)).toMatchObject({ isRevoked: false, generation: 1 });
    expect(engine.lines).toMatchObject([{ level: 'error' }]);
  });
});

describe('a lost reply', () => {
  it.each([0.1, 60, HOUR])('is repeated %d s later while nobody has seen the successor', async (seconds) => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds });
    for (const attemptId of ['attempt 0', 'another', null]) {
      expect((await engine.refresh(r1, attemptId)).refreshToken).toBe(r2.refreshToken);
    }
    expect((await engine.row(r1)).generation).toBe(2);
  });

  it('can be lost again and again', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 0 });
    for (let i = 0; i < 5; i += 1) {
      await engine.age(r1, 60);
      expect((await engine.refresh(r1, 'attempt 0')).refreshToken).toBe(r2.refreshToken);
    }
  });

  it('is not repeated once the successor was refreshed', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 60 });
    await engine.refresh(r2);
    expect(await codeOf(engine.refresh(r1, 'attempt 0'))).toBe(INVALID);
    expect(await engine.isAlive(r1)).toBe(false);
  });

  it('is not repeated once the successor was presented within the floor', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 5 });
    expect((await engine.refresh(r2)).refreshToken).toBe(r2.refreshToken);
    await engine.activity.flush();
    await engine.age(r1, 60);
    expect(await codeOf(engine.refresh(r1))).toBe(INVALID);
    expect(await engine.isAlive(r1)).toBe(false);
  });

  it('is repeated although the access token of the predecessor is still in use', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 60 });
    await engine.use(r1);
    expect((await engine.row(r1)).seenGeneration).toBe(1);
    expect((await engine.refresh(r1)).refreshToken).toBe(r2.refreshToken);
  });
});

describe('the scenarios that decide the product', () => {
  it('S1: fifty identical refreshes at once are answered alike, by one rotation', async () => {
    const pair = await engine.signIn(userId);
    const answers = await Promise.all(Array.from({ length: 50 }, () => engine.refresh(pair, 'attempt')));
    expect(new Set(answers.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect((await engine.row(pair)).generation).toBe(2);
  });

  it('S2: a reply that was lost is repeated after 2 s', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 2 });
    expect((await engine.refresh(r1)).refreshToken).toBe(r2.refreshToken);
  });

  it('S3: a phone that slept for 10 min after the reply was lost goes on', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: false, seconds: 600 });
    expect((await engine.refresh(r1)).refreshToken).toBe(r2.refreshToken);
  });

  it('S4: a thief who replays what its owner has moved on from ends that session, and its owner signs in again', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: true, seconds: 60 });
    expect(await codeOf(engine.refresh(r1))).toBe(INVALID);
    expect(await codeOf(engine.refresh(r2))).toBe(INVALID);
    expect(engine.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('S4: the end of the session is committed before the refusal is told', async () => {
    const { r1 } = await afterRotation({ isSeen: true, seconds: 60 });
    const isAliveAtRefusal = await engine.refresh(r1).catch(() => engine.isAlive(r1));
    expect(isAliveAtRefusal).toBe(false);
  });

  it('S4b: a thief within the grace gets the very same successor, and no chain of their own', async () => {
    const { r1, r2 } = await afterRotation({ isSeen: true, seconds: 1 });
    const stolen = await engine.refresh(r1, 'of the thief');
    expect(stolen.refreshToken).toBe(r2.refreshToken);
    await engine.age(r1, 60);
    await engine.refresh(stolen, 'of the thief');
    await engine.use(await engine.refresh(r2, 'of the owner'));
    await engine.age(r1, 60);
    expect(await codeOf(engine.refresh(r2, 'of the owner'))).toBe(INVALID);
    expect(await engine.isAlive(r1)).toBe(false);
  });

  it('S5: a displaced token that shows up the next day ends its own session and no other', async () => {
    const otherDevice = await engine.signIn(userId);
    const otherUser = await engine.signIn(await engine.newUser());
    const pairs = await rotate(3);
    await engine.age(pairs[0], DAY);
    expect(await codeOf(engine.refresh(pairs[1]!))).toBe(INVALID);
    expect(await engine.isAlive(pairs[0])).toBe(false);
    expect(await engine.isAlive(otherDevice)).toBe(true);
    expect(await engine.isAlive(otherUser)).toBe(true);
    expect(await codeOf(engine.refresh(otherDevice))).toBe(LIVES);
  });

  it('S6: another replica repeats what a replica committed before it died', async () => {
    const pair = await engine.signIn(userId);
    const committed = await engine.refresh(pair, 'attempt');
    const survivor = await engine.replica({});
    expect((await survivor.refresh(pair, 'attempt')).refreshToken).toBe(committed.refreshToken);
  });

  it('S7: logout needs no live access token, the refresh token alone does', async () => {
    const pair = await engine.signIn(userId);
    await engine.sessions.logout({ kind: 'rejected', reason: 'TOKEN_EXPIRED' }, OPERATOR, pair.refreshToken, 'THIS_SESSION');
    expect(await engine.isAlive(pair)).toBe(false);
  });

  it('S9: a role that was taken away is gone at the next refresh', async () => {
    const admin = await engine.newUser(['user', 'admin']);
    const pair = await engine.signIn(admin);
    expect(pair.scope).toBe('audit:read users:read users:write');
    await engine.users.setRoles(admin, ['user'], OPERATOR);
    const next = await engine.refresh(pair);
    expect(next.scope).toBe('');
    expect(await engine.claims(next)).toMatchObject({ scopes: [], userVersion: 2 });
  });
});

describe('what is not a refresh token of ours', () => {
  it.each([
    ['nothing', ''],
    ['the prefix alone', 'lkr1_'],
    ['a JWT', 'eyJhbGciOiJub25lIn0.e30.'],
    ['a UUID', '019aa000-0000-7000-8000-000000000001'],
    ['SQL', "lkr1_' OR 1=1 --"],
    ['a NUL', `lkr1_${'\0'.repeat(94)}`],
    ['zeros', `lkr1_${'A'.repeat(94)}`],
    ['a million characters', `lkr1_${'A'.repeat(1_000_000)}`],
  ])('asks nothing of the database: %s', async (_name, refreshToken) => {
    const before = engine.queries;
    expect(await codeOf(engine.refresh({ refreshToken }))).toBe(INVALID);
    expect(engine.queries - before).toBe(0);
  });

  it('asks nothing of the database and revokes nothing for a flip of any of the 560 bits', async () => {
    const pair = await engine.signIn(userId);
    const bytes = Buffer.from(pair.refreshToken.slice('lkr1_'.length), 'base64url');
    const before = engine.queries;
    for (let bit = 0; bit < 560; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(await codeOf(engine.refresh({ refreshToken: `lkr1_${flipped.toString('base64url')}` }))).toBe(INVALID);
    }
    expect(engine.queries - before).toBe(0);
    expect(await codeOf(engine.refresh(pair))).toBe(LIVES);
  });

  it('asks nothing of the database when it is another spelling of a token of ours', async () => {
    const pair = await engine.signIn(userId);
    const { refreshToken } = pair;
    const before = engine.queries;
    const lastCharacter = refreshToken.at(-1)!;
    const spellings = [
      `${refreshToken}=`,
      ` ${refreshToken}`,
      `${refreshToken}\n`,
      refreshToken.replace('lkr1_', 'LKR1_'),
      refreshToken.toUpperCase(),
      refreshToken.slice(0, -1) + String.fromCharCode(lastCharacter.charCodeAt(0) + 1),
    ];
    for (const spelling of spellings) expect(await codeOf(engine.refresh({ refreshToken: spelling }))).toBe(INVALID);
    expect(engine.queries - before).toBe(0);
  });

  it('asks one statement of the database when it is ours', async () => {
    const pair = await engine.signIn(userId);
    const before = engine.queries;
    await engine.refresh(pair);
    expect(engine.queries - before).toBe(1);
  });
});

describe('the list of sessions', () => {
  it('holds the last seen hundred, for one user as for many: anyone can have any number', async () => {
    const [one, other] = [await engine.newUser(), await engine.newUser()];
    await engine.database.query(
      `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at, last_seen_at)
       SELECT gen_random_uuid(), $1, 1, '', 1, 'OTHER', now() + interval '1 day', now() + interval '1 day', now() - interval '1 minute' * n
         FROM generate_series(1, 150) AS n`,
      [one],
    );
    await engine.signIn(other);
    const listed = await engine.store.liveByUsers([one]);
    expect(listed).toHaveLength(100);
    expect(listed).toEqual(listed.toSorted((a, b) => b.lastSeenAt.getTime() - a.lastSeenAt.getTime()));
    expect(listed[0]!.lastSeenAt.getTime()).toBeGreaterThan(Date.now() - 120_000);
    const both = await engine.store.liveByUsers([one, other]);
    expect(both.filter(({ userId: id }) => id === one)).toEqual(listed);
    expect(both).toHaveLength(101);
  });
});

describe('expiry', () => {
  const lifetimes = { LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: '1000', LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS: '1800' };
  let brief: SessionEngine;

  beforeAll(async () => {
    brief = await engine.replica(lifetimes);
  });

  it('by idleness comes when the time is full', async () => {
    const pair = await brief.signIn(userId);
    await brief.age(pair, 1000);
    expect(await codeOf(brief.refresh(pair))).toBe(INVALID);
    expect(await brief.isAlive(pair)).toBe(false);
    expect(await brief.store.liveByUsers([userId])).toEqual([]);
  });

  it('by idleness does not come before, and starts anew with each refresh', async () => {
    const pair = await brief.signIn(userId);
    await brief.age(pair, 900);
    const next = await brief.refresh(pair);
    await brief.age(pair, 600);
    expect(await codeOf(brief.refresh(next))).toBe(LIVES);
  });

  it('by age comes when the time is full, however active the session is', async () => {
    let pair = await brief.signIn(userId);
    for (const step of [500, 500, 500]) {
      await brief.age(pair, step);
      pair = await brief.refresh(pair);
    }
    await brief.age(pair, 300);
    expect(await codeOf(brief.refresh(pair))).toBe(INVALID);
    expect(await brief.isAlive(pair)).toBe(false);
  });

  it.each([0, 500, 850, 999])('by age is never outlived by a token, %i s after sign-in', async (seconds) => {
    const pair = await brief.signIn(userId);
    await brief.age(pair, seconds);
    const next = await brief.refresh(pair);
    await brief.age(pair, 500);
    for (const { grant, ...tokens } of [pair, next, await brief.refresh(next)]) {
      const { expiresAt, issuedAt } = await brief.claims({ ...tokens, grant });
      expect(expiresAt).toBeLessThanOrEqual(grant.absoluteExpiresAt);
      expect(tokens.expiresIn).toBe(expiresAt - issuedAt);
      expect(tokens.refreshTokenExpiresIn).toBeLessThanOrEqual(grant.absoluteExpiresAt - grant.now);
    }
  });

  it('by age cuts the last access token and the last refresh token short', async () => {
    const pair = await brief.signIn(userId);
    await brief.age(pair, 900);
    const next = await brief.refresh(pair);
    await brief.age(pair, 600);
    const last = await brief.refresh(next);
    expect(last.expiresIn).toBeLessThanOrEqual(300);
    expect(last.refreshTokenExpiresIn).toBeLessThanOrEqual(300);
    expect(last.expiresIn).toBeGreaterThan(0);
  });
});

describe('the scopes of a session', () => {
  it('are narrowed to those asked for', async () => {
    const admin = await engine.newUser(['user', 'admin']);
    const pair = await engine.signIn(admin, ['users:read']);
    expect(pair.scope).toBe('users:read');
    expect((await engine.refresh(pair)).scope).toBe('users:read');
  });

  it.each([
    ['more than the roles grant', ['users:read', 'users:write', 'root'], 'users:read users:write'],
    ['what no role grants', ['root'], ''],
    ['nothing', [], ''],
  ])('are never widened by asking for %s', async (_name, scopes, granted) => {
    const pair = await engine.signIn(await engine.newUser(['admin']), scopes);
    expect(pair.scope).toBe(granted);
    expect((await engine.refresh(pair)).scope).toBe(granted);
  });

  it('are not widened by a role that its user gets later, when they were narrowed', async () => {
    const pair = await engine.signIn(userId, ['users:read']);
    expect(pair.scope).toBe('');
    await engine.users.setRoles(userId, ['user', 'admin'], OPERATOR);
    expect((await engine.refresh(pair)).scope).toBe('');
  });

  it('follow the roles of its user when they were not narrowed', async () => {
    const pair = await engine.signIn(userId);
    await engine.users.setRoles(userId, ['user', 'admin'], OPERATOR);
    const next = await engine.refresh(pair);
    expect(next.scope).toBe('audit:read users:read users:write');
    await engine.users.setRoles(userId, [], OPERATOR);
    await engine.age(pair, 60);
    expect((await engine.refresh(next)).scope).toBe('');
  });

  it('are read anew even where the refresh token stays or is repeated', async () => {
    const admin = await engine.newUser(['admin']);
    const r1 = await engine.signIn(admin);
    const r2 = await engine.refresh(r1);
    await engine.users.setRoles(admin, ['user'], OPERATOR);
    for (const pair of [r1, r2]) expect(await engine.refresh(pair)).toMatchObject({ refreshToken: r2.refreshToken, scope: '' });
  });
});

describe('strict rotation', () => {
  let strict: SessionEngine;

  beforeAll(async () => {
    strict = await engine.replica({ LATCHKEY_REFRESH_GRACE_SECONDS: '0' });
  });

  it('rotates at every refresh', async () => {
    let pair = await strict.signIn(userId);
    const tokens = new Set<string>();
    for (let i = 0; i < 5; i += 1) {
      tokens.add(pair.refreshToken);
      pair = await strict.refresh(pair);
    }
    expect(tokens.size).toBe(5);
    expect((await strict.row(pair)).generation).toBe(6);
  });

  it('takes the generation before for reuse as soon as its successor was seen', async () => {
    const r1 = await strict.signIn(userId);
    await strict.use(await strict.refresh(r1));
    expect(await codeOf(strict.refresh(r1))).toBe(INVALID);
    expect(await strict.isAlive(r1)).toBe(false);
  });

  it('still repeats a reply that was lost', async () => {
    const r1 = await strict.signIn(userId);
    const r2 = await strict.refresh(r1);
    expect((await strict.refresh(r1)).refreshToken).toBe(r2.refreshToken);
  });
});

describe('server secrets', () => {
  let rotated: SessionEngine;
  let dropped: SessionEngine;

  beforeAll(async () => {
    rotated = await engine.replica({ LATCHKEY_SECRETS: `${NEW_SECRET},${SECRET}` });
    dropped = await engine.replica({ LATCHKEY_SECRETS: NEW_SECRET });
  });

  it('that were rotated still refresh old tokens, into tokens of the new one', async () => {
    const pair = await engine.signIn(userId);
    const next = await rotated.refresh(pair);
    expect(openRefreshToken(rotated.secrets, next.refreshToken)?.sealedBy).toBe(rotated.secrets.active);
    expect(openRefreshToken(dropped.secrets, next.refreshToken)).toBeDefined();
    await rotated.age(pair, 60);
    expect(await codeOf(dropped.refresh(next))).toBe(LIVES);
  });

  it('that were rotated between a lost reply and its retry repeat the successor of the old one', async () => {
    const r1 = await engine.signIn(userId);
    const r2 = await engine.refresh(r1);
    await engine.age(r1, HOUR);
    expect((await rotated.refresh(r1)).refreshToken).toBe(r2.refreshToken);
  });

  it('that were rotated on one replica only repeat one successor on both', async () => {
    const r1 = await engine.signIn(userId);
    const r2 = await rotated.refresh(r1);
    await engine.age(r1, 60);
    expect((await rotated.refresh(r1)).refreshToken).toBe(r2.refreshToken);
    // The replica that does not know the new secret yet cannot make the successor, and must not end the session for it.
    expect(await codeOf(engine.refresh(r1))).toBe(INVALID);
    expect(await engine.isAlive(r1)).toBe(true);
  });

  it('that were dropped make their tokens garbage: no query, no revocation', async () => {
    const pair = await engine.signIn(userId);
    const before = dropped.queries;
    expect(await codeOf(dropped.refresh(pair))).toBe(INVALID);
    expect(dropped.queries - before).toBe(0);
    expect(await codeOf(engine.refresh(pair))).toBe(LIVES);
  });
});

describe('logout', () => {
  const SELECTIONS: readonly SessionSelection[] = ['THIS_SESSION', 'OTHER_SESSIONS', 'ALL_SESSIONS'];
  const ANONYMOUS: Principal = { kind: 'anonymous' };

  /** What a client sends along: the session "mine" has rotated three times. */
  const credentials: Record<string, (mine: readonly TokenPair[]) => { principal: Principal; refreshToken: string | null }> = {
    'the refresh token': (mine) => ({ principal: ANONYMOUS, refreshToken: mine.at(-1)!.refreshToken }),
    'the refresh token just replaced': (mine) => ({ principal: ANONYMOUS, refreshToken: mine.at(-2)!.refreshToken }),
    'the refresh token beside a bad bearer': (mine) => ({
      principal: { kind: 'rejected', reason: 'TOKEN_EXPIRED' },
      refreshToken: mine.at(-1)!.refreshToken,
    }),
    'the refresh token while the bearer cannot be judged': (mine) => ({
      principal: { kind: 'undecided' },
      refreshToken: mine.at(-1)!.refreshToken,
    }),
    'the bearer': (mine) => ({ principal: principalOf(mine[0]!), refreshToken: null }),
    both: (mine) => ({ principal: principalOf(mine[0]!), refreshToken: mine.at(-1)!.refreshToken }),
    'the bearer and garbage': (mine) => ({ principal: principalOf(mine[0]!), refreshToken: 'garbage' }),
    garbage: () => ({ principal: ANONYMOUS, refreshToken: 'garbage' }),
    'a bad bearer': () => ({ principal: { kind: 'rejected', reason: 'TOKEN_INVALID' }, refreshToken: null }),
    'a stale bearer': (mine) => ({
      principal: { kind: 'rejected', reason: 'TOKEN_STALE', subject: mine[0]!.grant.userId, sessionId: mine[0]!.grant.sessionId },
      refreshToken: null,
    }),
    nothing: () => ({ principal: ANONYMOUS, refreshToken: null }),
    'a refresh token replaced long ago': (mine) => ({ principal: ANONYMOUS, refreshToken: mine[0]!.refreshToken }),
  };

  const endsWhatWasSelected = { THIS_SESSION: ['mine'], OTHER_SESSIONS: ['other'], ALL_SESSIONS: ['mine', 'other'] };
  const endsNothing = { THIS_SESSION: [], OTHER_SESSIONS: [], ALL_SESSIONS: [] };
  const endsItsOwn = { THIS_SESSION: ['mine'], OTHER_SESSIONS: ['mine'], ALL_SESSIONS: ['mine'] };
  const outcomes: Record<string, Record<SessionSelection, string[]>> = {
    garbage: endsNothing,
    'a bad bearer': endsNothing,
    'a stale bearer': endsItsOwn,
    nothing: endsNothing,
    'a refresh token replaced long ago': endsItsOwn,
  };

  const matrix = Object.keys(credentials).flatMap((name) =>
    // Once the session has ended, the bearer is asked for the rest, and that is another rule.
    SELECTIONS.filter((selection) => !(name.endsWith('cannot be judged') && selection === 'ALL_SESSIONS')).map((selection) => {
      const ended = (outcomes[name] ?? endsWhatWasSelected)[selection];
      return { name, selection, ended, result: ended.join(' and ') || 'nothing' };
    }),
  );

  it.each(matrix)('of $selection by $name ends $result, and so does a repetition', async ({ name, selection, ended }) => {
    const mine = await rotate(3);
    const sessions = { mine: mine[0], other: await engine.signIn(userId), stranger: await engine.signIn(await engine.newUser()) };
    const { principal, refreshToken } = credentials[name]!(mine);
    for (let time = 1; time <= 2; time += 1) {
      await engine.sessions.logout(principal, OPERATOR, refreshToken, selection);
      for (const [whose, pair] of Object.entries(sessions)) {
        expect(await engine.isAlive(pair), `${whose}, time ${time}`).toBe(!ended.includes(whose));
      }
    }
    // What ends more than one session does not write to them: they are over because the user's version moved on.
    const reason = ended.join() === 'mine' ? 'LOGOUT' : null;
    expect(await engine.row(mine[0])).toMatchObject({ isRevoked: ended.includes('mine'), revokedReason: reason });
    expect(await codeOf(engine.refresh(mine.at(-1)!))).toBe(ended.includes('mine') ? INVALID : LIVES);
    expect(await codeOf(engine.refresh(sessions.other))).toBe(ended.includes('other') ? INVALID : LIVES);
  });

  it.each([null, 'garbage'])(
    'by a bearer that cannot be judged just now is no success, beside the refresh token %s',
    async (refreshToken) => {
      for (const selection of SELECTIONS) {
        expect(await codeOf(engine.sessions.logout({ kind: 'undecided' }, OPERATOR, refreshToken, selection))).toBe('SERVICE_UNAVAILABLE');
      }
    },
  );

  it('of more than a session that has ended is no success, beside a bearer that cannot be judged just now', async () => {
    const pair = await engine.signIn(userId);
    const logout = (selection: SessionSelection) => engine.sessions.logout({ kind: 'undecided' }, OPERATOR, pair.refreshToken, selection);
    await logout('ALL_SESSIONS');
    expect(await engine.isAlive(pair)).toBe(false);
    for (const selection of ['OTHER_SESSIONS', 'ALL_SESSIONS'] as const)
      expect(await codeOf(logout(selection))).toBe('SERVICE_UNAVAILABLE');
    await logout('THIS_SESSION');
  });

  it.each<[selection: SessionSelection, expected: object[]]>([
    ['THIS_SESSION', [{ kind: 'session', minimumVersion: null }]],
    ['OTHER_SESSIONS', [{ kind: 'user', minimumVersion: 2 }]],
    ['ALL_SESSIONS', [{ kind: 'user', minimumVersion: 2 }]],
  ])('of %s is announced as one revocation, however many sessions it ends', async (selection, expected) => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => engine.signIn(userId)));
    await engine.sessions.logout(principalOf(pairs[0]!), OPERATOR, null, selection);
    const key = selection === 'THIS_SESSION' ? pairs[0]!.grant.sessionId : userId;
    expect(engine.announced).toMatchObject(expected.map((entry) => ({ ...entry, key })));
    await expect(
      engine.database.query('SELECT kind, minimum_version::int AS "minimumVersion" FROM revocation WHERE key = $1', [key]),
    ).resolves.toEqual(expected);
  });

  it.each<[how: string, end: (pair: TokenPair) => Promise<unknown>]>([
    ['revoked', (pair) => engine.sessions.revoke(principalOf(pair), OPERATOR, pair.grant.sessionId)],
    ['expired', (pair) => engine.age(pair, 30 * DAY)],
  ])('by a refresh token of a session that is %s ends none beside it for THIS_SESSION, whoever is signed in', async (_how, end) => {
    const dead = await engine.signIn(userId);
    const [mine, other] = [await engine.signIn(userId), await engine.signIn(userId)];
    await end(dead);
    const announced = engine.announced.length;
    await engine.sessions.logout(principalOf(mine), OPERATOR, dead.refreshToken, 'THIS_SESSION');
    expect([await engine.isAlive(mine), await engine.isAlive(other)]).toEqual([true, true]);
    expect(engine.announced).toHaveLength(announced);
    // By the bearer, who speaks for all sessions of the user.
    await engine.sessions.logout(principalOf(mine), OPERATOR, dead.refreshToken, 'OTHER_SESSIONS');
    expect([await engine.isAlive(mine), await engine.isAlive(other)]).toEqual([true, false]);
    await engine.sessions.logout(principalOf(mine), OPERATOR, dead.refreshToken, 'ALL_SESSIONS');
    expect(await engine.isAlive(mine)).toBe(false);
  });

  it('by a refresh token of a dead session of somebody else ends nothing of theirs', async () => {
    const stranger = await engine.newUser();
    const [dead, theirs] = [await engine.signIn(stranger), await engine.signIn(stranger)];
    const mine = await engine.signIn(userId);
    await engine.age(dead, 30 * DAY);
    for (const selection of SELECTIONS) await engine.sessions.logout(principalOf(mine), OPERATOR, dead.refreshToken, selection);
    expect([await engine.isAlive(theirs), await engine.isAlive(mine)]).toEqual([true, false]);
  });

  it('by a refresh token of a session that has expired ends no other', async () => {
    const pair = await engine.signIn(userId);
    const other = await engine.signIn(userId);
    await engine.age(pair, 30 * DAY);
    for (const selection of SELECTIONS) await engine.sessions.logout(ANONYMOUS, OPERATOR, pair.refreshToken, selection);
    expect(await engine.isAlive(other)).toBe(true);
  });

  it('of more than one session moves the version of the user on, so that access tokens go stale', async () => {
    const pair = await engine.signIn(userId);
    await engine.sessions.logout(ANONYMOUS, OPERATOR, pair.refreshToken, 'OTHER_SESSIONS');
    expect((await engine.claims(await engine.refresh(pair))).userVersion).toBe(2);
  });

  it('by garbage asks nothing of the database', async () => {
    const before = engine.queries;
    for (const selection of SELECTIONS) await engine.sessions.logout(ANONYMOUS, OPERATOR, 'garbage', selection);
    expect(engine.queries - before).toBe(0);
  });
});

describe('revoking one session by its id', () => {
  it.each([
    ['not a UUID', () => Promise.resolve("' OR 1=1 --")],
    ['of nobody', () => Promise.resolve(uuidv7())],
    ['of another user', async () => (await engine.signIn(await engine.newUser())).grant.sessionId],
  ])('is refused for an id %s, and ends nothing', async (_name, makeId) => {
    const sessionId = await makeId();
    const mine = await engine.signIn(userId);
    await expect(engine.sessions.revoke(principalOf(mine), OPERATOR, sessionId)).rejects.toMatchObject({
      fault: { code: 'BAD_USER_INPUT', fields: [{ path: 'sessionId', rule: 'exists', message: 'You have no such session.' }] },
    });
    expect(await engine.isAlive(mine)).toBe(true);
    expect(await engine.database.query('SELECT 1 FROM session WHERE id::text = $1 AND revoked_at IS NOT NULL', [sessionId])).toEqual([]);
  });

  it('ends that one of the caller, and tells which it was', async () => {
    const [mine, other] = [await engine.signIn(userId), await engine.signIn(userId)];
    const ended = await engine.sessions.revoke(principalOf(mine), OPERATOR, other.grant.sessionId);
    expect(ended).toMatchObject({ id: other.grant.sessionId, userId });
    expect(await engine.isAlive(other)).toBe(false);
    expect(await engine.isAlive(mine)).toBe(true);
    expect(await codeOf(engine.refresh(other))).toBe(INVALID);
  });

  it('may end the very session that asks, and may be repeated', async () => {
    const mine = await engine.signIn(userId);
    await engine.sessions.revoke(principalOf(mine), OPERATOR, mine.grant.sessionId);
    const { version } = await engine.row(mine);
    await engine.sessions.revoke(principalOf(mine), OPERATOR, mine.grant.sessionId);
    expect(await engine.row(mine)).toMatchObject({ isRevoked: true, revokedReason: 'REVOKED', version });
  });
});

describe('sightings', () => {
  it('raise the generation that was seen, and never lower it', async () => {
    const [r1, r2] = await rotate(1);
    await engine.use(r2!);
    await engine.use(r1);
    expect((await engine.row(r1)).seenGeneration).toBe(2);
  });

  it('of sessions that are gone are left to rest', async () => {
    expect(await engine.store.recordSightings([{ sessionId: uuidv7(), generation: 1 }])).toEqual([]);
  });

  it('tell when the session was last seen', async () => {
    const pair = await engine.signIn(userId);
    await engine.age(pair, HOUR);
    const [before] = await engine.store.byIds([pair.grant.sessionId]);
    await engine.store.recordSightings([{ sessionId: pair.grant.sessionId, generation: 1 }]);
    const [after] = await engine.store.byIds([pair.grant.sessionId]);
    expect(after!.lastSeenAt.getTime() - before!.lastSeenAt.getTime()).toBeGreaterThanOrEqual(HOUR * 1000);
  });
});
