import { describe, expect, it, type Mock } from 'vitest';

import type { Principal } from '../../../src/authorization/principal.js';
import { AuthError, type Fault } from '../../../src/errors.js';
import {
  ADA,
  ada,
  ADAS_SESSION,
  ANYONE,
  BOB,
  createGraphqlEngine,
  sessionRecord,
  type GraphqlEngine,
} from '../../support/graphql-engine.js';

const LOGIN =
  'mutation { login(input: { identifier: "ada", password: "correct horse battery staple" }) { user { id email disabled sessions { id current } } session { id current } } }';
const MISSING = { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING', retryable: false };

/** One document for each root field, and the fake that it must not reach when it is refused. */
const documents = {
  viewer: '{ viewer { id } }',
  users: '{ users { totalCount } }',
  revokeSession: 'mutation { revokeSession(input: { sessionId: "1" }) { session { id } } }',
  changePassword: 'mutation { changePassword(input: { currentPassword: "a", newPassword: "b" }) { user { id } } }',
  setUserRoles: `mutation { setUserRoles(input: { userId: "${BOB}", roles: [] }) { id } }`,
  setUserDisabled: `mutation { setUserDisabled(input: { userId: "${BOB}", disabled: true }) { id } }`,
};
const needsScopes: Record<string, string> = { users: 'users:read', setUserRoles: 'users:write', setUserDisabled: 'users:write' };

/** Every call that reached what stands behind the schema. */
const callsOf = ({ fakes }: GraphqlEngine): unknown[] =>
  Object.values(fakes)
    .flatMap((fake) => Object.values<Mock>(fake))
    .flatMap(({ mock }): unknown[] => mock.calls);

describe('the fields of the schema', () => {
  const nobodies: [string, Principal, object, string | undefined][] = [
    ['nobody', ANYONE, MISSING, 'Bearer'],
    [
      'an expired token',
      { kind: 'rejected', reason: 'TOKEN_EXPIRED' },
      { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED', retryable: false },
      'Bearer error="invalid_token"',
    ],
    [
      'an invalid token',
      { kind: 'rejected', reason: 'TOKEN_INVALID' },
      { code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID', retryable: false },
      'Bearer error="invalid_token"',
    ],
    ['a token that cannot be judged', { kind: 'undecided' }, { code: 'SERVICE_UNAVAILABLE', retryable: true }, undefined],
  ];

  it.each(nobodies)('that are protected refuse %s, and nothing behind them runs', async (_name, principal, extensions, challenge) => {
    for (const document of Object.values(documents)) {
      const engine = createGraphqlEngine();
      const reply = await engine.run(document, principal);
      expect(reply.errors.map((error) => error.extensions)).toEqual([extensions]);
      expect(reply.data).toBeNull();
      expect(reply.challenge).toBe(challenge);
      expect(callsOf(engine)).toEqual([]);
    }
  });

  it.each(Object.entries(needsScopes))('refuse %s without the scope %s, and nothing behind it runs', async (field, scope) => {
    const other = scope === 'users:read' ? 'users:write' : 'users:read';
    for (const principal of [ada(), ada(other)]) {
      const engine = createGraphqlEngine();
      const reply = await engine.run(documents[field as keyof typeof documents], principal);
      expect(reply.errors.map((error) => error.extensions)).toEqual([
        { code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: [[scope]], retryable: false },
      ]);
      expect(reply.challenge).toBeUndefined();
      expect(callsOf(engine)).toEqual([]);
    }
  });

  it.each(Object.entries(documents))('let %s through with all scopes', async (_field, document) => {
    const reply = await createGraphqlEngine().run(document, ada('users:read', 'users:write'));
    expect(reply.errors).toEqual([]);
  });

  it.each<[string, Principal]>([
    ['nobody', ANYONE],
    ['an expired token', { kind: 'rejected', reason: 'TOKEN_EXPIRED' }],
    ['a token that cannot be judged', { kind: 'undecided' }],
  ])('that are public serve %s', async (_name, principal) => {
    const { run } = createGraphqlEngine();
    for (const document of [
      'mutation { register(input: { email: "a@example.com", password: "p" }) { tokenType } }',
      'mutation { login(input: { identifier: "a", password: "p" }) { tokenType } }',
      'mutation { refresh(input: { refreshToken: "r" }) { tokenType } }',
      'mutation { logout { success } }',
    ]) {
      expect((await run(document, principal)).errors).toEqual([]);
    }
  });
});

describe('a payload that brings tokens', () => {
  it.each([
    ['register', 'register(input: { email: "a@example.com", password: "p" })'],
    ['login', 'login(input: { identifier: "a", password: "p" })'],
    ['refresh', 'refresh(input: { refreshToken: "r" })'],
  ])('of %s resolves protected fields as the session that it has just started', async (name, call) => {
    const { run } = createGraphqlEngine();
    const { data, errors } = await run(`mutation { ${call} { user { id sessions { id current } } session { id current } } }`, {
      kind: 'rejected',
      reason: 'TOKEN_EXPIRED',
    });
    expect(errors).toEqual([]);
    expect(data).toEqual({
      [name]: { user: { id: ADA, sessions: [{ id: ADAS_SESSION, current: true }] }, session: { id: ADAS_SESSION, current: true } },
    });
  });

  it('still refuses what its scopes do not allow', async () => {
    const { errors } = await createGraphqlEngine().run(LOGIN);
    expect(errors.map(({ path, extensions }) => [path, extensions?.['code']])).toEqual([[['login', 'user', 'disabled'], 'FORBIDDEN']]);
  });

  it('signs nobody in when it fails', async () => {
    const { run, fakes } = createGraphqlEngine();
    fakes.accounts.authenticate.mockRejectedValueOnce(new AuthError({ code: 'INVALID_CREDENTIALS' }, 'wrong password'));
    const { data, errors } = await run(
      'mutation { login(input: { identifier: "a", password: "p" }) { tokenType } revokeSession(input: { sessionId: "1" }) { session { id } } }',
    );
    expect(data).toBeNull();
    expect(errors.map((error) => error.extensions)).toEqual([{ code: 'INVALID_CREDENTIALS', retryable: false }]);
    expect(fakes.sessions.revoke).not.toHaveBeenCalled();
  });
});

describe('what a query reads', () => {
  it('is nothing for viewer { id }', async () => {
    const engine = createGraphqlEngine();
    expect((await engine.run('{ viewer { id } }', ada())).data).toEqual({ viewer: { id: ADA } });
    expect(callsOf(engine)).toEqual([]);
  });

  it('is one user and one list of sessions for all of the viewer', async () => {
    const { run, fakes } = createGraphqlEngine();
    const document =
      '{ viewer { id email username roles createdAt sessions { id device { name platform } createdAt lastSeenAt expiresAt ipAddress userAgent current } } }';
    const { data, errors } = await run(document, ada());
    expect(errors).toEqual([]);
    expect(data).toMatchObject({
      viewer: { id: ADA, sessions: [{ device: { platform: 'IOS' }, createdAt: '1970-01-01T00:00:00.000Z', current: true }] },
    });
    expect(fakes.users.byIds).toHaveBeenCalledExactlyOnceWith([ADA]);
    expect(fakes.sessionStore.liveByUsers).toHaveBeenCalledExactlyOnceWith([ADA]);
    expect(fakes.sessionStore.byIds).not.toHaveBeenCalled();
  });

  it('is one page and one list of sessions for all users', async () => {
    const { run, fakes } = createGraphqlEngine();
    const { data, errors } = await run('{ users { edges { node { id email disabled sessions { id } } } } }', ada('users:read'));
    expect(errors).toEqual([]);
    expect(data).toMatchObject({ users: { edges: [{ node: { id: ADA } }, { node: { id: BOB } }] } });
    expect(fakes.users.byIds).not.toHaveBeenCalled();
    expect(fakes.sessionStore.liveByUsers).toHaveBeenCalledExactlyOnceWith([ADA, BOB]);
  });

  it('is not the sessions of another user without users:read, whichever way they are reached', async () => {
    const { run, fakes } = createGraphqlEngine();
    const { errors } = await run(
      `mutation { setUserRoles(input: { userId: "${BOB}", roles: [] }) { id sessions { id } } }`,
      ada('users:write'),
    );
    expect(errors.map(({ path, extensions }) => [path, extensions?.['code']])).toEqual([[['setUserRoles', 'sessions'], 'FORBIDDEN']]);
    expect(fakes.sessionStore.liveByUsers).not.toHaveBeenCalled();
  });
});

describe('inputs', () => {
  const field = 'tokenType';

  it.each([
    ['a device name that is too long', 'login', { identifier: 'a', password: 'p', device: { name: 'x'.repeat(129) } }, 'device.name'],
    ['a device name with a control character', 'login', { identifier: 'a', password: 'p', device: { name: 'a\u0007b' } }, 'device.name'],
    ['a device name that is not well-formed', 'login', { identifier: 'a', password: 'p', device: { name: '\ud800' } }, 'device.name'],
    [
      'a device name at registration',
      'register',
      { email: 'a@example.com', password: 'p', device: { name: '\n\u001b[31m!' } },
      'device.name',
    ],
    ['a scope with a space', 'login', { identifier: 'a', password: 'p', scopes: ['users:read users:write'] }, 'scopes'],
    ['an empty scope', 'login', { identifier: 'a', password: 'p', scopes: [''] }, 'scopes'],
    ['65 scopes', 'login', { identifier: 'a', password: 'p', scopes: Array.from({ length: 65 }, (_, i) => `s${i}`) }, 'scopes'],
    ['an empty attemptId', 'refresh', { refreshToken: 'r', attemptId: '' }, 'attemptId'],
    ['an attemptId of 129 characters', 'refresh', { refreshToken: 'r', attemptId: 'x'.repeat(129) }, 'attemptId'],
    ['an attemptId that is not well-formed', 'refresh', { refreshToken: 'r', attemptId: '\udc00' }, 'attemptId'],
  ])('are refused before anything is tried: %s', async (_name, call, input, path) => {
    const engine = createGraphqlEngine();
    const type = `${call[0]!.toUpperCase()}${call.slice(1)}Input!`;
    const { errors } = await engine.run(`mutation ($input: ${type}) { ${call}(input: $input) { ${field} } }`, ANYONE, { input });
    expect(errors.map((error) => error.extensions)).toMatchObject([{ code: 'BAD_USER_INPUT', fields: [{ path }] }]);
    expect(callsOf(engine)).toEqual([]);
  });

  it.each([0, -1, 101, 2_147_483_647])('of a page are refused where %i users are asked for', async (first) => {
    const { errors } = await createGraphqlEngine().run('query ($first: Int) { users(first: $first) { totalCount } }', ada('users:read'), {
      first,
    });
    expect(errors.map((error) => error.extensions)).toMatchObject([{ code: 'BAD_USER_INPUT', fields: [{ path: 'first' }] }]);
  });

  it.each(['', 'garbage', "' OR 1=1 --", Buffer.from('not a UUID').toString('base64url')])(
    'of a page are refused where it begins after %j',
    async (after) => {
      const engine = createGraphqlEngine();
      const { errors } = await engine.run('query ($after: String) { users(after: $after) { totalCount } }', ada('users:read'), { after });
      expect(errors.map((error) => error.extensions)).toMatchObject([{ code: 'BAD_USER_INPUT', fields: [{ path: 'after' }] }]);
      expect(engine.fakes.users.page).not.toHaveBeenCalled();
    },
  );

  it('of a page may be left out or null, and its cursors lead to the next', async () => {
    const { run, fakes } = createGraphqlEngine();
    const document =
      'query ($first: Int, $after: String) { users(first: $first, after: $after) { pageInfo { startCursor endCursor hasPreviousPage hasNextPage } } }';
    await run(document, ada('users:read'), { first: null, after: null });
    expect(fakes.users.page).toHaveBeenLastCalledWith(50, undefined);
    const { data } = await run(document, ada('users:read'));
    const { endCursor } = (data as { users: { pageInfo: { endCursor: string } } }).users.pageInfo;
    const next = await run(document, ada('users:read'), { first: 100, after: endCursor });
    expect(fakes.users.page).toHaveBeenLastCalledWith(100, BOB);
    expect(next.data).toMatchObject({ users: { pageInfo: { hasPreviousPage: true, hasNextPage: false } } });
  });

  it('of an empty page give no cursor', async () => {
    const { run, fakes } = createGraphqlEngine();
    fakes.users.page.mockResolvedValueOnce({ users: [], hasMore: false, totalCount: 0 });
    const { data } = await run('{ users { pageInfo { startCursor endCursor } } }', ada('users:read'));
    expect(data).toEqual({ users: { pageInfo: { startCursor: null, endCursor: null } } });
  });

  it('reach the domain parsed: a trimmed name, a platform, no scopes unless given', async () => {
    const { run, fakes } = createGraphqlEngine();
    await run(
      'mutation { login(input: { identifier: "a", password: "p", device: { name: "  Ada’s phone ", platform: IOS } }) { tokenType } }',
    );
    expect(fakes.sessions.start).toHaveBeenLastCalledWith(
      expect.objectContaining({ device: { name: 'Ada’s phone', platform: 'IOS' }, scopes: null }),
    );
    await run('mutation { login(input: { identifier: "a", password: "p", device: { name: " " }, scopes: ["users:read"] }) { tokenType } }');
    expect(fakes.sessions.start).toHaveBeenLastCalledWith(
      expect.objectContaining({ device: { name: null, platform: 'OTHER' }, scopes: ['users:read'] }),
    );
  });

  it.each([undefined, null, 'x', 'x'.repeat(128)])('of a refresh reach the domain with the attemptId %j', async (attemptId) => {
    const { run, fakes } = createGraphqlEngine();
    const input = { refreshToken: 'r', attemptId };
    await run('mutation ($input: RefreshInput!) { refresh(input: $input) { tokenType } }', ANYONE, { input });
    const client = { ipAddress: null, userAgent: null };
    expect(fakes.sessions.refresh).toHaveBeenLastCalledWith({ refreshToken: 'r', attemptId: attemptId ?? null, client });
  });

  it('of a logout may be left out, null, or hold nulls', async () => {
    const { run, fakes } = createGraphqlEngine();
    const actor = { userId: null, ipAddress: null, userAgent: null };
    for (const call of ['logout', 'logout(input: null)', 'logout(input: {})', 'logout(input: { refreshToken: null })']) {
      await run(`mutation { ${call} { success } }`, ANYONE);
      expect(fakes.sessions.logout).toHaveBeenLastCalledWith(ANYONE, actor, null, 'THIS_SESSION');
    }
    await run('mutation { logout(input: { refreshToken: "r", sessions: ALL_SESSIONS }) { success } }', ANYONE);
    expect(fakes.sessions.logout).toHaveBeenLastCalledWith(ANYONE, actor, 'r', 'ALL_SESSIONS');
  });
});

describe('a stored platform that this version does not know', () => {
  it('is OTHER', async () => {
    const { run, fakes } = createGraphqlEngine();
    fakes.sessionStore.liveByUsers.mockResolvedValueOnce([{ ...sessionRecord(ADAS_SESSION, ADA), devicePlatform: 'FRIDGE' }]);
    const { data } = await run('{ viewer { sessions { device { platform } } } }', ada());
    expect(data).toEqual({ viewer: { sessions: [{ device: { platform: 'OTHER' } }] } });
  });
});

describe('a document with more than one guess', () => {
  it.each([
    [
      'two logins',
      'mutation { a: login(input: { identifier: "a", password: "1" }) { tokenType } b: login(input: { identifier: "a", password: "2" }) { tokenType } }',
    ],
    [
      'a login and a refresh',
      'mutation { login(input: { identifier: "a", password: "1" }) { tokenType } refresh(input: { refreshToken: "r" }) { tokenType } }',
    ],
    [
      'a login in a fragment',
      `mutation { ...F ...__schema } fragment F on Mutation { a: login(input: { identifier: "a", password: "1" }) { tokenType } }
       fragment __schema on Mutation { b: login(input: { identifier: "a", password: "2" }) { tokenType } }`,
    ],
    [
      'a change of password beside a login',
      'mutation { login(input: { identifier: "a", password: "1" }) { tokenType } changePassword(input: { currentPassword: "a", newPassword: "b" }) { user { id } } }',
    ],
  ])('is refused before any is tried: %s', async (_name, document) => {
    const engine = createGraphqlEngine();
    const { errors, data } = await engine.run(document, ada());
    expect(data).toBeUndefined();
    expect(errors.map(({ message }) => message)).toEqual(['An operation may hold one field that tries a credential.']);
    expect(callsOf(engine)).toEqual([]);
  });

  it('is none in logout, which says nothing of the token that it is given', async () => {
    const logout = (token: string) => `${token}: logout(input: { refreshToken: "${token}" }) { success }`;
    const { errors, data } = await createGraphqlEngine().run(`mutation { ${logout('a')} ${logout('b')} }`);
    expect(errors).toEqual([]);
    expect(data).toEqual({ a: { success: true }, b: { success: true } });
  });
});

describe('what goes wrong', () => {
  it('is masked, with the request id that leads to the log', async () => {
    const { run, fakes, lines } = createGraphqlEngine();
    fakes.accounts.authenticate.mockRejectedValueOnce(new Error('connect to 10.0.0.1 with hunter2'));
    const { errors } = await run('mutation Go { login(input: { identifier: "a", password: "p" }) { tokenType } }');
    expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, requestId: 'request-1' } }]);
    expect(JSON.stringify(errors)).not.toMatch(/hunter2|10\.0|stack/);
    expect(lines).toMatchObject([
      {
        level: 'error',
        requestId: 'request-1',
        operationName: 'Go',
        path: ['login'],
        err: { message: 'connect to 10.0.0.1 with hunter2' },
      },
    ]);
  });

  it.each<[string, Fault, string]>([
    ['a refusal', { code: 'INVALID_REFRESH_TOKEN' }, 'debug'],
    ['a database that cannot answer', { code: 'SERVICE_UNAVAILABLE' }, 'warn'],
  ])('is told without the private detail, which the log has: %s', async (_name, fault, level) => {
    const { run, fakes, lines } = createGraphqlEngine();
    fakes.sessions.refresh.mockRejectedValueOnce(new AuthError(fault, 'a private detail'));
    const { errors } = await run('mutation { refresh(input: { refreshToken: "canary" }) { tokenType } }');
    expect(errors.map((error) => error.extensions?.['code'])).toEqual([fault.code]);
    expect(JSON.stringify(errors)).not.toContain('private');
    expect(lines).toMatchObject([{ level, requestId: 'request-1', code: fault.code, detail: 'a private detail' }]);
    expect(JSON.stringify(lines)).not.toContain('canary');
  });

  it('in a document is not logged: it is the client that must be mended', async () => {
    const { run, lines } = createGraphqlEngine();
    for (const document of ['{ nothing }', '{', 'query ($a: Int!) { users(first: $a) { totalCount } }']) await run(document);
    expect(lines).toEqual([]);
  });
});
