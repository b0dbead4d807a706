import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OfflineError } from '../../src/core/offline-error.js';
import { seconds, startProgram, startSignedIn, stored, type Program } from '../support/device.js';
import { locked } from '../support/fragile-storage.js';
import { ModelServer, PASSWORD, refusal, type Fate } from '../support/model-server.js';

const NOW = 1_800_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

async function startWithLifetime(accessTokenLifetimeSeconds: number): Promise<Program> {
  const server = new ModelServer();
  server.accessTokenLifetimeSeconds = accessTokenLifetimeSeconds;
  return startSignedIn({ server });
}

const refreshes = ({ server }: Program) => server.callsOf('Refresh').length;

describe('an access token', () => {
  it.each([
    [3600, 3540],
    [900, 840],
    [240, 180],
    [60, 45],
    [4, 3],
  ])(
    'that lives %i s is refreshed ahead when someone asks for it after %i s, and goes on being given out meanwhile',
    async (lifetime, after) => {
      const program = await startWithLifetime(lifetime);
      const first = await program.auth.accessToken();
      await seconds(after - 0.001);
      expect(await program.auth.accessToken()).toBe(first);
      expect(refreshes(program)).toBe(0);
      await seconds(0.001);
      expect(await program.auth.accessToken()).toBe(first);
      await seconds(0);
      expect(refreshes(program)).toBe(1);
      expect(await program.auth.accessToken()).not.toBe(first);
    },
  );

  it.each([
    [900, 895],
    [20, 18],
  ])('that lives %i s is not given out any more after %i s: it has to arrive', async (lifetime, after) => {
    const program = await startWithLifetime(lifetime);
    const first = await program.auth.accessToken();
    await seconds(after);
    expect(await program.auth.accessToken()).not.toBe(first);
  });

  it('is fetched when someone asks for one, and not before: an idle program sends nothing', async () => {
    const program = await startSignedIn();
    await seconds(86_400);
    expect(refreshes(program)).toBe(0);
    expect(program.auth.state.status).toBe('signed-in');
  });

  it('is given out once, however short it lives', async () => {
    const program = await startWithLifetime(0);
    expect(await program.auth.accessToken()).toMatch(/^access\//);
    expect(refreshes(program)).toBe(1);
  });

  it('is refreshed once for any number who ask at the same time', async () => {
    const program = await startSignedIn();
    await seconds(1000);
    const tokens = await Promise.all(Array.from({ length: 25 }, () => program.auth.accessToken()));
    expect(new Set(tokens).size).toBe(1);
    expect(refreshes(program)).toBe(1);
    expect(program.statuses).toEqual(['refreshing', 'signed-in']);
  });

  it('counts its life from the question, not from the answer', async () => {
    const server = new ModelServer();
    const slow: typeof fetch = async (...given) => {
      const answer = await server.fetch(...given);
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      return answer;
    };
    const { auth } = startProgram({ server, fetch: slow });
    server.accessTokenLifetimeSeconds = 20;
    const signedIn = auth.login({ identifier: 'ada', password: PASSWORD });
    await seconds(10);
    expect(await signedIn).toMatchObject({ ok: true });
    await seconds(5);
    void auth.accessToken();
    await seconds(0);
    expect(server.callsOf('Refresh')).toHaveLength(1);
  });
});

describe('the clock of the device', () => {
  it.each([
    ['ten years fast', NOW + 315_360_000_000],
    ['ten years slow', NOW - 315_360_000_000],
    ['at zero', 0],
  ])('may be wrong: %s', async (_what, time) => {
    vi.setSystemTime(time);
    const program = await startSignedIn();
    await seconds(839);
    await program.auth.accessToken();
    expect(refreshes(program)).toBe(0);
    await seconds(60);
    await program.auth.accessToken();
    expect(refreshes(program)).toBe(1);
  });

  it('may be set back: the monotonic one goes on', async () => {
    const program = await startSignedIn();
    vi.setSystemTime(0);
    await seconds(900);
    await program.auth.accessToken();
    expect(refreshes(program)).toBe(1);
  });

  it('tells of a sleep that the monotonic one has not seen', async () => {
    const program = await startSignedIn();
    vi.setSystemTime(NOW + 3_600_000);
    await program.auth.accessToken();
    expect(refreshes(program)).toBe(1);
  });

  it('that is set forward costs a refresh, and nothing else', async () => {
    const program = await startSignedIn();
    vi.setSystemTime(NOW * 2);
    expect(await program.auth.accessToken()).toMatch(/^access\//);
    expect(await program.auth.accessToken()).toMatch(/^access\//);
    expect(refreshes(program)).toBe(1);
    expect(program.auth.state.status).toBe('signed-in');
  });

  it('is enough where there is no monotonic one', async () => {
    vi.stubGlobal('performance', undefined);
    try {
      const program = await startSignedIn();
      await seconds(900);
      await program.auth.accessToken();
      expect(refreshes(program)).toBe(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe('what ends a session', () => {
  it.each<[string, Fate]>([
    ['INVALID_REFRESH_TOKEN', () => refusal('INVALID_REFRESH_TOKEN')],
    ['INVALID_REFRESH_TOKEN with status 400', () => refusal('INVALID_REFRESH_TOKEN', {}, { status: 400 })],
    ['SESSION_REVOKED', () => refusal('UNAUTHENTICATED', { reason: 'SESSION_REVOKED' })],
  ])('%s', async (_what, fate) => {
    const { auth, server, storage, statuses } = await startSignedIn();
    server.fates(fate);
    await auth.refresh();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(statuses).toEqual(['refreshing', 'signed-out']);
    expect(storage.disk.record).toBeUndefined();
    expect(await auth.accessToken()).toBeUndefined();
  });

  it('ends it even when the storage cannot be written; what is left is removed later', async () => {
    const { auth, server, storage } = await startSignedIn();
    server.revoke();
    let writes = 0;
    storage.before = (access) => (access !== 'read' && (writes += 1) > 1 ? locked : undefined);
    await auth.refresh();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(storage.disk.record).toBeDefined();
    const again = startProgram({ server, disk: storage.disk });
    expect(await again.auth.accessToken()).toBeUndefined();
    expect(again.auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(storage.disk.record).toBeUndefined();
  });
});

describe('what does not end a session', () => {
  const faults: [string, Fate, string][] = [
    ['no connection', 'lose-request', 'network'],
    ['a lost reply', 'lose-reply', 'network'],
    ['a server that never answers', 'hang', 'network'],
    ['SERVICE_UNAVAILABLE', () => refusal('SERVICE_UNAVAILABLE'), 'server'],
    ['SERVICE_UNAVAILABLE with status 503', () => refusal('SERVICE_UNAVAILABLE', {}, { status: 503 }), 'server'],
    ['RATE_LIMITED', () => refusal('RATE_LIMITED', { retryAfterSeconds: 2 }), 'rate-limited'],
    ['INTERNAL_SERVER_ERROR', () => refusal('INTERNAL_SERVER_ERROR'), 'server'],
    ['a 500 that says INVALID_REFRESH_TOKEN', () => refusal('INVALID_REFRESH_TOKEN', {}, { status: 500 }), 'server'],
    ['a 502 of a proxy', () => new Response('<h1>Bad Gateway</h1>', { status: 502 }), 'server'],
    ['a 401 of a proxy', () => new Response('', { status: 401 }), 'server'],
    ['a 404 of another server', () => Response.json({ message: 'no such page' }, { status: 404 }), 'server'],
    ['a captive portal', () => new Response('<h1>Welcome to our hotel</h1>'), 'server'],
    ['an empty answer', () => new Response(''), 'server'],
    ['an answer that was cut off', () => new Response('{"data":{"refresh":{"accessToken":"acc'), 'server'],
    ['null', () => Response.json(null), 'server'],
    ['a list', () => Response.json([]), 'server'],
    ['no data', () => Response.json({ data: null }), 'server'],
    ['an empty list of errors', () => Response.json({ data: null, errors: [] }), 'server'],
    ['errors that are none', () => Response.json({ data: null, errors: [null] }), 'server'],
    ['an error without a code', () => Response.json({ errors: [{ message: 'no' }] }), 'server'],
    ['tokens without a refresh token', () => Response.json({ data: { refresh: { accessToken: 'a', expiresIn: 1 } } }), 'server'],
    ['UNAUTHENTICATED for another reason', () => refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' }), 'server'],
    ['BAD_USER_INPUT', () => refusal('BAD_USER_INPUT'), 'server'],
    ['GRAPHQL_VALIDATION_FAILED', () => refusal('GRAPHQL_VALIDATION_FAILED', {}, { status: 400 }), 'server'],
    ['FORBIDDEN', () => refusal('FORBIDDEN'), 'server'],
  ];

  it.each(faults)('%s', async (_what, fate, reason) => {
    const { auth, server, statuses } = await startSignedIn();
    await seconds(1000);
    server.always('Refresh', fate);
    const asked = expect(auth.accessToken()).rejects.toThrow(OfflineError);
    await seconds(31);
    await asked;
    expect(auth.state).toMatchObject({ status: 'offline', reason, session: { id: 'session-1' } });
    expect(statuses.slice(0, 2)).toEqual(['refreshing', 'offline']);
    expect(statuses).not.toContain('signed-out');

    server.heal();
    await seconds(120);
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-1' } });
    expect(await auth.accessToken()).toMatch(/^access\/session-1\//);
    expect(server.thefts).toBe(0);
  });

  it.each(faults)('%s, when the program starts with it', async (_what, fate, reason) => {
    const { server, storage } = await startSignedIn();
    server.always('Refresh', fate);
    const { auth } = startProgram({ server, disk: storage.disk });
    const asked = expect(auth.accessToken()).rejects.toMatchObject({ code: 'OFFLINE', reason });
    await seconds(31);
    await asked;
    expect(auth.state).toMatchObject({ status: 'offline', reason, session: { id: 'session-1', user: { email: 'ada@example.com' } } });
    server.heal();
    await seconds(120);
    expect(await auth.accessToken()).toMatch(/^access\/session-1\//);
    expect(server.thefts).toBe(0);
  });

  it('a storage that cannot be read when the program starts', async () => {
    const { server, storage } = await startSignedIn();
    const program = startProgram({ server, disk: storage.disk });
    program.storage.before = () => locked;
    await program.auth.ready;
    expect(program.auth.state).toMatchObject({ status: 'offline', reason: 'storage', session: undefined });
    await expect(program.auth.accessToken()).rejects.toMatchObject({ code: 'OFFLINE', reason: 'storage' });
    program.storage.before = () => undefined;
    await seconds(1);
    expect(program.auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-1' } });
  });

  it.each(['read', 'write'] as const)(
    'a storage that cannot be %s any more, and nothing is sent while the answer could not be kept',
    async (failing) => {
      const program = await startSignedIn();
      await seconds(1000);
      program.storage.before = (access) => (access === failing ? locked : undefined);
      await expect(program.auth.accessToken()).rejects.toMatchObject({ reason: 'storage', cause: locked });
      expect(program.auth.state).toMatchObject({ status: 'offline', reason: 'storage', session: { id: 'session-1' } });
      expect(refreshes(program)).toBe(0);
      program.storage.before = () => undefined;
      await seconds(1);
      expect(await program.auth.accessToken()).toMatch(/^access\/session-1\//);
      expect(program.server.thefts).toBe(0);
    },
  );

  it('a refresh ahead that fails: the token that lives is given out until its end', async () => {
    const { auth, server } = await startSignedIn();
    const first = await auth.accessToken();
    server.always('Refresh', 'lose-request');
    await seconds(850);
    expect(await auth.accessToken()).toBe(first);
    await seconds(0);
    expect(auth.state.status).toBe('offline');
    expect(await auth.accessToken()).toBe(first);
    await seconds(45);
    await expect(auth.accessToken()).rejects.toMatchObject({ reason: 'network' });
  });
});

describe('a refresh that got no answer', () => {
  it('is sent a second time at once, since a connection may have died in its sleep', async () => {
    const { auth, server, statuses } = await startSignedIn();
    server.fates('lose-reply');
    await auth.refresh();
    expect(server.callsOf('Refresh')).toHaveLength(2);
    expect(statuses).toEqual(['refreshing', 'signed-in']);
    expect(server.thefts).toBe(0);
  });

  it('is not sent a second time at once when it took its whole time', async () => {
    const { auth, server } = await startSignedIn();
    const sent = vi.fn();
    server.always('Refresh', () => {
      sent();
      throw new TypeError('fetch failed');
    });
    server.fates('hang');
    const refreshed = auth.refresh();
    await seconds(15);
    await refreshed;
    expect(sent).not.toHaveBeenCalled();
  });

  it('is repeated by itself, later and later, never much more than a minute apart, always as the same attempt', async () => {
    const { auth, server } = await startSignedIn();
    const sentAt: number[] = [];
    server.always('Refresh', () => {
      sentAt.push(Date.now());
      return refusal('SERVICE_UNAVAILABLE');
    });
    await auth.refresh();
    await seconds(600);
    const gaps = sentAt.slice(1).map((time, index) => (time - sentAt[index]!) / 1000);
    for (const [index, gap] of gaps.entries()) {
      const longest = Math.min(0.5 * 2 ** index, 60);
      expect(gap).toBeGreaterThanOrEqual(longest / 2 - 0.001);
      expect(gap).toBeLessThanOrEqual(longest + 0.001);
    }
    expect(gaps.length).toBeGreaterThan(12);
    expect(new Set(server.callsOf('Refresh').map(({ input }) => input['attemptId'])).size).toBe(1);
  });

  it('comes back at another moment on each device', async () => {
    const delays = new Set<number>();
    for (let device = 0; device < 10; device += 1) {
      const { auth, server } = await startSignedIn();
      server.always('Refresh', 'lose-request');
      await auth.refresh();
      if (auth.state.status === 'offline') delays.add(auth.state.retryAt);
      auth.close();
    }
    expect(delays.size).toBeGreaterThan(5);
  });

  it.each<[string, () => Response]>([
    ['by retryAfterSeconds', () => refusal('RATE_LIMITED', { retryAfterSeconds: 120 })],
    ['by Retry-After', () => new Response('', { status: 503, headers: { 'retry-after': '120' } })],
  ])('is not repeated before the server wants it: %s', async (_what, answer) => {
    const { auth, server } = await startSignedIn();
    server.fates(answer);
    await auth.refresh();
    expect(auth.state).toMatchObject({ retryAt: expect.any(Number) as number });
    await seconds(119.9);
    expect(server.callsOf('Refresh')).toHaveLength(1);
    await seconds(1);
    expect(server.callsOf('Refresh')).toHaveLength(2);
    expect(auth.state.status).toBe('signed-in');
  });

  it('waits an hour at most, whatever the server says', async () => {
    const { auth, server } = await startSignedIn();
    server.fates(() => refusal('RATE_LIMITED', { retryAfterSeconds: 1e12 }));
    await auth.refresh();
    await seconds(3601);
    expect(auth.state.status).toBe('signed-in');
  });

  it('is not asked for again by those who want a token meanwhile: they are told so at once', async () => {
    const program = await startSignedIn();
    await seconds(1000);
    program.server.fates(() => refusal('RATE_LIMITED', { retryAfterSeconds: 60 }));
    for (let call = 0; call < 5; call += 1) {
      await expect(program.auth.accessToken()).rejects.toMatchObject({ reason: 'rate-limited', retryAt: expect.any(Number) as number });
    }
    expect(refreshes(program)).toBe(1);
  });

  it('is repeated at once when the app says that the network is back', async () => {
    const program = await startSignedIn();
    program.server.always('Refresh', 'lose-request');
    await program.auth.refresh();
    program.server.heal();
    await program.auth.refresh();
    expect(program.auth.state.status).toBe('signed-in');
    await seconds(600);
    expect(refreshes(program)).toBe(1);
  });

  it('does not flicker while it is repeated', async () => {
    const { auth, server, statuses } = await startSignedIn();
    server.always('Refresh', 'lose-request');
    await auth.refresh();
    await seconds(10);
    expect(new Set(statuses.slice(1))).toEqual(new Set(['offline']));
    server.heal();
    await seconds(60);
    expect(statuses.at(-1)).toBe('signed-in');
  });

  it('keeps no timer once the program closes the session', async () => {
    const { auth, server } = await startSignedIn();
    server.always('Refresh', 'lose-request');
    await auth.refresh();
    auth.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is given up, told to nobody and not repeated once the program closes the session', async () => {
    const { auth, server, statuses } = await startSignedIn();
    server.fates('hang');
    const refreshed = auth.refresh();
    await seconds(0);
    auth.close();
    await refreshed;
    expect(vi.getTimerCount()).toBe(0);
    await auth.refresh();
    await seconds(1000);
    expect(server.callsOf('Refresh')).toEqual([]);
    expect(statuses).toEqual(['refreshing']);
  });
});

describe('each refresh', () => {
  it('goes on with the token of the one before, under an attempt id of its own', async () => {
    let ids = 0;
    const { auth, server, storage } = await startSignedIn({ randomId: () => `attempt-${(ids += 1)}` });
    await auth.refresh();
    await auth.refresh();
    expect(server.callsOf('Refresh').map(({ input }) => input)).toEqual([
      { refreshToken: 'refresh/session-1/1', attemptId: 'attempt-1' },
      { refreshToken: 'refresh/session-1/2', attemptId: 'attempt-2' },
    ]);
    expect(stored(storage.disk)?.session).toMatchObject({ refreshToken: 'refresh/session-1/3' });
    expect(stored(storage.disk)?.session).not.toHaveProperty('attemptId');
  });

  it('sends no bearer, no cookie, and follows no redirect with the token in its body', async () => {
    const server = new ModelServer();
    const inits: (RequestInit | undefined)[] = [];
    const watching: typeof fetch = (input, init) => {
      inits.push(init);
      return server.fetch(input, init);
    };
    const { auth } = await startSignedIn({ server, fetch: watching });
    await auth.refresh();
    for (const init of inits) expect(init).toMatchObject({ method: 'POST', credentials: 'omit', redirect: 'error' });
    expect(server.callsOf('Refresh')[0]?.authorization).toBeUndefined();
  });

  it('takes over who the user is now', async () => {
    const { auth, server } = await startSignedIn();
    server.scope = 'users:read users:write';
    await auth.refresh();
    expect(auth.state).toMatchObject({ session: { scopes: ['users:read', 'users:write'] } });
  });
});
