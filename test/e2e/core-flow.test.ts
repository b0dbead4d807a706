import { createRemoteJWKSet, jwtVerify } from 'jose';
import { allowInsecureRequests, validateJwtAccessToken } from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { NOBODY, OPERATOR } from '../support/callers.js';
import { bearer, createClient, operation } from '../support/client.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

interface Viewer {
  id: string;
  email: string;
  username: string | null;
  roles: string[];
  sessions: { id: string; device: { name: string | null; platform: string }; current: boolean }[];
}

interface UserPage {
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  edges: { cursor: string; node: { id: string; email: string; disabled: boolean } }[];
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The server's clock, for tests that let an access token grow old; the database keeps its own. */
const clock = { aheadMs: 0, now: () => Date.now() + clock.aheadMs, monotonic: () => performance.now() };

let database: TestDatabase;
let server: TestServer;
let call: Calls;

beforeAll(async () => {
  database = await createTestDatabase();
  await start();
});

afterAll(async () => {
  await server.close();
  await database.drop();
});

async function start(): Promise<void> {
  server = await startTestServer({ variables: database.variables, overrides: { clock } });
  call = createCalls(server.graphql);
}

const register = (input: Record<string, unknown> = newPerson()) => call.answer<Tokens>('register', { input });
const login = (identifier: string, more: Record<string, unknown> = {}) =>
  call.answer<Tokens>('login', { input: { identifier, password: PASSWORD, ...more } });
const refresh = (refreshToken: string, attemptId?: string) => call.answer<Tokens>('refresh', { input: { refreshToken, attemptId } });
const viewer = ({ accessToken }: Tokens) => call.answer<Viewer>('viewer', {}, bearer(accessToken));

/** Whether the session of these tokens goes on: what its owner would notice. */
async function isAlive({ refreshToken }: Tokens): Promise<boolean> {
  const { errors } = await server.graphql(operation('refresh'), { input: { refreshToken } });
  if (errors.length > 0) expect(errors[0]!.extensions.code).toBe('INVALID_REFRESH_TOKEN');
  return errors.length === 0;
}

/** Why an access token is refused, or that it is good. */
async function accessReason({ accessToken }: Tokens): Promise<string> {
  const { errors } = await server.graphql(operation('viewer'), {}, bearer(accessToken));
  return errors[0]?.extensions.reason ?? 'good';
}

async function administrator(): Promise<Tokens> {
  const person = newPerson();
  await server.accounts.register(person, NOBODY, ['user', 'admin']);
  return login(person.email);
}

describe('register', () => {
  it('makes an account and signs it in at once', async () => {
    const { email, password } = newPerson();
    const tokens = await register({ email, password, username: 'Ada.L', device: { name: "Ada's phone", platform: 'IOS' } });
    expect(tokens).toMatchObject({
      tokenType: 'Bearer',
      expiresIn: 900,
      refreshTokenExpiresIn: 30 * 86_400,
      scope: '',
      user: { email, roles: ['user'] },
    });
    expect(tokens.user.id).toMatch(UUID);
    expect(tokens.session.id).toMatch(UUID);
    expect(await viewer(tokens)).toEqual({
      id: tokens.user.id,
      email,
      username: 'Ada.L',
      roles: ['user'],
      sessions: [expect.objectContaining({ id: tokens.session.id, device: { name: "Ada's phone", platform: 'IOS' }, current: true })],
    });
  });

  it('tells every fault of the input at once, and none of the values', async () => {
    const error = await call.fault('register', { input: { email: 'no-address', username: '-', password: 'too short' } });
    expect(error.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      retryable: false,
      fields: [
        { path: 'email', rule: 'email' },
        { path: 'username', rule: 'username' },
        { path: 'password', rule: 'minLength' },
      ],
    });
    expect(JSON.stringify(error)).not.toMatch(/no-address|too short/);
  });

  it('refuses an e-mail address and a username that are taken', async () => {
    const { email, password } = newPerson();
    await register({ email, password, username: 'grace' });
    const again = await call.fault('register', { input: { ...newPerson(), email: email.toUpperCase() } });
    expect(again.extensions).toEqual({ code: 'CONFLICT', reason: 'EMAIL_TAKEN', retryable: false });
    const other = await call.fault('register', { input: { ...newPerson(), username: 'GRACE' } });
    expect(other.extensions).toEqual({ code: 'CONFLICT', reason: 'USERNAME_TAKEN', retryable: false });
  });
});

describe('login', () => {
  it.each([
    ['the e-mail address', (email: string) => email],
    ['the e-mail address in capitals', (email: string) => email.toUpperCase()],
    ['the username', (_: string, username: string) => username],
    ['the username in capitals', (_: string, username: string) => username.toUpperCase()],
  ])('takes %s', async (_name, identifierOf) => {
    const { email, password } = newPerson();
    const username = `by-${email.split('@')[0]!}`;
    const { user, session } = await register({ email, password, username });
    const tokens = await login(identifierOf(email, username));
    expect(tokens.user.id).toBe(user.id);
    expect(tokens.session.id).not.toBe(session.id);
  });

  it('answers an unknown user, a wrong password and a disabled user alike', async () => {
    const known = newPerson();
    const disabled = newPerson();
    await register(known);
    const { user } = await register(disabled);
    await server.accounts.setDisabled(user.id, true, OPERATOR);
    const replies = await Promise.all(
      [
        { identifier: 'nobody@example.com', password: PASSWORD },
        { identifier: 'nobody', password: PASSWORD },
        { identifier: known.email, password: `${PASSWORD}!` },
        { identifier: disabled.email, password: PASSWORD },
      ].map((input) => call.fault('login', { input })),
    );
    for (const reply of replies) expect(reply).toEqual(replies[0]);
    expect(replies[0]!.extensions).toEqual({ code: 'INVALID_CREDENTIALS', retryable: false });
  });

  it('narrows a session to the scopes asked for, and refresh never widens it again', async () => {
    const { user } = await administrator();
    const whole = await login(user.email);
    expect(whole.scope).toBe('audit:read users:read users:write');
    const narrow = await login(user.email, { scopes: ['users:read', 'not:granted'] });
    expect(narrow.scope).toBe('users:read');
    expect((await refresh(narrow.refreshToken)).scope).toBe('users:read');
    const refused = await call.fault('set-user-roles', { input: { userId: user.id, roles: [] } }, bearer(narrow.accessToken));
    expect(refused.extensions.code).toBe('FORBIDDEN');
    expect((await login(user.email, { scopes: [] })).scope).toBe('');
  });
});

describe('refresh', () => {
  it('gives a new pair for the same session, and the same successor to every retry', async () => {
    const first = await register();
    const second = await refresh(first.refreshToken, 'attempt-1');
    expect(second.session).toEqual(first.session);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(second.accessToken).not.toBe(first.accessToken);
    for (const attemptId of ['attempt-1', 'attempt-2', undefined]) {
      expect((await refresh(first.refreshToken, attemptId)).refreshToken).toBe(second.refreshToken);
    }
    expect(await viewer(second)).toMatchObject({ id: first.user.id });
  });

  it('keeps the refresh token when it was rotated a moment ago', async () => {
    const second = await refresh((await register()).refreshToken);
    expect((await refresh(second.refreshToken)).refreshToken).toBe(second.refreshToken);
  });

  it.each([
    ['garbage', () => 'garbage'],
    ['nothing', () => ''],
    ['an access token', (tokens: Tokens) => tokens.accessToken],
    [
      'a token with its last character changed',
      ({ refreshToken }: Tokens) => refreshToken.slice(0, -1) + (refreshToken.endsWith('A') ? 'Q' : 'A'),
    ],
  ])('refuses %s, and the session goes on', async (_name, tokenFrom) => {
    const tokens = await register();
    const error = await call.fault('refresh', { input: { refreshToken: tokenFrom(tokens) } });
    expect(error.extensions).toEqual({ code: 'INVALID_REFRESH_TOKEN', retryable: false });
    expect(await isAlive(tokens)).toBe(true);
  });

  it('takes away what the roles do not grant any more', async () => {
    const admin = await administrator();
    await server.accounts.setRoles(admin.user.id, ['user'], OPERATOR);
    expect((await refresh(admin.refreshToken)).scope).toBe('');
  });
});

describe('logout', () => {
  interface People {
    asks: Tokens;
    other: Tokens;
    stranger: Tokens;
  }

  async function people(): Promise<People> {
    const person = newPerson();
    return { asks: await register(person), other: await login(person.email), stranger: await register() };
  }

  it.each([
    ['without input', undefined],
    ['of THIS_SESSION', 'THIS_SESSION'],
    ['of OTHER_SESSIONS', 'OTHER_SESSIONS'],
    ['of ALL_SESSIONS', 'ALL_SESSIONS'],
  ])('%s ends what it names, by refresh token, by bearer and by both', async (_name, sessions) => {
    const reason = sessions === 'OTHER_SESSIONS' || sessions === 'ALL_SESSIONS' ? 'TOKEN_STALE' : 'SESSION_REVOKED';
    const ends = { asks: sessions !== 'OTHER_SESSIONS', other: sessions === 'OTHER_SESSIONS' || sessions === 'ALL_SESSIONS' };
    for (const [withRefreshToken, withBearer] of [
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const { asks, other, stranger } = await people();
      const fields = { ...(withRefreshToken ? { refreshToken: asks.refreshToken } : {}), ...(sessions ? { sessions } : {}) };
      const variables = Object.keys(fields).length > 0 ? { input: fields } : {};
      expect(await call.answer('logout', variables, withBearer ? bearer(asks.accessToken) : {})).toEqual({ success: true });
      // At once, before anything is refreshed.
      expect(await accessReason(asks)).toBe(reason);
      expect({ asks: !(await isAlive(asks)), other: !(await isAlive(other)) }).toEqual(ends);
      expect(await isAlive(stranger)).toBe(true);
    }
  });

  it('ends the session of the refresh token when the bearer token is of another', async () => {
    const { asks, other } = await people();
    await call.answer('logout', { input: { refreshToken: other.refreshToken } }, bearer(asks.accessToken));
    expect([await isAlive(asks), await isAlive(other)]).toEqual([true, false]);
  });

  it.each([
    ['nothing at all', {}, {}],
    ['a refresh token of nobody', { input: { refreshToken: 'garbage' } }, {}],
    ['a bearer token of nobody', {}, bearer('garbage')],
  ])('succeeds with %s', async (_name, variables, headers) => {
    expect(await call.answer('logout', variables, headers)).toEqual({ success: true });
  });

  it('succeeds the second time too', async () => {
    const { refreshToken } = await register();
    for (let time = 1; time <= 2; time += 1) {
      expect(await call.answer('logout', { input: { refreshToken } })).toEqual({ success: true });
    }
  });
});

describe('revokeSession', () => {
  it("ends one of the caller's sessions and describes it", async () => {
    const { email } = (await register()).user;
    const here = await login(email);
    const phone = await login(email, { device: { name: 'Phone', platform: 'ANDROID' } });
    const revoked = await call.answer('revoke-session', { input: { sessionId: phone.session.id } }, bearer(here.accessToken));
    expect(revoked).toMatchObject({ session: { id: phone.session.id, device: { name: 'Phone', platform: 'ANDROID' }, current: false } });
    expect([await isAlive(here), await isAlive(phone)]).toEqual([true, false]);
    expect((await viewer(here)).sessions.map(({ id }) => id)).not.toContain(phone.session.id);
    expect(await accessReason(phone)).toBe('SESSION_REVOKED');
  });

  it("answers to another user's session as to none, and leaves it", async () => {
    const mine = await register();
    const theirs = await register();
    const faults = await Promise.all(
      [theirs.session.id, crypto.randomUUID(), 'no-id'].map((sessionId) =>
        call.fault('revoke-session', { input: { sessionId } }, bearer(mine.accessToken)),
      ),
    );
    for (const fault of faults) expect(fault).toEqual(faults[0]);
    expect(faults[0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'sessionId', rule: 'exists' }] });
    expect(await isAlive(theirs)).toBe(true);
  });
});

describe('changePassword', () => {
  const newPassword = 'eleven green teapots sing';

  it('refuses without the current password, and changes nothing', async () => {
    const person = newPerson();
    const tokens = await register(person);
    const input = { currentPassword: 'not the password at all', newPassword };
    const error = await call.fault('change-password', { input }, bearer(tokens.accessToken));
    expect(error.extensions.code).toBe('INVALID_CREDENTIALS');
    await login(person.email);
  });

  it.each([
    [false, 'ends'],
    [true, 'keeps'],
  ])('with keepOtherSessions %s, %s the other sessions', async (keepOtherSessions) => {
    const person = newPerson();
    const asks = await register(person);
    const other = await login(person.email);
    const input = { currentPassword: PASSWORD, newPassword, keepOtherSessions };
    const changed = await call.answer('change-password', { input }, bearer(asks.accessToken));
    expect(changed).toEqual({ user: { id: asks.user.id, email: person.email } });
    const expectedReason = keepOtherSessions ? 'good' : 'TOKEN_STALE';
    expect([await accessReason(asks), await accessReason(other)]).toEqual([expectedReason, expectedReason]);
    expect([await isAlive(asks), await isAlive(other)]).toEqual([true, keepOtherSessions]);
    const old = await call.fault('login', { input: { identifier: person.email, password: PASSWORD } });
    expect(old.extensions.code).toBe('INVALID_CREDENTIALS');
    await login(person.email, { password: newPassword });
  });
});

describe('what administrators do', () => {
  it.each([
    ['users', {}, [['users:read']]],
    ['set-user-roles', { input: { userId: crypto.randomUUID(), roles: [] } }, [['users:write']]],
    ['set-user-disabled', { input: { userId: crypto.randomUUID(), disabled: true } }, [['users:write']]],
  ])('%s is refused to others, with the scopes that would do', async (name, variables, requiredScopes) => {
    const error = await call.fault(name, variables, bearer((await register()).accessToken));
    expect(error.message).toBe('Your session does not have the scopes that this needs.');
    expect(error.extensions).toEqual({ code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes, retryable: false });
  });

  it('users come page by page, each once, in the order of registration', async () => {
    const admin = await administrator();
    await register();
    const headers = bearer(admin.accessToken);
    const ids: string[] = [];
    let after: string | null = null;
    let page: UserPage;
    do {
      page = await call.answer<UserPage>('users', { first: 7, after }, headers);
      expect(page.edges.length).toBeLessThanOrEqual(7);
      ids.push(...page.edges.map(({ node }) => node.id));
      after = page.pageInfo.endCursor;
    } while (page.pageInfo.hasNextPage);
    expect(ids).toHaveLength(page.totalCount);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it.each([
    ['none', { first: 0 }, 'first'],
    ['fewer than none', { first: -1 }, 'first'],
    ['too many', { first: 101 }, 'first'],
    ['a place that is none', { after: 'bm93aGVyZQ' }, 'after'],
    ['a place with SQL in it', { after: Buffer.from("' OR 1=1 --").toString('base64url') }, 'after'],
  ])('users refuses to show %s', async (_name, variables, path) => {
    const error = await call.fault('users', variables, bearer((await administrator()).accessToken));
    expect(error.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path }] });
  });

  it('setUserRoles grants scopes from the next refresh on, and refuses what does not exist', async () => {
    const headers = bearer((await administrator()).accessToken);
    const tokens = await register();
    const userId = tokens.user.id;
    const changed = await call.answer('set-user-roles', { input: { userId, roles: ['admin', 'user', 'admin'] } }, headers);
    expect(changed).toMatchObject({ id: userId, roles: ['admin', 'user'] });
    expect(await accessReason(tokens)).toBe('TOKEN_STALE');
    expect((await refresh(tokens.refreshToken)).scope).toBe('audit:read users:read users:write');
    for (const [input, path] of [
      [{ userId, roles: ['emperor'] }, 'roles'],
      [{ userId: crypto.randomUUID(), roles: ['user'] }, 'userId'],
      [{ userId: "' OR 1=1 --", roles: ['user'] }, 'userId'],
    ] as const) {
      const error = await call.fault('set-user-roles', { input }, headers);
      expect(error.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path }] });
    }
  });

  it.each([
    ['set-user-roles', { roles: ['user'] }],
    ['set-user-disabled', { disabled: false }],
  ])('%s takes the id of a user in capitals too', async (name, change) => {
    const headers = bearer((await administrator()).accessToken);
    const userId = (await register()).user.id;
    expect(await call.answer(name, { input: { userId: userId.toUpperCase(), ...change } }, headers)).toMatchObject({ id: userId });
  });

  it('two changes of one user in one operation each answer with what they made', async () => {
    const headers = bearer((await administrator()).accessToken);
    const userId = (await register()).user.id;
    const { data } = await server.graphql(
      `mutation ($userId: ID!) {
         grant: setUserRoles(input: { userId: $userId, roles: ["admin"] }) { roles }
         disable: setUserDisabled(input: { userId: $userId, disabled: true }) { roles disabled }
         demote: setUserRoles(input: { userId: $userId, roles: ["user"] }) { roles disabled }
       }`,
      { userId },
      headers,
    );
    expect(data).toEqual({
      grant: { roles: ['admin'] },
      disable: { roles: ['admin'], disabled: true },
      demote: { roles: ['user'], disabled: true },
    });
  });

  it('setUserDisabled ends every session and refuses new ones, until the user is enabled again', async () => {
    const headers = bearer((await administrator()).accessToken);
    const tokens = await register();
    const { id: userId, email } = tokens.user;
    expect(await call.answer('set-user-disabled', { input: { userId, disabled: true } }, headers)).toEqual({
      id: userId,
      email,
      disabled: true,
    });
    expect(await accessReason(tokens)).toBe('TOKEN_STALE');
    expect(await isAlive(tokens)).toBe(false);
    await call.fault('login', { input: { identifier: email, password: PASSWORD } });
    await call.answer('set-user-disabled', { input: { userId, disabled: false } }, headers);
    expect((await login(email)).user.id).toBe(userId);
    expect(await isAlive(tokens)).toBe(false);
  });
});

describe('who is not signed in', () => {
  it.each([
    ['no token', {}, 'TOKEN_MISSING', 'Bearer'],
    ['credentials of another scheme', { authorization: 'Basic YTpi' }, 'TOKEN_MISSING', 'Bearer'],
    ['a token that is not ours', bearer('garbage'), 'TOKEN_INVALID', 'Bearer error="invalid_token"'],
  ])('%s: is told the reason and challenged', async (_name, sent, reason, challenge) => {
    const { status, headers, data, errors } = await server.graphql(operation('viewer'), {}, sent);
    expect({ status, data }).toEqual({ status: 200, data: null });
    expect(errors[0]!.extensions).toEqual({ code: 'UNAUTHENTICATED', reason, retryable: false });
    expect(headers.get('www-authenticate')).toBe(challenge);
  });

  it('is not challenged when nothing was refused', async () => {
    const { headers } = await server.graphql('{ __typename }', {}, bearer('garbage'));
    expect(headers.get('www-authenticate')).toBeNull();
  });

  describe('any more, the access token having expired', () => {
    let expired: Tokens;

    beforeAll(async () => {
      expired = await register();
      clock.aheadMs = 1_000_000;
      return () => {
        clock.aheadMs = 0;
      };
    });

    it('is told so', async () => {
      const { headers, errors } = await server.graphql(operation('viewer'), {}, bearer(expired.accessToken));
      expect(errors[0]!.extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED', retryable: false });
      expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    });

    it.each([
      ['the expired token', () => bearer(expired.accessToken)],
      ['garbage', () => bearer('garbage')],
    ])('can register, log in, refresh and log out while still sending %s', async (_name, headers) => {
      const person = newPerson();
      const { user } = await call.answer<Tokens>('register', { input: person }, headers());
      const input = { identifier: person.email, password: PASSWORD };
      const { refreshToken } = await call.answer<Tokens>('login', { input }, headers());
      const refreshed = await call.answer<Tokens>('refresh', { input: { refreshToken } }, headers());
      expect(refreshed.user).toEqual(user);
      await call.answer('logout', { input: { refreshToken: refreshed.refreshToken } }, headers());
      expect(await isAlive(refreshed)).toBe(false);
    });
  });
});

describe('the signing keys', () => {
  it('are served for anyone to keep a while, public parts alone', async () => {
    const response = await fetch(new URL('/.well-known/jwks.json', server.url));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/jwk-set\+json/);
    expect(response.headers.get('cache-control')).toBe('public, max-age=300');
    const { keys } = (await response.json()) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0]!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });

  it('let others verify an access token: jose', async () => {
    const { accessToken, user, session } = await register();
    const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', server.url));
    const expected = { issuer: 'latchkey', audience: 'latchkey-api', typ: 'at+jwt', algorithms: ['EdDSA'] };
    const { payload } = await jwtVerify(accessToken, keys, expected);
    expect(payload).toMatchObject({ sub: user.id, sid: session.id, client_id: 'latchkey-app', scope: '' });
  });

  it('let others verify an access token: oauth4webapi', async () => {
    const issuer = 'https://auth.example.com';
    const other = await startTestServer({ variables: { LATCHKEY_ISSUER: issuer } });
    try {
      const { accessToken, user } = await createCalls(other.graphql).answer<Tokens>('register', { input: newPerson() });
      const request = new Request('https://api.example.com/', { headers: bearer(accessToken) });
      const as = { issuer, jwks_uri: new URL('/.well-known/jwks.json', other.url).href };
      const claims = await validateJwtAccessToken(as, request, 'latchkey-api', { [allowInsecureRequests]: true });
      expect(claims.sub).toBe(user.id);
    } finally {
      await other.close();
    }
  });
});

describe('a server that is started again on the same database', () => {
  it('knows its sessions and its signing keys still', async () => {
    const before = await register();
    await server.close();
    await start();
    expect(await viewer(before)).toMatchObject({ id: before.user.id });
    expect((await refresh(before.refreshToken)).session).toEqual(before.session);
  });
});

describeOnPostgres('two servers on one database', () => {
  let other: TestServer;
  let there: Calls;

  beforeAll(async () => {
    // The second knows no grace, so that it rotates each time.
    other = await startTestServer({ variables: { ...database.variables, LATCHKEY_REFRESH_GRACE_SECONDS: '0' } });
    there = createCalls(createClient(other.url));
  });

  afterAll(() => other.close());

  it("accept each other's access and refresh tokens", async () => {
    const here = await register();
    expect(await there.answer('viewer', {}, bearer(here.accessToken))).toMatchObject({ id: here.user.id });
    const refreshed = await there.answer<Tokens>('refresh', { input: { refreshToken: here.refreshToken } });
    expect(await viewer(refreshed)).toMatchObject({ id: here.user.id });
    await there.answer('logout', { input: { refreshToken: refreshed.refreshToken } });
    expect(await isAlive(refreshed)).toBe(false);
  });

  it('end the session, and no other, when a refresh token that was replaced long ago is used again', async () => {
    const person = newPerson();
    const first = await register(person);
    const bystander = await login(person.email);
    const second = await there.answer<Tokens>('refresh', { input: { refreshToken: first.refreshToken } });
    const third = await there.answer<Tokens>('refresh', { input: { refreshToken: second.refreshToken } });
    const reuse = await there.fault('refresh', { input: { refreshToken: first.refreshToken } });
    expect(reuse.extensions).toEqual({ code: 'INVALID_REFRESH_TOKEN', retryable: false });
    expect([await isAlive(third), await isAlive(bystander)]).toEqual([false, true]);
  });
});
