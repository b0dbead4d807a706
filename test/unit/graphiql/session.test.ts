import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer, held, loggedOut, refusal, tokens, unreachable } from './fake-server.js';

const CREDENTIALS = { identifier: 'ada', password: 'correct horse battery' };

let server: FakeServer;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  server = new FakeServer();
});

afterEach(() => {
  vi.useRealTimers();
});

async function signedIn(expiresIn = 900): Promise<void> {
  server.answers(tokens('1', { expiresIn }));
  await server.session.signIn(CREDENTIALS);
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

describe('signing in', () => {
  it('is signed out at first', () => {
    expect(server.session.getState()).toEqual({ status: 'signed-out', notice: undefined });
  });

  it('keeps the tokens, the user and the moment of expiry', async () => {
    server.answers(tokens('1'));
    expect(await server.session.signIn(CREDENTIALS)).toEqual({ ok: true });
    expect(server.session.getState()).toEqual({
      status: 'signed-in',
      user: { email: 'ada@example.com', roles: ['user'] },
      accessToken: 'access-1',
      refreshToken: 'refresh-1',
      accessTokenExpiresAt: 900_000,
      trouble: undefined,
    });
  });

  it('counts the lifetime from the question, not from the answer', async () => {
    const late = held(tokens('1', { expiresIn: 60 }));
    server.answers(late.answer);
    const outcome = server.session.signIn(CREDENTIALS);
    await seconds(5);
    late.release();
    await outcome;
    expect(server.session.getState()).toMatchObject({ accessTokenExpiresAt: 60_000 });
  });

  it('names the device', async () => {
    await signedIn();
    expect(server.callsOf('Login')).toEqual([{ ...CREDENTIALS, device: { name: 'GraphiQL', platform: 'WEB' } }]);
  });

  it('registers, and leaves out a username that was not given', async () => {
    server.answers(tokens('1'));
    await server.session.register({ email: 'ada@example.com', username: undefined, password: 'correct horse battery' });
    expect(server.callsOf('Register')).toEqual([
      { email: 'ada@example.com', password: 'correct horse battery', device: { name: 'GraphiQL', platform: 'WEB' } },
    ]);
    expect(server.session.getState().status).toBe('signed-in');
  });

  it('says what the server refused, field by field', async () => {
    const fault = { path: 'input.password', rule: 'minLength', message: 'Use at least 15 characters.' };
    server.answers(refusal('BAD_USER_INPUT', { fields: [fault, 'not a fault', { path: ['input', 'email'], message: 'No.' }] }));
    const outcome = await server.session.register({ email: 'a', username: 'ada', password: 'short' });
    expect(outcome).toEqual({
      ok: false,
      message: 'message of BAD_USER_INPUT',
      fields: [fault, { path: 'input.email', rule: '', message: 'No.' }],
    });
    expect(server.session.getState().status).toBe('signed-out');
  });

  it.each([
    ['no connection', unreachable, 'The server could not be reached.'],
    ['a full queue', refusal('SERVICE_UNAVAILABLE', {}, 503), 'message of SERVICE_UNAVAILABLE'],
    ["a proxy's error page", () => new Response('<h1>502</h1>', { status: 502 }), 'The server answered with status 502.'],
    ['data without tokens', () => Response.json({ data: { login: {} } }), 'The server gave no tokens.'],
  ])('says so on %s', async (_what, answer, message) => {
    server.answers(answer);
    expect(await server.session.signIn(CREDENTIALS)).toEqual({ ok: false, message, fields: [] });
  });

  it('tells its subscribers until they leave', async () => {
    const listener = vi.fn();
    const leave = server.session.subscribe(listener);
    await signedIn();
    expect(listener).toHaveBeenCalledTimes(1);
    leave();
    server.answers(loggedOut);
    await server.session.signOut();
    expect(listener).toHaveBeenCalledTimes(1);
  });
});

describe('refreshing', () => {
  it.each([
    [900, 870],
    [60, 30],
    [20, 10],
    [1, 1],
  ])('of a token that lives %i s happens after %i s', async (lifetime, after) => {
    await signedIn(lifetime);
    server.answers(tokens('2'));
    await seconds(after - 0.001);
    expect(server.callsOf('Refresh')).toHaveLength(0);
    await seconds(0.001);
    expect(server.callsOf('Refresh')).toEqual([{ refreshToken: 'refresh-1', attemptId: 'attempt-1' }]);
    expect(server.session.getState()).toMatchObject({ accessToken: 'access-2', refreshToken: 'refresh-2' });
  });

  it('goes on with the token of the refresh before, under a new attempt id', async () => {
    await signedIn(60);
    server.answers(tokens('2', { expiresIn: 60 }), tokens('3', { expiresIn: 60 }));
    await seconds(60);
    expect(server.callsOf('Refresh')).toEqual([
      { refreshToken: 'refresh-1', attemptId: 'attempt-1' },
      { refreshToken: 'refresh-2', attemptId: 'attempt-2' },
    ]);
  });

  it('takes over the roles of today', async () => {
    await signedIn();
    server.answers(tokens('2', { user: { email: 'ada@example.com', roles: ['user', 'admin'] } }));
    await server.session.refresh();
    expect(server.session.getState()).toMatchObject({ user: { roles: ['user', 'admin'] } });
  });

  it('sends one request at a time', async () => {
    await signedIn();
    const slow = held(tokens('2'));
    server.answers(slow.answer);
    const all = Promise.all([server.session.refresh(), server.session.refresh()]);
    await seconds(900);
    slow.release();
    await all;
    expect(server.callsOf('Refresh')).toHaveLength(1);
  });

  it.each([
    ['the network fails', unreachable],
    ['the database is gone', refusal('SERVICE_UNAVAILABLE')],
    ['the server is busy', refusal('RATE_LIMITED')],
    ['the server fails', refusal('INTERNAL_SERVER_ERROR')],
    ['an unknown error is marked as retryable', refusal('NEW_CODE', { retryable: true })],
    ['an unknown error is not marked', refusal('NEW_CODE')],
    ['a 5xx claims a verdict', refusal('INVALID_REFRESH_TOKEN', {}, 502)],
    ['the answer is cut off', () => new Response('{"data":{"refr')],
    ['the answer has no tokens', () => Response.json({ data: {} })],
  ])('keeps the session and tries again with the same attempt id when %s', async (_what, answer) => {
    await signedIn();
    server.answers(answer, tokens('2'));
    await seconds(870);
    expect(server.session.getState()).toMatchObject({
      status: 'signed-in',
      accessToken: 'access-1',
      trouble: expect.any(String) as string,
    });
    await seconds(1);
    expect(server.callsOf('Refresh').map((input) => input['attemptId'])).toEqual(['attempt-1', 'attempt-1']);
    expect(server.session.getState()).toMatchObject({ accessToken: 'access-2', trouble: undefined });
  });

  it('waits longer after each failure, and never longer than half a minute', async () => {
    await signedIn();
    const askedAt: number[] = [];
    for (let failure = 0; failure < 8; failure += 1) {
      server.answers((call) => {
        askedAt.push(Date.now() / 1000);
        return unreachable(call);
      });
    }
    await seconds(870 + 121);
    expect(askedAt).toEqual([870, 871, 873, 877, 885, 901, 931, 961, 991].slice(0, 8));
  });

  it('waits as long as the server asks', async () => {
    await signedIn();
    server.answers(refusal('RATE_LIMITED', { retryAfterSeconds: 45 }), tokens('2'));
    await seconds(870 + 44.9);
    expect(server.callsOf('Refresh')).toHaveLength(1);
    await seconds(0.1);
    expect(server.callsOf('Refresh')).toHaveLength(2);
  });

  it.each([
    ['the refresh token is invalid', refusal('INVALID_REFRESH_TOKEN')],
    ['the session is revoked', refusal('SESSION_REVOKED')],
    ['the reason is a revoked session', refusal('UNAUTHENTICATED', { reason: 'SESSION_REVOKED' }, 401)],
  ])('ends the session when %s', async (_what, answer) => {
    await signedIn();
    server.answers(answer);
    await seconds(870);
    expect(server.session.getState()).toEqual({ status: 'signed-out', notice: 'Your session has ended. Log in again.' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the access token to send', () => {
  it('is undefined when nobody is signed in', async () => {
    expect(await server.session.accessToken()).toBeUndefined();
  });

  it('is the one held while it lives', async () => {
    await signedIn();
    expect(await server.session.accessToken()).toBe('access-1');
    expect(server.callsOf('Refresh')).toHaveLength(0);
  });

  it('is refreshed first when it is found expired, as after a sleep', async () => {
    await signedIn();
    server.answers(tokens('2'));
    vi.setSystemTime(900_000);
    expect(await server.session.accessToken()).toBe('access-2');
  });

  it('is the expired one when the server cannot be reached, so that an operation never waits for a retry', async () => {
    await signedIn();
    server.answers(unreachable);
    vi.setSystemTime(900_000);
    expect(await server.session.accessToken()).toBe('access-1');
  });
});

describe('logging out', () => {
  it('forgets the tokens before the server has answered', async () => {
    await signedIn();
    const slow = held(loggedOut);
    server.answers(slow.answer);
    const done = server.session.signOut();
    expect(server.session.getState()).toEqual({ status: 'signed-out', notice: 'Logged out.' });
    expect(await server.session.accessToken()).toBeUndefined();
    slow.release();
    await done;
    expect(server.callsOf('Logout')).toEqual([{ refreshToken: 'refresh-1' }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('during a refresh presents the successor, and stays signed out', async () => {
    await signedIn();
    const slow = held(tokens('2'));
    server.answers(slow.answer, loggedOut);
    const refreshed = server.session.refresh();
    const done = server.session.signOut();
    slow.release();
    await Promise.all([refreshed, done]);
    expect(server.callsOf('Logout')).toEqual([{ refreshToken: 'refresh-2' }]);
    expect(server.session.getState().status).toBe('signed-out');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops the retries of a refresh', async () => {
    await signedIn();
    server.answers(unreachable, loggedOut);
    await server.session.refresh();
    await server.session.signOut();
    await seconds(3600);
    expect(server.calls.map(({ operation }) => operation)).toEqual(['Login', 'Refresh', 'Logout']);
  });

  it('says that the session stays open when the server could not be told', async () => {
    await signedIn();
    server.answers(unreachable);
    await server.session.signOut();
    expect(server.session.getState()).toEqual({
      status: 'signed-out',
      notice:
        'Logged out on this page, but the server does not know: The server could not be reached. ' +
        'The session stays open there until it is revoked or expires.',
    });
  });

  it('leaves the next session alone when the server answers late', async () => {
    await signedIn();
    const slow = held(unreachable);
    server.answers(slow.answer, tokens('2'));
    const done = server.session.signOut();
    await seconds(0);
    await server.session.signIn(CREDENTIALS);
    slow.release();
    await done;
    expect(server.session.getState()).toMatchObject({ status: 'signed-in', accessToken: 'access-2' });
  });

  it('does nothing when nobody is signed in', async () => {
    await server.session.signOut();
    expect(server.calls).toEqual([]);
  });
});

describe('what an operation in the editor was answered', () => {
  const unauthenticated = (reason: string) => ({ errors: [{ message: 'No.', extensions: { code: 'UNAUTHENTICATED', reason } }] });

  it('signs in with the tokens in it, whatever their alias', () => {
    server.session.observe({ data: { mine: { accessToken: 'a', refreshToken: 'r', expiresIn: 60 } } }, undefined);
    expect(server.session.getState()).toMatchObject({ status: 'signed-in', accessToken: 'a', refreshToken: 'r', user: undefined });
  });

  it('replaces the tokens held, and refreshes with the new ones', async () => {
    await signedIn();
    server.session.observe({ data: { refresh: { accessToken: 'a', refreshToken: 'r', expiresIn: 60 } } }, 'access-1');
    server.answers(tokens('2'));
    await seconds(30);
    expect(server.callsOf('Refresh')).toEqual([{ refreshToken: 'r', attemptId: 'attempt-1' }]);
  });

  it('ends the session when it is revoked', async () => {
    await signedIn();
    server.session.observe(unauthenticated('SESSION_REVOKED'), 'access-1');
    expect(server.session.getState()).toEqual({ status: 'signed-out', notice: 'This session was revoked. Log in again.' });
  });

  it.each(['TOKEN_STALE', 'TOKEN_EXPIRED', 'TOKEN_INVALID'])('refreshes on %s', async (reason) => {
    await signedIn();
    server.answers(tokens('2'));
    server.session.observe(unauthenticated(reason), 'access-1');
    await seconds(0);
    expect(server.session.getState()).toMatchObject({ accessToken: 'access-2' });
  });

  it.each([
    ['another token than the one held', unauthenticated('SESSION_REVOKED'), 'access-0'],
    ['no token of ours', unauthenticated('SESSION_REVOKED'), undefined],
    ['another refusal', { errors: [{ extensions: { code: 'FORBIDDEN' } }] }, 'access-1'],
    ['something that is no result', 'hello', 'access-1'],
    ['tokens without their lifetime', { data: { login: { accessToken: 'a', refreshToken: 'r' } } }, 'access-1'],
  ])('changes nothing when it is for %s', async (_what, result, sent) => {
    await signedIn();
    const before = server.session.getState();
    server.session.observe(result, sent);
    expect(server.session.getState()).toBe(before);
  });
});
