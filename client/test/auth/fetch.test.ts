import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OfflineError } from '../../src/core/offline-error.js';
import { ENDPOINT, seconds, startProgram, startSignedIn, type Program } from '../support/device.js';
import { ModelServer, refusal, type Fate } from '../support/model-server.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

const QUERY = JSON.stringify({ query: 'query Viewer { viewer { id } }' });
const post = (body: RequestInit['body'] = QUERY): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: body ?? null,
});

async function ask(
  { auth }: Program,
  init = post(),
): Promise<{ data?: unknown; errors?: { extensions: { code: string; reason?: string } }[] }> {
  return (await (await auth.fetch(ENDPOINT, init)).json()) as Awaited<ReturnType<typeof ask>>;
}

const viewers = ({ server }: Program) => server.callsOf('Viewer');

describe('fetch', () => {
  it('adds the bearer', async () => {
    const program = await startSignedIn();
    expect(await ask(program)).toEqual({ data: { viewer: { id: 'user-1' } } });
    expect(viewers(program)[0]?.authorization).toBe(`Bearer ${await program.auth.accessToken()}`);
  });

  it('keeps the other headers, in whatever shape they come', async () => {
    const server = new ModelServer();
    const seen: Headers[] = [];
    const { auth } = await startSignedIn({
      server,
      fetch: (input, init) => {
        seen.push(new Headers(init?.headers));
        return server.fetch(input, init);
      },
    });
    for (const headers of [{ 'x-a': '1' }, [['x-a', '1']] as [string, string][], new Headers({ 'x-a': '1' })]) {
      await auth.fetch(ENDPOINT, { ...post(), headers });
      expect(seen.at(-1)?.get('x-a')).toBe('1');
      expect(seen.at(-1)?.has('authorization')).toBe(true);
    }
  });

  it('sends without a bearer when nobody is signed in, and passes the answer on', async () => {
    const program = startProgram();
    expect((await ask(program)).errors?.[0]?.extensions).toMatchObject({ reason: 'TOKEN_MISSING' });
    expect(program.server.calls).toHaveLength(1);
  });

  it('leaves alone a request that brings a bearer of its own', async () => {
    const program = await startSignedIn();
    await program.auth.fetch(ENDPOINT, { ...post(), headers: { Authorization: 'Bearer mine' } });
    expect(viewers(program)).toMatchObject([{ authorization: 'Bearer mine' }]);
  });

  it.each([
    ['https://api.example.com/graphql', true],
    ['https://api.example.com/files/1', true],
    ['https://API.example.com/graphql', true],
    ['https://api.example.com:443/graphql', true],
    ['https://api.example.com', true],
    ['https://other.example.com/graphql', false],
    ['http://api.example.com/graphql', false],
    ['https://api.example.com:8443/graphql', false],
    ['https://api.example.com.evil.example/graphql', false],
    ['https://api.example.com@evil.example/graphql', false],
    ['https://api.example.com\\@evil.example/graphql', false],
    ['https://api.example.com\n.evil.example/graphql', false],
    ['https:api.example.com/graphql', false],
    ['//evil.example/graphql', false],
    ['/graphql', false],
    [' https://evil.example/graphql', false],
    ['', false],
  ])('gives the bearer to the server that issued it and to no other: %j', async (url, isOurs) => {
    const program = await startSignedIn();
    await program.auth.fetch(url, post());
    expect(viewers(program)[0]?.authorization !== undefined).toBe(isOurs);
  });

  it('takes a path of the page itself as its endpoint, where an address has no origin', async () => {
    const program = await startSignedIn({ endpoint: '/graphql' });
    for (const url of ['/graphql', '/elsewhere', 'undefined/graphql', 'https://app.example.com/graphql']) {
      await program.auth.fetch(url, post());
    }
    expect(viewers(program).map(({ authorization }) => authorization !== undefined)).toEqual([true, false, false, false]);
  });

  it.each<[string, string, RequestInfo | URL, boolean]>([
    ['the path', '/graphql', '/graphql', true],
    ['an address', '/graphql', 'https://app.example.com/graphql', true],
    ['a URL', '/graphql', new URL('https://app.example.com/graphql'), true],
    ['a Request', '/graphql', new Request('https://app.example.com/graphql'), true],
    ['another address of the page', '/graphql', 'https://app.example.com/files/1', true],
    ['an address of somebody else', '/graphql', 'https://api.example.com/graphql', false],
    ['the page, and an endpoint that is not of the page', '//api.example.com/graphql', 'https://app.example.com/graphql', false],
    ['the page, and an endpoint with an origin of its own', ENDPOINT, 'https://app.example.com/graphql', false],
  ])('takes a path to be of the page’s origin: %s', async (_what, endpoint, input, isOurs) => {
    vi.stubGlobal('location', new URL('https://app.example.com/start'));
    try {
      const program = await startSignedIn({ endpoint });
      await program.auth.fetch(input, post());
      expect(viewers(program)[0]?.authorization !== undefined).toBe(isOurs);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it.each(['TOKEN_EXPIRED', 'TOKEN_STALE', 'TOKEN_INVALID', 'TOKEN_MISSING'])('refreshes and asks once more on %s', async (reason) => {
    const program = await startSignedIn();
    program.server.fates(() => refusal('UNAUTHENTICATED', { reason }));
    expect(await ask(program)).toEqual({ data: { viewer: { id: 'user-1' } } });
    const [first, second] = viewers(program).map(({ authorization }) => authorization);
    expect(second).not.toBe(first);
    expect(program.server.callsOf('Refresh')).toHaveLength(1);
  });

  it('asks once more, not for ever', async () => {
    const program = await startSignedIn();
    program.server.always('Viewer', () => refusal('UNAUTHENTICATED', { reason: 'TOKEN_INVALID' }));
    expect((await ask(program)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect(viewers(program)).toHaveLength(2);
    expect(program.server.callsOf('Refresh')).toHaveLength(1);
  });

  it('refreshes once for any number of calls that are refused together, and all succeed', async () => {
    const program = await startSignedIn();
    program.server.expireAccessTokens();
    const answers = await Promise.all(Array.from({ length: 25 }, () => ask(program)));
    for (const answer of answers) expect(answer).toEqual({ data: { viewer: { id: 'user-1' } } });
    expect(program.server.callsOf('Refresh')).toHaveLength(1);
  });

  it('does not refresh for an answer to a token that was replaced meanwhile', async () => {
    const program = await startSignedIn();
    const old = await program.auth.accessToken();
    await program.auth.refresh();
    const fresh = await program.auth.recover([{ extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }], old);
    expect(fresh).toBe(await program.auth.accessToken());
    expect(program.server.callsOf('Refresh')).toHaveLength(1);
  });

  it('ends the session at once when it was revoked elsewhere', async () => {
    const program = await startSignedIn();
    program.server.revoke();
    expect((await ask(program)).errors?.[0]?.extensions).toMatchObject({ reason: 'SESSION_REVOKED' });
    expect(program.auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(program.storage.disk.record).toBeUndefined();
    expect(program.server.callsOf('Refresh')).toEqual([]);
  });

  it('does not end the session by an answer to another session’s token', async () => {
    const { auth } = await startSignedIn();
    expect(
      await auth.recover([{ extensions: { code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' } }], 'access/another/1'),
    ).toBeUndefined();
    expect(auth.state.status).toBe('signed-in');
  });

  it('ends the session by an answer to an older token of it, too: it is the session that was revoked', async () => {
    const { auth, storage } = await startSignedIn();
    const old = await auth.accessToken();
    await auth.refresh();
    expect(await auth.recover([{ extensions: { code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' } }], old)).toBeUndefined();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(storage.disk.record).toBeUndefined();
  });

  it('knows answers to the last five tokens of a session, and leaves it alone for those to older ones', async () => {
    const { auth } = await startSignedIn();
    const tokens = [await auth.accessToken()];
    for (let round = 1; round <= 5; round += 1) {
      await auth.refresh();
      tokens.push(await auth.accessToken());
    }
    const expired = [{ extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }];
    expect(await auth.recover(expired, tokens[1])).toBe(tokens[5]);
    expect(await auth.recover(expired, tokens[0])).toBeUndefined();
  });

  it('keeps who has signed in anew when the session before turns out to be revoked', async () => {
    const program = await startSignedIn();
    const { storage, server } = program;
    const other = await startSignedIn({ server, disk: storage.disk });
    await seconds(0);
    expect((await ask(program)).errors?.[0]?.extensions).toMatchObject({ reason: 'SESSION_REVOKED' });
    expect(await other.auth.accessToken()).toMatch(/^access\/session-3\//);
    expect(storage.disk.record).toContain('refresh/session-3/1');
  });

  it.each<[string, Fate]>([
    ['FORBIDDEN', () => refusal('FORBIDDEN', { reason: 'INSUFFICIENT_SCOPE' })],
    ['an error of the app’s own', () => refusal('OUT_OF_STOCK')],
    ['a word in the data', () => Response.json({ data: { viewer: { id: 'UNAUTHENTICATED' } } })],
    ['something that is no GraphQL', () => Response.json(['UNAUTHENTICATED'])],
    ['broken JSON', () => new Response('{"UNAUTHENTICATED"', { headers: { 'content-type': 'application/json' } })],
    ['a page', () => new Response('UNAUTHENTICATED', { headers: { 'content-type': 'text/html' } })],
  ])('passes on what a refresh does not cure: %s', async (_what, fate) => {
    const program = await startSignedIn();
    program.server.fates(fate);
    const response = await program.auth.fetch(ENDPOINT, post());
    expect(await response.text()).not.toBe('');
    expect(program.server.calls).toHaveLength(2);
  });

  it('does not wait for the end of a stream to see what it says', async () => {
    const program = await startSignedIn();
    const endless = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('event: next\n\n')) });
    program.server.fates(() => new Response(endless, { headers: { 'content-type': 'text/event-stream' } }));
    expect((await program.auth.fetch(ENDPOINT, post())).headers.get('content-type')).toBe('text/event-stream');
  });

  it('takes a Request, and can send it twice', async () => {
    const server = new ModelServer();
    const bodies: string[] = [];
    const { auth } = await startSignedIn({
      server,
      fetch: async (input, init) => {
        if (!(input instanceof Request)) return server.fetch(input, init);
        const body = await input.text();
        bodies.push(body);
        return server.fetch(input.url, { body, ...init });
      },
    });
    server.expireAccessTokens();
    const response = await auth.fetch(new Request(ENDPOINT, post()));
    expect(await response.json()).toEqual({ data: { viewer: { id: 'user-1' } } });
    expect(bodies).toEqual([QUERY, QUERY]);
  });

  it('does not send a stream twice', async () => {
    const server = new ModelServer();
    const { auth } = await startSignedIn({
      server,
      fetch: (input, init) => server.fetch(input, { ...init, body: init?.body instanceof ReadableStream ? QUERY : (init?.body ?? null) }),
    });
    server.expireAccessTokens();
    const response = await auth.fetch(ENDPOINT, post(new Blob([QUERY]).stream()));
    expect(await response.text()).toContain('TOKEN_EXPIRED');
    expect(server.callsOf('Viewer')).toHaveLength(1);
  });

  it.each([
    ['mutation A { note viewer { id } }', 1],
    ['query A { note viewer { id } }', 2],
  ])('does not send a mutation twice that was carried out in part: %s', async (query, times) => {
    const program = await startSignedIn();
    let sent = 0;
    program.server.always('A', () => {
      sent += 1;
      const errors = [{ path: ['viewer'], extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }];
      return Response.json({ data: { note: true, viewer: null }, errors });
    });
    await ask(program, post(JSON.stringify({ query })));
    expect(sent).toBe(times);
  });

  it('is offline, not signed out, when the refresh cannot be had', async () => {
    const program = await startSignedIn();
    program.server.expireAccessTokens();
    program.server.always('Refresh', 'lose-request');
    await expect(ask(program)).rejects.toThrow(OfflineError);
    await expect(ask(program)).rejects.toMatchObject({ code: 'OFFLINE', reason: 'network' });
    expect(program.auth.state.status).toBe('offline');
    program.server.heal();
    await seconds(1);
    expect(await ask(program)).toEqual({ data: { viewer: { id: 'user-1' } } });
  });

  it('passes on what the network says of the app’s own calls, and keeps the session', async () => {
    const program = await startSignedIn();
    program.server.fates('lose-request');
    await expect(ask(program)).rejects.toThrow('fetch failed');
    expect(program.auth.state.status).toBe('signed-in');
  });

  it('works without its object', async () => {
    const { auth } = await startSignedIn();
    const { fetch } = auth;
    expect((await fetch(ENDPOINT, post())).ok).toBe(true);
  });
});
