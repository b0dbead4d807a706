import { describe, expect, it, vi } from 'vitest';

import { AuthError } from '../../../src/errors.js';
import { createContextBuilder, type IncomingRequest } from '../../../src/graphql/context.js';
import type { SessionStore } from '../../../src/persistence/session.store.js';
import type { UserStore } from '../../../src/persistence/user.store.js';
import type { SessionActivity } from '../../../src/sessions/activity.js';
import type { RevocationFeed } from '../../../src/sessions/revocation-feed.js';
import type { AccessTokenClaims, AccessTokens } from '../../../src/tokens/access-token.js';
import type { BearerCredentials } from '../../../src/tokens/bearer.js';
import { ADA, ADAS_SESSION, BOB, PAIR, sessionRecord, userRecord } from '../../support/graphql-engine.js';
import { recordingLog } from '../../support/log.js';

const CLAIMS: AccessTokenClaims = {
  subject: ADA,
  sessionId: ADAS_SESSION,
  generation: 3,
  userVersion: 1,
  scopes: ['users:read', 'users:write'],
  authTime: 1_800_000_000,
  issuedAt: 1_800_000_100,
  expiresAt: 1_800_001_000,
};

function setUp() {
  const verify = vi.fn<AccessTokens['verify']>(async () => ({ kind: 'verified', claims: CLAIMS }));
  const stateOf = vi.fn<RevocationFeed['stateOf']>(() => 'live');
  const see = vi.fn<SessionActivity['see']>();
  const users = { byIds: vi.fn<UserStore['byIds']>(async (ids) => ids.map(userRecord)) };
  const sessions = {
    byIds: vi.fn<SessionStore['byIds']>(async (ids) => ids.map((id) => sessionRecord(id, ADA))),
    liveByUsers: vi.fn<SessionStore['liveByUsers']>(async () => [sessionRecord(ADAS_SESSION, ADA)]),
  };
  const { log, lines } = recordingLog();
  const build = createContextBuilder({
    accessTokens: { verify } as Partial<AccessTokens> as AccessTokens,
    revocations: { stateOf },
    activity: { see } as Partial<SessionActivity> as SessionActivity,
    users,
    sessions,
    log,
  });
  const request = (credentials: BearerCredentials): IncomingRequest => ({
    credentials,
    client: { ipAddress: '192.0.2.1', userAgent: 'test' },
    requestId: 'request-1',
  });
  return { verify, stateOf, see, users, sessions, lines, build: (credentials: BearerCredentials) => build(request(credentials)) };
}

const BEARER: BearerCredentials = { kind: 'bearer', token: 'token' };

describe('the context of a request', () => {
  it('is of nobody without a token, and verifies none', async () => {
    const { build, verify, stateOf, see } = setUp();
    expect((await build({ kind: 'none' })).principal).toEqual({ kind: 'anonymous' });
    expect(verify).not.toHaveBeenCalled();
    expect(stateOf).not.toHaveBeenCalled();
    expect(see).not.toHaveBeenCalled();
  });

  it('rejects malformed credentials, and verifies none', async () => {
    const { build, verify } = setUp();
    expect((await build({ kind: 'malformed', detail: 'two' })).principal).toEqual({ kind: 'rejected', reason: 'TOKEN_INVALID' });
    expect(verify).not.toHaveBeenCalled();
  });

  it.each(['TOKEN_INVALID', 'TOKEN_EXPIRED'] as const)(
    'rejects a token that is %s without throwing, and counts no sighting',
    async (reason) => {
      const { build, verify, see, lines } = setUp();
      verify.mockResolvedValueOnce({ kind: 'rejected', reason, detail: 'why' });
      expect((await build(BEARER)).principal).toEqual({ kind: 'rejected', reason });
      expect(see).not.toHaveBeenCalled();
      expect(lines).toMatchObject([{ level: 'debug', requestId: 'request-1', reason, detail: 'why' }]);
    },
  );

  it.each(['SESSION_REVOKED', 'TOKEN_STALE'] as const)(
    'rejects a verified token that is %s since, and counts no sighting',
    async (reason) => {
      const { build, stateOf, see } = setUp();
      for (const state of [reason, Promise.resolve(reason)]) {
        stateOf.mockReturnValueOnce(state);
        const named = reason === 'TOKEN_STALE' ? { subject: ADA, sessionId: ADAS_SESSION } : {};
        expect((await build(BEARER)).principal).toEqual({ kind: 'rejected', reason, ...named });
      }
      expect(stateOf).toHaveBeenCalledWith(CLAIMS);
      expect(see).not.toHaveBeenCalled();
    },
  );

  it('does not ask whether a token is revoked that is not good anyway', async () => {
    const { build, verify, stateOf } = setUp();
    verify.mockResolvedValueOnce({ kind: 'rejected', reason: 'TOKEN_EXPIRED', detail: 'past exp' });
    await build(BEARER);
    expect(stateOf).not.toHaveBeenCalled();
  });

  it('is undecided, and neither throws nor rejects, while nobody can tell whether the token is revoked', async () => {
    const { build, stateOf, see, lines } = setUp();
    stateOf.mockRejectedValueOnce(new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'no database'));
    expect((await build(BEARER)).principal).toEqual({ kind: 'undecided' });
    expect(see).not.toHaveBeenCalled();
    expect(lines).toMatchObject([{ level: 'error', requestId: 'request-1' }]);
  });

  it.each([
    ['the keys cannot be loaded', new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'no keys')],
    ['of a fault of ours', new TypeError('a fault')],
  ])('is undecided, and neither throws nor rejects, because %s', async (_name, error) => {
    const { build, verify, see, lines } = setUp();
    verify.mockRejectedValueOnce(error);
    expect((await build(BEARER)).principal).toEqual({ kind: 'undecided' });
    expect(see).not.toHaveBeenCalled();
    expect(lines).toMatchObject([{ level: 'error', requestId: 'request-1' }]);
  });

  it('is of whom the token is, and counts the sighting', async () => {
    const { build, see, verify } = setUp();
    expect((await build(BEARER)).principal).toEqual({
      kind: 'authenticated',
      subject: ADA,
      sessionId: ADAS_SESSION,
      scopes: new Set(['users:read', 'users:write']),
      authTime: 1_800_000_000,
    });
    expect(verify).toHaveBeenCalledExactlyOnceWith('token');
    expect(see).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ sessionId: ADAS_SESSION, generation: 3 }));
  });

  it('never logs the token', async () => {
    const { build, verify, lines } = setUp();
    verify.mockResolvedValueOnce({ kind: 'rejected', reason: 'TOKEN_INVALID', detail: 'why' });
    await build({ kind: 'bearer', token: 'canary-token' });
    verify.mockRejectedValueOnce(new Error('a fault'));
    await build({ kind: 'bearer', token: 'canary-token' });
    expect(JSON.stringify(lines)).not.toContain('canary-token');
  });

  it('reads no database', async () => {
    const { build, users, sessions } = setUp();
    await build(BEARER);
    for (const read of [users.byIds, sessions.byIds, sessions.liveByUsers]) expect(read).not.toHaveBeenCalled();
  });

  it('knows where the request comes from', async () => {
    expect(await setUp().build({ kind: 'none' })).toMatchObject({
      client: { ipAddress: '192.0.2.1', userAgent: 'test' },
      requestId: 'request-1',
    });
  });

  it('keeps its loaders and its principal when it is copied as Apollo copies it', async () => {
    const { build, users } = setUp();
    const context = await build(BEARER);
    const copy = Object.assign(Object.create(Object.getPrototypeOf(context) as object) as typeof context, context);
    expect(await copy.loaders.user.load(ADA)).toEqual(userRecord(ADA));
    expect(copy.principal).toBe(context.principal);
    expect(users.byIds).toHaveBeenCalledTimes(1);
  });
});

describe('signing in', () => {
  it('makes the rest of the request run as the new session, whatever token came along', async () => {
    const { build, verify } = setUp();
    verify.mockResolvedValueOnce({ kind: 'rejected', reason: 'TOKEN_EXPIRED', detail: 'past exp' });
    const context = await build(BEARER);
    context.signIn({ ...PAIR.grant, scopes: ['users:read'], authTime: 1_800_000_000.9 });
    expect(context.principal).toEqual({
      kind: 'authenticated',
      subject: ADA,
      sessionId: ADAS_SESSION,
      scopes: new Set(['users:read']),
      authTime: 1_800_000_000,
    });
  });

  it('makes the rest of the request act as the user who has just signed in', async () => {
    const context = await setUp().build({ kind: 'none' });
    const client = { ipAddress: '192.0.2.1', userAgent: 'test' };
    expect([context.caller, context.actor]).toEqual([
      { ...client, signedIn: null },
      { ...client, userId: null },
    ]);
    context.signIn(PAIR.grant);
    expect([context.caller, context.actor]).toEqual([
      { ...client, signedIn: context.principal },
      { ...client, userId: ADA },
    ]);
  });

  it('reads nothing anew of the user who has just signed in', async () => {
    const { build, users } = setUp();
    const context = await build({ kind: 'none' });
    context.signIn(PAIR.grant);
    expect(await context.loaders.user.load(ADA)).toBe(PAIR.grant.user);
    expect(users.byIds).not.toHaveBeenCalled();
  });

  it('leaves other requests alone', async () => {
    const { build } = setUp();
    const [one, other] = [await build({ kind: 'none' }), await build({ kind: 'none' })];
    one.signIn(PAIR.grant);
    expect(other.principal).toEqual({ kind: 'anonymous' });
  });
});

describe('the loaders of a request', () => {
  it('are made once, when they are first used', async () => {
    const context = await setUp().build({ kind: 'none' });
    const { loaders } = context;
    expect(context.loaders).toBe(loaders);
  });

  it('load many users in one query, and each once', async () => {
    const { build, users } = setUp();
    const { loaders } = await build(BEARER);
    users.byIds.mockImplementationOnce(async (ids) => ids.map(userRecord).reverse());
    const found = await Promise.all([loaders.user.load(ADA), loaders.user.load(BOB), loaders.user.load(ADA)]);
    expect(found.map(({ id }) => id)).toEqual([ADA, BOB, ADA]);
    expect(users.byIds).toHaveBeenCalledExactlyOnceWith([ADA, BOB]);
  });

  it('share nothing with another request', async () => {
    const { build, users } = setUp();
    await (await build(BEARER)).loaders.user.load(ADA);
    await (await build(BEARER)).loaders.user.load(ADA);
    expect(users.byIds).toHaveBeenCalledTimes(2);
  });

  it('fail for what is gone, and for that alone', async () => {
    const { build, users, sessions } = setUp();
    const { loaders } = await build(BEARER);
    users.byIds.mockResolvedValueOnce([userRecord(BOB)]);
    const [gone, there] = await Promise.allSettled([loaders.user.load(ADA), loaders.user.load(BOB)]);
    expect(gone).toMatchObject({ status: 'rejected', reason: { message: 'A row that was referred to is gone.' } });
    expect(there).toMatchObject({ status: 'fulfilled' });
    sessions.byIds.mockResolvedValueOnce([]);
    await expect(loaders.session.load(ADAS_SESSION)).rejects.toThrow('gone');
  });

  it('give each user their own sessions, in order, and none to who has none', async () => {
    const { build, sessions } = setUp();
    const { loaders } = await build(BEARER);
    const [second, first] = [sessionRecord('2', ADA), sessionRecord('1', ADA)];
    sessions.liveByUsers.mockResolvedValueOnce([second, first]);
    const [ofAda, ofBob] = await Promise.all([loaders.sessionsOfUser.load(ADA), loaders.sessionsOfUser.load(BOB)]);
    expect(ofAda).toEqual([second, first]);
    expect(ofBob).toEqual([]);
    expect(sessions.liveByUsers).toHaveBeenCalledExactlyOnceWith([ADA, BOB]);
  });
});
