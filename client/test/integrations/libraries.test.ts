import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCalls, PASSWORD, type Calls, type Tokens } from '../../../test/support/calls.js';
import { bearer } from '../../../test/support/client.js';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { startTestServer, type TestServer } from '../../../test/support/server.js';
import { startApp, startSignedInApp, type SignedInApp } from '../support/app.js';
import { libraries, type Result } from '../support/libraries.js';
import { refusal } from '../support/model-server.js';

/** The apps of one library whose access tokens have run out when the tests begin. */
interface Expired {
  aware: SignedInApp;
  unaware: SignedInApp;
  behindProxy: SignedInApp;
}

let server: TestServer;
let call: Calls;
/** One whose access tokens live a few seconds. */
let brief: TestServer;
let proxy: FaultProxy;
const expired = new Map<string, Expired>();

// No grace: the server forgives nothing that could have been avoided.
const strict = { LATCHKEY_REFRESH_GRACE_SECONDS: '0', LATCHKEY_CLOCK_TOLERANCE_SECONDS: '0' };

beforeAll(async () => {
  server = await startTestServer({ variables: strict });
  call = createCalls(server.graphql);
  // A second of tolerance: `iat` is a whole second that has begun, so `exp` may come up to one sooner than the kit, told of five, believes.
  const briefLife = { LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '5', LATCHKEY_CLOCK_TOLERANCE_SECONDS: '1' };
  brief = await startTestServer({ variables: { ...strict, ...briefLife } });
  proxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(brief.url).port) }, ['mutation Refresh']);
  const endpoint = `${brief.url}/graphql`;
  let token: string | undefined;
  for (const [library] of libraries) {
    const apps = {
      aware: await startSignedInApp({ endpoint }),
      unaware: await startSignedInApp({ endpoint, isUnaware: true }),
      behindProxy: await startSignedInApp({ endpoint: `http://127.0.0.1:${proxy.port}/graphql`, requestTimeoutMs: 2000 }),
    };
    token = await apps.unaware.auth.accessToken();
    expired.set(library, apps);
  }
  // The one that was issued last.
  await vi.waitFor(
    async () => {
      const { errors } = await brief.graphql(viewer(), {}, bearer(token!));
      expect(errors[0]?.extensions.reason).toBe('TOKEN_EXPIRED');
    },
    { timeout: 20_000, interval: 200 },
  );
});

afterAll(async () => {
  await proxy.close();
  await server.close();
  await brief.close();
});

const viewer = (name = 'Me') => `query ${name} { viewer { email } }`;

/** Each by a name of its own: libraries send what is the same but once. */
const names = Array.from({ length: 25 }, (_, index) => `Me${index}`);

const reasonOf = ({ errors }: Result) => errors?.[0]?.extensions?.['reason'];
const codeOf = ({ errors }: Result) => errors?.[0]?.extensions?.['code'];

describe.each(libraries)('%s', (library, connect) => {
  const startHere = (options = {}) => startSignedInApp({ endpoint: `${server.url}/graphql`, ...options });

  it('sends 25 queries at once with a token that the kit knows to have expired: one refresh, and all succeed', async () => {
    const app = expired.get(library)!.aware;
    const send = connect(app);
    const results = await Promise.all(names.map((name) => send(viewer(name))));
    for (const result of results) expect(result.data).toMatchObject({ viewer: { email: app.email } });
    expect(app.timesSent('Refresh')).toBe(1);
    expect(app.sent.length).toBe(26);
  });

  it('sends 25 queries at once with a token that only the server knows to have expired: one refresh, and all succeed', async () => {
    const app = expired.get(library)!.unaware;
    const send = connect(app);
    const results = await Promise.all(names.map((name) => send(viewer(name))));
    for (const result of results) expect(result.data).toMatchObject({ viewer: { email: app.email } });
    expect(app.timesSent('Refresh')).toBe(1);
    for (const name of names) expect(app.timesSent(name)).toBe(2);
  });

  it('repeats a mutation that was refused as a whole', async () => {
    const app = await startHere();
    let refusals = 0;
    app.intercept((name) => (name === 'End' && (refusals += 1) === 1 ? expiredToken() : undefined));
    const result = await connect(app)('mutation End { logout(input: { sessions: OTHER_SESSIONS }) { success } }');
    expect(result.data).toMatchObject({ logout: { success: true } });
    expect(app.sent.map(({ name }) => name)).toEqual(['End', 'Refresh', 'End']);
  });

  it('does not repeat a mutation that was carried out in part', async () => {
    const app = await startHere();
    app.intercept((name) => (name === 'Two' ? partly() : undefined));
    const result = await connect(app)('mutation Two { a: logout { success } b: logout { success } }');
    expect(reasonOf(result)).toBe('TOKEN_EXPIRED');
    expect(app.timesSent('Two')).toBe(1);
  });

  it('is signed out by the next request when the session was revoked elsewhere', async () => {
    const app = await startHere();
    const elsewhere = await call.answer<Tokens>('login', { input: { identifier: app.email, password: PASSWORD } });
    await call.answer('revoke-session', { input: { sessionId: app.sessionId } }, bearer(elsewhere.accessToken));
    expect(reasonOf(await connect(app)(viewer()))).toBe('SESSION_REVOKED');
    expect(app.auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
    expect(app.sent.map(({ name }) => name)).toEqual(['Me']);
  });

  it('stays signed in when the reply to a refresh is lost, and goes on with the same session', async () => {
    const app = expired.get(library)!.behindProxy;
    const send = connect(app);
    const before = proxy.timesAsked('mutation Refresh');
    proxy.loseReplies();
    await expect(send(viewer())).rejects.toMatchObject({ code: 'OFFLINE', reason: 'network' });
    expect(proxy.timesAsked('mutation Refresh')).toBe(before + 1);
    expect(app.auth.state).toMatchObject({ status: 'offline', session: { id: app.sessionId } });
    proxy.dropAll();
    proxy.heal();
    await app.auth.refresh();
    expect((await send(viewer())).data).toMatchObject({ viewer: { email: app.email } });
    expect(app.auth.state).toMatchObject({ status: 'signed-in', session: { id: app.sessionId } });
  });

  it('sends an operation twice at most, though the server refuses every token', async () => {
    const app = await startHere();
    app.intercept((name) => (name === 'Refresh' ? undefined : expiredToken()));
    const send = connect(app);
    const results = await Promise.all(names.map((name) => send(viewer(name))));
    for (const result of results) expect(reasonOf(result)).toBe('TOKEN_EXPIRED');
    for (const name of names) expect(app.timesSent(name)).toBe(2);
    expect(app.timesSent('Refresh')).toBe(1);
    expect(app.auth.state.status).toBe('signed-in');
  });

  it('leaves the session alone when a service is unavailable', async () => {
    const app = await startHere();
    app.intercept(() => refusal('SERVICE_UNAVAILABLE', {}, { status: 503, headers: graphqlType }));
    const send = connect(app);
    expect(codeOf(await send(viewer()))).toBe('SERVICE_UNAVAILABLE');
    expect(app.sent.map(({ name }) => name)).toEqual(['Me']);
    expect(app.auth.state).toMatchObject({ status: 'signed-in', session: { id: app.sessionId } });
  });

  it('leaves the session alone when the refresh that would help is unavailable, and says that it is offline', async () => {
    const app = await startHere();
    app.intercept((name) => (name === 'Refresh' ? refusal('SERVICE_UNAVAILABLE') : expiredToken()));
    await expect(connect(app)(viewer())).rejects.toMatchObject({ code: 'OFFLINE', reason: 'server' });
    expect(app.auth.state).toMatchObject({ status: 'offline', session: { id: app.sessionId } });
    app.auth.close();
  });

  it('sends operations of nobody without a header, and once', async () => {
    const app = startApp({ endpoint: `${server.url}/graphql` });
    const send = connect(app);
    expect((await send('query Public { __typename }')).data).toMatchObject({ __typename: 'Query' });
    expect(reasonOf(await send(viewer()))).toBe('TOKEN_MISSING');
    expect(app.sent).toEqual([
      { name: 'Public', authorization: null },
      { name: 'Me', authorization: null },
    ]);
  });
});

const graphqlType = { 'content-type': 'application/graphql-response+json' };

const expiredToken = () => refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' });

function partly(): Response {
  const extensions = { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' };
  return Response.json({ data: { a: { success: true }, b: null }, errors: [{ message: 'refused', path: ['b'], extensions }] });
}
