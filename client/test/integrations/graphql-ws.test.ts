import { createClient, type ClientOptions } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../../../test/support/calls.js';
import { bearer } from '../../../test/support/client.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import type { Auth } from '../../src/auth.js';
import type { Session } from '../../src/core/state.js';
import { createConnectionOptions } from '../../src/integrations/graphql-ws.js';
import { startApp, startSignedInApp } from '../support/app.js';
import { FragileStorage, locked } from '../support/fragile-storage.js';
import { startSocketServer, type SocketServer } from '../support/socket-server.js';

let server: TestServer;
let call: Calls;
let endpoint: string;
let sockets: SocketServer;

beforeAll(async () => {
  server = await startTestServer({ variables: { LATCHKEY_REFRESH_GRACE_SECONDS: '0' } });
  call = createCalls(server.graphql);
  endpoint = `${server.url}/graphql`;
});

afterAll(() => server.close());

beforeEach(async () => {
  sockets = await startSocketServer(server.graphql);
});

afterEach(() => sockets.close());

interface Subscription {
  told: unknown[];
  /** Why it ended, once it has. */
  ended: unknown;
}

/** A client, and what subscribes to who one is. */
function connect(auth: Auth, options: Partial<ClientOptions> = {}): () => Subscription {
  const retryWait = () => Promise.resolve();
  const client = createClient({ url: sockets.url, webSocketImpl: WebSocket, retryWait, ...createConnectionOptions(auth), ...options });
  return () => {
    const subscription: Subscription = { told: [], ended: undefined };
    client.subscribe(
      { query: 'subscription { me }' },
      {
        next: ({ data }) => subscription.told.push(data?.['me']),
        error: (error) => (subscription.ended = error),
        complete: () => (subscription.ended = 'complete'),
      },
    );
    return subscription;
  };
}

/** Gives somebody other roles: their access tokens are over at once, and only the server knows. */
async function changeRoles({ auth }: { auth: Auth }): Promise<void> {
  const person = newPerson();
  await server.accounts.register(person, { signedIn: null, ipAddress: null, userAgent: null }, ['user', 'admin']);
  const admin = await call.answer<Tokens>('login', { input: { identifier: person.email, password: PASSWORD } });
  const { user } = (auth.state as { session: Session }).session;
  await call.answer('set-user-roles', { input: { userId: user.id, roles: ['user', 'admin'] } }, bearer(admin.accessToken));
}

const told = (subscription: Subscription, ...emails: string[]) => expect.poll(() => subscription.told).toEqual(emails);
const ended = (subscription: Subscription, why: object) => expect.poll(() => subscription.ended).toMatchObject(why);
/** The server hears of an end after the client does. */
const closedWith = (...codes: number[]) => expect.poll(() => sockets.closed).toEqual(codes);
const header = (token: string | undefined) => `Bearer ${token}`;

it('connects with the access token', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  await told(connect(auth)(), email);
  expect(sockets.connections).toEqual([header(await auth.accessToken())]);
});

it('connects without parameters when nobody is signed in', async () => {
  const { auth } = startApp({ endpoint });
  await told(connect(auth)(), 'nobody');
  expect(sockets.connections).toEqual([undefined]);
});

it('fetches the access token anew for each connection', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  const first = await auth.accessToken();
  const subscription = connect(auth)();
  await told(subscription, email);
  await auth.refresh();
  sockets.closeSockets(1012, 'Restart');
  await told(subscription, email, email);
  expect(sockets.connections).toEqual([header(first), header(await auth.accessToken())]);
  expect(new Set(sockets.connections).size).toBe(2);
});

it('renews a token that only the server knows to be over, once, and connects with the new one', async () => {
  const app = await startSignedInApp({ endpoint });
  const stale = await app.auth.accessToken();
  await changeRoles(app);
  await told(connect(app.auth)(), app.email);
  expect(sockets.connections).toEqual([header(stale), header(await app.auth.accessToken())]);
  await closedWith(4403);
  expect(app.timesSent('Refresh')).toBe(1);
});

it('does not send a token again that the server has closed the socket for with 4401', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  const first = await auth.accessToken();
  const subscribe = connect(auth);
  const subscription = subscribe();
  await told(subscription, email);
  sockets.closeSockets(4401, 'Unauthorized');
  await ended(subscription, { code: 4401 });
  await told(subscribe(), email);
  expect(sockets.connections[0]).toBe(header(first));
  expect(sockets.connections[1]).not.toBe(header(first));
});

it('closes the socket on logout, and connects no more for its subscriptions', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  const subscribe = connect(auth);
  const subscription = subscribe();
  await told(subscription, email);
  await auth.logout();
  await ended(subscription, { code: 4401, reason: 'Not signed in as before' });
  await closedWith(4401);
  await told(subscribe(), 'nobody');
  expect(sockets.connections).toHaveLength(2);
});

it('does not connect again for subscriptions whose session has ended while there was no socket', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  const retryWait = async () => {
    await auth.logout();
  };
  const subscribe = connect(auth, { retryWait });
  const subscription = subscribe();
  await told(subscription, email);
  sockets.closeSockets(1012, 'Restart');
  await ended(subscription, { code: 4401, reason: 'Not signed in as before' });
  expect(sockets.connections).toHaveLength(1);
  // The client goes on for whoever comes next.
  await told(subscribe(), 'nobody');
});

it('closes the socket when somebody else signs in, and connects as the new one', async () => {
  const { auth, email } = await startSignedInApp({ endpoint });
  const subscribe = connect(auth);
  const subscription = subscribe();
  await told(subscription, email);
  const other = newPerson();
  await auth.register(other);
  await ended(subscription, { code: 4401 });
  await told(subscribe(), other.email);
});

it('leaves the socket open through a refresh, and while the kit is offline', async () => {
  const { auth, email, intercept } = await startSignedInApp({ endpoint });
  const subscription = connect(auth)();
  await told(subscription, email);
  await auth.refresh();
  intercept(() => new Response('', { status: 502 }));
  await auth.refresh();
  expect(auth.state.status).toBe('offline');
  sockets.closeSockets(1012, 'Restart');
  intercept(() => undefined);
  await auth.refresh();
  await told(subscription, email, email);
  await closedWith(1012);
});

it('ends the subscriptions when the server closes the socket and the session turns out to be revoked', async () => {
  const { auth, email, sessionId } = await startSignedInApp({ endpoint });
  const subscription = connect(auth)();
  await told(subscription, email);
  const elsewhere = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
  await call.answer('revoke-session', { input: { sessionId } }, bearer(elsewhere.accessToken));
  sockets.closeSockets(4403, 'Forbidden');
  await expect.poll(() => subscription.ended).toBeDefined();
  expect(auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
  expect(subscription.told).toEqual([email]);
  expect(sockets.connections).toHaveLength(1);
});

describe('while no token can be had', () => {
  const storage = new FragileStorage();
  let email: string;
  let auth: Auth;

  beforeEach(async () => {
    storage.before = () => undefined;
    const before = await startSignedInApp({ endpoint, storage });
    ({ email } = before);
    before.auth.close();
    storage.before = () => locked;
    ({ auth } = startApp({ endpoint, storage }));
  });

  it('closes the socket, and tries again when it has closed', async () => {
    const opened: WebSocket[] = [];
    class Noted extends WebSocket {
      constructor(...given: ConstructorParameters<typeof WebSocket>) {
        super(...given);
        opened.push(this);
      }
    }
    let statesBeforeRetry: number[] = [];
    const retryWait = async () => {
      statesBeforeRetry = opened.map(({ readyState }) => readyState);
      storage.before = () => undefined;
      await auth.refresh();
    };
    const subscription = connect(auth, { webSocketImpl: Noted, retryWait })();
    await told(subscription, email);
    // The end of one that had not closed would be taken for that of the next.
    expect(statesBeforeRetry).toEqual([WebSocket.CLOSED]);
    expect(sockets.connections).toHaveLength(1);
  });

  it('tries no more often than the client is told to', async () => {
    const subscription = connect(auth, { retryAttempts: 2 })();
    await ended(subscription, { code: 4503, reason: 'Offline' });
    await closedWith(4503, 4503, 4503);
    expect(sockets.connections).toEqual([]);
  });
});
