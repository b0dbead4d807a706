import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../../../test/support/calls.js';
import { bearer } from '../../../test/support/client.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { startTcpProxy } from '../../../test/support/tcp-proxy.js';
import { createAuth, type Auth, type AuthOptions } from '../../src/auth.js';
import { RefreshDocument, ViewerDocument } from '../../src/operations.js';
import { memoryStorage } from '../../src/storage/memory.js';
import { unencryptedFileStorage } from '../../src/storage/node-file.js';
import type { TokenStorage } from '../../src/storage/token-storage.js';

let server: TestServer;
let call: Calls;
let folder: string;

beforeAll(async () => {
  // No grace: the server forgives nothing that the kit could have avoided.
  const variables = {
    LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '60',
    LATCHKEY_REFRESH_GRACE_SECONDS: '0',
    LATCHKEY_CLOCK_TOLERANCE_SECONDS: '0',
  };
  server = await startTestServer({ variables });
  call = createCalls(server.graphql);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-client-'));
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const bodyOf = (init: RequestInit | undefined) => (typeof init?.body === 'string' ? init.body : '');

interface App {
  auth: Auth;
  storage: TokenStorage;
  email: string;
  /** How often each operation was sent. */
  sent: Map<string, number>;
}

const endpointOf = (port?: number) => `${port === undefined ? server.url : `http://127.0.0.1:${port}`}/graphql`;

function start({ storage = memoryStorage(), ...options }: Partial<AuthOptions> = {}): Omit<App, 'email'> {
  const sent = new Map<string, number>();
  const counting: typeof fetch = (input, init) => {
    const operation = /(?:mutation|query) (\w+)/.exec(bodyOf(init))?.[1] ?? '';
    sent.set(operation, (sent.get(operation) ?? 0) + 1);
    return (options.fetch ?? fetch)(input, init);
  };
  return { auth: createAuth({ endpoint: endpointOf(), device: { name: 'A test' }, ...options, fetch: counting, storage }), storage, sent };
}

async function startSignedIn(options: Partial<AuthOptions> = {}): Promise<App> {
  const app = start(options);
  const person = newPerson();
  const result = await app.auth.register(person);
  if (!result.ok) throw new Error(result.error.message);
  return { ...app, email: person.email };
}

interface Answer {
  data?: { viewer: { id: string; email: string } } | null;
  errors?: { extensions: { code: string; reason?: string } }[];
}

async function viewer(auth: Auth, endpoint = endpointOf()): Promise<Answer> {
  const response = await auth.fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: ViewerDocument }),
  });
  return (await response.json()) as Answer;
}

/** Somebody who may change the roles of others. */
async function administrator(): Promise<Tokens> {
  const person = newPerson();
  await server.accounts.register(person, { signedIn: null, ipAddress: null, userAgent: null }, ['user', 'admin']);
  return call.answer<Tokens>('login', { input: { identifier: person.email, password: PASSWORD } });
}

describe('signing in', () => {
  it('registers, logs out and logs in again', async () => {
    const { auth, email } = await startSignedIn();
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { user: { email, roles: ['user'] } } });
    expect((await viewer(auth)).data?.viewer.email).toBe(email);
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect((await viewer(auth)).errors?.[0]?.extensions.reason).toBe('TOKEN_MISSING');
    expect(await auth.login({ identifier: email, password: PASSWORD })).toMatchObject({ ok: true });
    expect((await viewer(auth)).data?.viewer.email).toBe(email);
  });

  it('passes on what the server refuses', async () => {
    const { auth, email } = await startSignedIn();
    expect(await auth.login({ identifier: email, password: 'not this one, surely' })).toMatchObject({
      error: { code: 'INVALID_CREDENTIALS' },
    });
    expect(await auth.register({ email, password: PASSWORD })).toMatchObject({ error: { code: 'CONFLICT', reason: 'EMAIL_TAKEN' } });
    const refused = await auth.register({ email: 'no address', password: 'short' });
    expect(refused.ok ? [] : refused.error.fields.map(({ path }) => path)).toEqual(expect.arrayContaining(['email', 'password']));
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { user: { email } } });
  });
});

describe('25 calls at once', () => {
  const askAtOnce = (auth: Auth) => Promise.all(Array.from({ length: 25 }, () => viewer(auth)));

  it('with a token that the server has made stale make one refresh, and all succeed', async () => {
    const { auth, email, sent } = await startSignedIn();
    const { data } = await viewer(auth);
    const admin = await administrator();
    await call.answer('set-user-roles', { input: { userId: data?.viewer.id, roles: ['user', 'admin'] } }, bearer(admin.accessToken));
    for (const answer of await askAtOnce(auth)) expect(answer.data?.viewer.email).toBe(email);
    expect(sent.get('Refresh')).toBe(1);
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { user: { roles: ['admin', 'user'] } } });
  });

  it('with a token that has expired make one refresh, and all succeed', async () => {
    const brief = await startTestServer({
      variables: {
        LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '5',
        LATCHKEY_REFRESH_GRACE_SECONDS: '0',
        // `iat` is a whole second that has begun, so that without it the token could be over before the kit, told of five, believes it.
        LATCHKEY_CLOCK_TOLERANCE_SECONDS: '1',
      },
    });
    try {
      const { auth, sent } = start({ endpoint: `${brief.url}/graphql` });
      await auth.register(newPerson());
      const token = await auth.accessToken();
      const refusal = async () => (await brief.graphql(ViewerDocument, {}, bearer(token!))).errors[0]?.extensions.reason;
      await expect.poll(refusal).toBe('TOKEN_EXPIRED');
      const answers = await Promise.all(Array.from({ length: 25 }, () => viewer(auth, `${brief.url}/graphql`)));
      for (const answer of answers) expect(answer.data?.viewer.email).toContain('@');
      expect(sent.get('Refresh')).toBe(1);
    } finally {
      await brief.close();
    }
  });
});

describe('a session that is revoked elsewhere', () => {
  it('ends here with the next request', async () => {
    const { auth, email, storage, sent } = await startSignedIn();
    const elsewhere = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    const { session } = auth.state as { session: { id: string } };
    await call.answer('revoke-session', { input: { sessionId: session.id } }, bearer(elsewhere.accessToken));
    expect((await viewer(auth)).errors?.[0]?.extensions.reason).toBe('SESSION_REVOKED');
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(await storage.read()).toBeUndefined();
    expect(sent.get('Refresh')).toBeUndefined();
  });

  it('ends here with the next refresh', async () => {
    const { auth, email } = await startSignedIn();
    await start().auth.login({ identifier: email, password: PASSWORD });
    const other = start();
    await other.auth.login({ identifier: email, password: PASSWORD });
    await other.auth.logout({ everywhere: true });
    await auth.refresh();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
  });
});

describe('a lost reply', () => {
  it('to a refresh signs nobody out: the next one gets the same successor', async () => {
    let isLossy = false;
    const issued: string[] = [];
    const lossy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (bodyOf(init).includes(RefreshDocument)) {
        issued.push(((await response.clone().json()) as { data: { refresh: Tokens } }).data.refresh.refreshToken);
      }
      if (!isLossy) return response;
      await response.text();
      throw new TypeError('fetch failed');
    };
    const { auth } = await startSignedIn({ fetch: lossy });
    isLossy = true;
    await auth.refresh();
    expect(auth.state).toMatchObject({ status: 'offline', reason: 'network' });
    isLossy = false;
    await auth.refresh();
    expect(auth.state.status).toBe('signed-in');
    expect(issued.length).toBeGreaterThan(2);
    expect(new Set(issued).size).toBe(1);
    expect((await viewer(auth)).data).toBeTruthy();
    await auth.refresh();
    expect(auth.state.status).toBe('signed-in');
  });

  it('on a connection that seems to stand signs nobody out, though the program ends before it is back', async () => {
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) }, ['mutation Refresh']);
    try {
      const endpoint = endpointOf(proxy.port);
      const storage = unencryptedFileStorage(join(folder, 'lost-reply'));
      const first = await startSignedIn({ endpoint, storage, requestTimeoutMs: 2000 });
      proxy.loseReplies();
      await first.auth.refresh();
      expect(first.auth.state).toMatchObject({ status: 'offline', reason: 'network' });
      expect(proxy.timesAsked('mutation Refresh')).toBe(1);
      first.auth.close();
      proxy.dropAll();
      proxy.heal();
      const again = start({ endpoint, storage: unencryptedFileStorage(join(folder, 'lost-reply')) });
      expect((await viewer(again.auth, endpoint)).data?.viewer.email).toBe(first.email);
      expect(again.auth.state.status).toBe('signed-in');
      await again.auth.refresh();
      expect(again.auth.state.status).toBe('signed-in');
    } finally {
      await proxy.close();
    }
  });

  it('to a logout: the server is told again when the network is back', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    try {
      const { auth, email, storage } = await startSignedIn({ endpoint: endpointOf(proxy.port) });
      proxy.cut();
      expect(await auth.logout()).toEqual({ forgotten: true, revoked: false });
      const elsewhere = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
      const countSessions = async () =>
        (await call.answer<{ sessions: unknown[] }>('viewer', {}, bearer(elsewhere.accessToken))).sessions.length;
      expect(await countSessions()).toBe(2);
      proxy.restore();
      await expect.poll(countSessions).toBe(1);
      await expect.poll(() => storage.read()).toBeUndefined();
    } finally {
      await proxy.close();
    }
  });
});

describe('two programs on one file', () => {
  it('refresh as often as they like, at the same time, and both stay signed in', async () => {
    const path = join(folder, 'shared');
    const first = await startSignedIn({ storage: unencryptedFileStorage(path) });
    const second = start({ storage: unencryptedFileStorage(path) });
    for (let round = 0; round < 10; round += 1) await Promise.all([first.auth.refresh(), second.auth.refresh()]);
    expect([first.auth.state.status, second.auth.state.status]).toEqual(['signed-in', 'signed-in']);
    for (const { auth } of [first, second]) expect((await viewer(auth)).data?.viewer.email).toBe(first.email);
    expect(first.sent.get('Refresh')).toBe(10);
    expect(second.sent.get('Refresh')).toBe(10);
  });
});

describe('a server that is away', () => {
  it('keeps a session that was there before the program started, and gives it back when it is there again', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    try {
      const path = join(folder, 'cold-start');
      const endpoint = endpointOf(proxy.port);
      const { email } = await startSignedIn({ endpoint, storage: unencryptedFileStorage(path) });
      proxy.cut();
      const { auth } = start({ endpoint, storage: unencryptedFileStorage(path) });
      await expect(viewer(auth, endpoint)).rejects.toMatchObject({ code: 'OFFLINE', reason: 'network' });
      expect(auth.state).toMatchObject({ status: 'offline', session: { user: { email } } });
      proxy.restore();
      await expect.poll(() => auth.state.status).toBe('signed-in');
      expect((await viewer(auth, endpoint)).data?.viewer.email).toBe(email);
    } finally {
      await proxy.close();
    }
  });
});
