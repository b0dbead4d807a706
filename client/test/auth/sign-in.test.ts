import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuth } from '../../src/auth.js';
import { memoryStorage } from '../../src/storage/memory.js';
import { ENDPOINT, seconds, startProgram, startSignedIn, stored } from '../support/device.js';
import { locked } from '../support/fragile-storage.js';
import { PASSWORD, refusal, USER, type Fate } from '../support/model-server.js';

const CREDENTIALS = { identifier: 'ada', password: PASSWORD };
const NOW = 1_800_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('starting', () => {
  it('is "starting" until the storage was read, and then signed out', async () => {
    const { auth } = startProgram();
    expect(auth.state).toEqual({ status: 'starting' });
    await auth.ready;
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'nobody' });
  });

  it('knows who is signed in before it has asked anybody', async () => {
    const { storage } = await startSignedIn();
    const { auth, server } = startProgram({ disk: storage.disk });
    await auth.ready;
    expect(auth.state).toEqual({
      status: 'signed-in',
      session: { id: 'session-1', user: USER, scopes: ['users:read'], expiresAt: NOW + 2_592_000_000 },
    });
    expect(server.calls).toEqual([]);
  });

  it('refuses a platform without randomness, and says what to pass', () => {
    vi.stubGlobal('crypto', undefined);
    try {
      expect(() => createAuth({ endpoint: ENDPOINT, storage: memoryStorage() })).toThrow('pass randomId');
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('makes ids where there is no randomUUID: on a page that was not served by HTTPS, with a polyfill of React Native', async () => {
    const { getRandomValues } = crypto;
    vi.stubGlobal('crypto', { getRandomValues: getRandomValues.bind(crypto) });
    try {
      const { auth, server } = await startSignedIn();
      await auth.refresh();
      expect(server.callsOf('Refresh')[0]?.input['attemptId']).toMatch(/^[0-9a-f]{32}$/);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe.each([
  ['login', 'Login', CREDENTIALS],
  ['register', 'Register', { email: 'ada@example.com', password: PASSWORD }],
] as const)('%s', (method, operation, input) => {
  const run = (auth: ReturnType<typeof createAuth>, given: object = input) => auth[method](given as never);

  it('signs in, and says who and until when', async () => {
    const { auth, statuses } = startProgram();
    const session = { id: 'session-1', user: USER, scopes: ['users:read'], expiresAt: NOW + 2_592_000_000 };
    expect(await run(auth)).toEqual({ ok: true, session });
    expect(auth.state).toEqual({ status: 'signed-in', session });
    expect(statuses).toEqual(['signed-out', 'signed-in']);
  });

  it('gives the access token without another call', async () => {
    const { auth, server } = startProgram();
    await run(auth);
    expect(await auth.accessToken()).toMatch(/^access\/session-1\//);
    expect(server.calls).toHaveLength(1);
  });

  it('keeps the refresh token in the storage, and the access token out of it', async () => {
    const { auth, storage } = startProgram();
    await run(auth);
    expect(stored(storage.disk)).toMatchObject({ version: 1, session: { refreshToken: 'refresh/session-1/1' }, revocations: [] });
    expect(storage.disk.record).not.toContain('access/');
    expect(JSON.stringify(auth.state)).not.toMatch(/refresh\/|access\//);
  });

  it('names the device', async () => {
    const device = { name: "Ada's phone", platform: 'IOS' } as const;
    const { auth, server } = startProgram({ device });
    await run(auth);
    expect(server.callsOf(operation)[0]?.input).toEqual({ ...input, device });
  });

  it('passes on what was refused, field by field', async () => {
    const { auth, server, storage } = startProgram();
    const fault = { path: 'input.password', rule: 'minLength', message: 'Use at least 15 characters.' };
    server.fates(() => refusal('BAD_USER_INPUT', { fields: [fault, { path: 'input.email' }] }));
    expect(await run(auth)).toEqual({
      ok: false,
      error: {
        code: 'BAD_USER_INPUT',
        message: 'message of BAD_USER_INPUT',
        reason: undefined,
        fields: [fault, { path: 'input.email', rule: '', message: '' }],
        retryAfterSeconds: undefined,
      },
    });
    expect(auth.state.status).toBe('signed-out');
    expect(storage.disk.record).toBeUndefined();
  });

  it.each<[string, Fate, object]>([
    ['wrong credentials', () => refusal('INVALID_CREDENTIALS'), { code: 'INVALID_CREDENTIALS' }],
    ['a name that is taken', () => refusal('CONFLICT', { reason: 'EMAIL_TAKEN' }), { code: 'CONFLICT', reason: 'EMAIL_TAKEN' }],
    ['too many tries', () => refusal('RATE_LIMITED', { retryAfterSeconds: 30 }), { code: 'RATE_LIMITED', retryAfterSeconds: 30 }],
    ['no connection', 'lose-request', { code: 'OFFLINE', reason: 'network' }],
    ['a lost reply', 'lose-reply', { code: 'OFFLINE', reason: 'network' }],
    ['a full queue', () => refusal('SERVICE_UNAVAILABLE', {}, { status: 503 }), { code: 'OFFLINE', reason: 'server' }],
    ['a masked error', () => refusal('INTERNAL_SERVER_ERROR'), { code: 'OFFLINE', reason: 'server' }],
    ["a proxy's error page", () => new Response('<h1>502</h1>', { status: 502 }), { code: 'OFFLINE', reason: 'server' }],
    ['a captive portal', () => new Response('<h1>Welcome</h1>'), { code: 'OFFLINE', reason: 'server' }],
    ['another schema', () => refusal('GRAPHQL_VALIDATION_FAILED', {}, { status: 400 }), { code: 'UNEXPECTED' }],
    ['data without tokens', () => Response.json({ data: { login: { accessToken: 'a' } } }), { code: 'UNEXPECTED' }],
  ])('says so on %s', async (_what, fate, error) => {
    const { auth, server, storage } = startProgram();
    server.fates(fate);
    expect(await run(auth)).toMatchObject({ ok: false, error });
    expect(auth.state.status).toBe('signed-out');
    expect(storage.disk.record).toBeUndefined();
  });

  it('gives up on a server that never answers', async () => {
    const { auth, server } = startProgram();
    server.fates('hang');
    const result = run(auth);
    await seconds(15);
    expect(await result).toMatchObject({ ok: false, error: { code: 'OFFLINE', reason: 'network' } });
  });

  it('ends the new session at the server when the storage does not take it', async () => {
    const { auth, server, storage } = startProgram();
    storage.before = (access) => (access === 'write' ? locked : undefined);
    expect(await run(auth)).toMatchObject({ ok: false, error: { code: 'OFFLINE', reason: 'storage' } });
    expect(auth.state.status).toBe('signed-out');
    expect(server.liveSessions).toEqual([]);
  });

  it('revokes the session that was open before on this device', async () => {
    const { auth, server, storage } = startProgram();
    await run(auth);
    await run(auth);
    await seconds(0);
    expect(server.liveSessions).toEqual([auth.state.status === 'signed-in' && auth.state.session.id]);
    expect(stored(storage.disk)?.revocations).toEqual([]);
  });

  it('leaves the session that is open alone when it fails', async () => {
    const { auth, server } = startProgram();
    await run(auth);
    server.fates(() => refusal('INVALID_CREDENTIALS'));
    await run(auth);
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-1' } });
  });

  it('signs in over a record that can no longer be read', async () => {
    const { auth, storage } = startProgram();
    storage.disk.record = 'encrypted with a key that is gone';
    storage.before = (access) => (access === 'read' ? locked : undefined);
    await auth.ready;
    expect(await run(auth)).toMatchObject({ ok: true });
    expect(stored(storage.disk)).toMatchObject({ session: { id: 'session-1' } });
  });
});

describe('logout', () => {
  it('forgets the session and ends it at the server', async () => {
    const { auth, server, storage, statuses } = await startSignedIn();
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
    expect(statuses).toEqual(['signed-out']);
    expect(await auth.accessToken()).toBeUndefined();
    expect(storage.disk.record).toBeUndefined();
    expect(server.liveSessions).toEqual([]);
  });

  it('is done here before the server knows', async () => {
    const { auth, server } = await startSignedIn();
    server.fates('hang');
    const result = auth.logout();
    await seconds(0);
    expect(auth.state.status).toBe('signed-out');
    expect(await auth.accessToken()).toBeUndefined();
    await seconds(15);
    expect(await result).toEqual({ forgotten: true, revoked: false });
  });

  it('ends every session of the user when asked to', async () => {
    const { auth, server } = await startSignedIn();
    await startSignedIn({ server });
    await auth.logout({ everywhere: true });
    expect(server.callsOf('Logout')[0]?.input).toEqual({ refreshToken: 'refresh/session-1/1', sessions: 'ALL_SESSIONS' });
    expect(server.liveSessions).toEqual([]);
  });

  it('succeeds when nobody is signed in, and asks nobody', async () => {
    const { auth, server } = startProgram();
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(server.calls).toEqual([]);
  });

  it('offline, keeps nothing but the means to revoke, and tells the server when it is back', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.fates('lose-request', 'lose-request');
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: false });
    expect(stored(storage.disk)).toEqual({
      version: 1,
      session: null,
      revocations: [{ refreshToken: 'refresh/session-1/1', sessions: 'THIS_SESSION' }],
    });
    expect(await auth.accessToken()).toBeUndefined();
    await seconds(5);
    expect(server.liveSessions).toEqual([]);
    expect(storage.disk.record).toBeUndefined();
  });

  it('offline, tells the server when the program is started again', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.fates('lose-request');
    await auth.logout({ everywhere: true });
    auth.close();
    await startProgram({ server, disk: storage.disk }).auth.ready;
    await seconds(0);
    expect(server.callsOf('Logout').map(({ input }) => input['sessions'])).toEqual(['ALL_SESSIONS']);
    expect(server.liveSessions).toEqual([]);
    expect(storage.disk.record).toBeUndefined();
  });

  describe('everywhere that the server has not heard of', () => {
    const signInAgain = async ({ auth }: Pick<Awaited<ReturnType<typeof startSignedIn>>, 'auth'>) => {
      const result = await auth.login({ identifier: 'ada', password: PASSWORD });
      expect(result.ok).toBe(true);
    };

    it('is told before the next sign-in, which it does not end', async () => {
      const program = await startSignedIn();
      program.server.fates('lose-request');
      expect(await program.auth.logout({ everywhere: true })).toEqual({ forgotten: true, revoked: false });
      await signInAgain(program);
      await seconds(300);
      expect(program.server.liveSessions).toEqual([program.auth.state.status === 'signed-in' && program.auth.state.session.id]);
      expect(stored(program.storage.disk)).toMatchObject({ revocations: [] });
    });

    it('is told before the first sign-in of a program that is started again', async () => {
      const before = await startSignedIn();
      before.server.fates('lose-request');
      await before.auth.logout({ everywhere: true });
      before.auth.close();
      const after = startProgram({ server: before.server, disk: before.storage.disk });
      await signInAgain(after);
      await seconds(300);
      expect(after.server.liveSessions).toHaveLength(1);
      expect(after.auth.state.status).toBe('signed-in');
    });

    it('ends but its own session when it cannot be told until the next one has begun', async () => {
      const program = await startSignedIn();
      program.server.fates('lose-request', 'lose-request');
      await program.auth.logout({ everywhere: true });
      await signInAgain(program);
      await seconds(300);
      expect(program.server.callsOf('Logout').map(({ input }) => input['sessions'])).toEqual(['THIS_SESSION']);
      expect(program.server.liveSessions).toHaveLength(1);
      expect(program.auth.state.status).toBe('signed-in');
    });
  });

  it.each<[string, Fate]>([
    ['is under way', 'hang'],
    ['waits to be repeated', 'lose-request'],
  ])('that %s when the program closes the session is repeated when it is started again, and not before', async (_what, fate) => {
    const { auth, server, storage, statuses } = await startSignedIn();
    server.fates(fate);
    const result = auth.logout();
    await seconds(0);
    auth.close();
    expect(await result).toEqual({ forgotten: true, revoked: false });
    expect(vi.getTimerCount()).toBe(0);
    await seconds(1000);
    expect(server.liveSessions).toEqual(['session-1']);
    expect(statuses).toEqual(['signed-out']);
    await startProgram({ server, disk: storage.disk }).auth.ready;
    await seconds(0);
    expect(server.liveSessions).toEqual([]);
  });

  it('leaves no timer when the storage fails after the program has closed the session', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.fates('hang');
    void auth.logout();
    await seconds(0);
    storage.before = () => locked;
    auth.close();
    await seconds(0);
    expect(vi.getTimerCount()).toBe(0);
    const again = startProgram({ server, storage });
    again.auth.close();
    await again.auth.ready;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never signs in again by the token that is kept for revoking', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.fates('lose-request');
    await auth.logout();
    auth.close();
    server.fates('lose-request');
    const again = startProgram({ server, disk: storage.disk });
    expect(await again.auth.accessToken()).toBeUndefined();
    expect(server.callsOf('Refresh')).toEqual([]);
  });

  it.each([
    ['INVALID_REFRESH_TOKEN', true],
    ['BAD_USER_INPUT', false],
    ['GRAPHQL_VALIDATION_FAILED', false],
  ])('does not repeat what the server refuses for good, and tells whether the session is over: %s', async (code, revoked) => {
    const { auth, server, storage } = await startSignedIn();
    server.fates(() => refusal(code));
    expect(await auth.logout()).toEqual({ forgotten: true, revoked });
    expect(storage.disk.record).toBeUndefined();
  });

  it('waits as long as the server asks before it tells it again', async () => {
    const { auth, server } = await startSignedIn();
    server.fates(() => refusal('RATE_LIMITED', { retryAfterSeconds: 30 }));
    expect(await auth.logout()).toMatchObject({ revoked: false });
    await seconds(29.9);
    expect(server.callsOf('Logout')).toHaveLength(1);
    await seconds(1);
    expect(server.callsOf('Logout')).toHaveLength(2);
  });

  it('keeps the last five that the server does not know of', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.always('Logout', 'lose-request');
    for (let round = 0; round < 7; round += 1) {
      await auth.logout();
      await auth.login(CREDENTIALS);
    }
    expect(stored(storage.disk)?.revocations).toHaveLength(5);
  });

  it('stops a refresh that is under way, and its tokens are not taken over', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.fates('hang');
    const refreshed = auth.refresh();
    await seconds(0);
    expect(auth.state.status).toBe('refreshing');
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    await refreshed;
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
    expect(storage.disk.record).toBeUndefined();
    expect(server.liveSessions).toEqual([]);
  });

  it('ends the session by the access token when the storage cannot be read, and removes what it cannot read', async () => {
    const { auth, server, storage } = await startSignedIn();
    storage.before = (access) => (access === 'read' ? locked : undefined);
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(server.callsOf('Logout')).toMatchObject([
      { input: { sessions: 'THIS_SESSION' }, authorization: expect.stringMatching(/^Bearer access/) as string },
    ]);
    expect(storage.disk.record).toBeUndefined();
  });

  it('does not say that the session is over when nothing was left to name it by', async () => {
    const { server, storage } = await startSignedIn();
    storage.before = (access) => (access === 'read' ? locked : undefined);
    const again = startProgram({ server, storage });
    expect(await again.auth.logout()).toEqual({ forgotten: true, revoked: false });
    expect(server.callsOf('Logout')).toEqual([]);
    expect(storage.disk.record).toBeUndefined();
  });

  it('comes after a sign-in whose session is just being stored', async () => {
    const { auth, server, storage } = startProgram();
    await auth.ready;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    storage.before = (access) => (access === 'write' ? released : undefined);
    const signedIn = auth.login(CREDENTIALS);
    await seconds(0);
    const loggedOut = auth.logout();
    release();
    expect(await signedIn).toMatchObject({ ok: true });
    expect(await loggedOut).toEqual({ forgotten: true, revoked: true });
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
    expect(await auth.accessToken()).toBeUndefined();
    expect(server.liveSessions).toEqual([]);
  });

  it('is told as soon as the storage can be read, by a program that was started before', async () => {
    const before = await startSignedIn();
    before.server.fates('lose-request');
    await before.auth.logout({ everywhere: true });
    before.auth.close();
    before.storage.before = () => locked;
    const { auth } = startProgram({ server: before.server, storage: before.storage });
    await seconds(1);
    before.storage.before = () => undefined;
    await seconds(60);
    expect(before.server.liveSessions).toEqual([]);
    expect(before.storage.disk.record).toBeUndefined();
    expect(auth.state.status).toBe('signed-out');
  });

  it('holds, and is finished later, when the storage cannot be touched', async () => {
    const { auth, server, storage } = await startSignedIn();
    storage.before = () => locked;
    expect(await auth.logout()).toEqual({ forgotten: false, revoked: true });
    expect(await auth.accessToken()).toBeUndefined();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
    storage.before = () => undefined;
    expect(await auth.accessToken()).toBeUndefined();
    await seconds(5);
    expect(storage.disk.record).toBeUndefined();
    expect(server.callsOf('Refresh')).toEqual([]);
  });

  it('that is finished later leaves alone who has signed in since', async () => {
    const { auth, server, storage } = await startSignedIn();
    storage.before = () => locked;
    await auth.logout();
    const other = await startSignedIn({ server, disk: storage.disk });
    storage.before = () => undefined;
    await seconds(5);
    expect(stored(storage.disk)).toMatchObject({ session: { id: 'session-3' } });
    expect(other.auth.state.status).toBe('signed-in');
  });
});

describe('subscribers', () => {
  it('are told of each change until they leave', async () => {
    const { auth } = await startSignedIn();
    const listener = vi.fn();
    const leave = auth.subscribe(listener);
    await auth.logout();
    expect(listener.mock.calls).toEqual([[{ status: 'signed-out', reason: 'logged-out' }]]);
    leave();
    await auth.login(CREDENTIALS);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('see the state that they are told of', async () => {
    const { auth } = await startSignedIn();
    auth.subscribe((state) => expect(auth.state).toBe(state));
    await auth.refresh();
  });

  it('cannot stop the session by failing', async () => {
    const { auth } = await startSignedIn();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    const others = process.listeners('unhandledRejection').filter((listener) => listener !== note);
    for (const other of others) process.off('unhandledRejection', other);
    try {
      auth.subscribe(() => {
        throw new Error('a bug of the app');
      });
      await auth.logout();
      expect(auth.state.status).toBe('signed-out');
      vi.useRealTimers();
      await expect.poll(() => unhandled).toEqual([new Error('a bug of the app')]);
    } finally {
      process.off('unhandledRejection', note);
      for (const other of others) process.on('unhandledRejection', other);
    }
  });
});

it('writes nothing to the console, whatever happens', async () => {
  const methods = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name));
  const { auth, server, storage } = await startSignedIn();
  server.fates('lose-reply', () => refusal('INTERNAL_SERVER_ERROR'));
  await auth.refresh();
  storage.before = () => locked;
  await auth.refresh();
  await auth.logout();
  for (const method of methods) {
    expect(method).not.toHaveBeenCalled();
    method.mockRestore();
  }
});
