import { describe, expect, it, vi } from 'vitest';
import { createSessionFetcher, type SessionFetcher } from '../../../src/graphiql/fetcher.js';
import { FakeServer, tokens } from './fake-server.js';

const VIEWER = { query: '{ viewer { id } }', operationName: null };

interface Run {
  isSignedIn: boolean;
  params?: Parameters<SessionFetcher>[0];
  headers?: Record<string, string>;
  response?: Response;
}

async function run(options: Run) {
  const server = new FakeServer();
  if (options.isSignedIn) {
    server.answers(tokens('1'));
    await server.session.signIn({ identifier: 'ada', password: 'correct horse battery' });
  }
  const fetch = vi.fn<typeof globalThis.fetch>(() => Promise.resolve(options.response ?? Response.json({ data: {} })));
  const fetcher = createSessionFetcher({ endpoint: '/graphql', session: server.session, fetch });
  const result = await fetcher(options.params ?? VIEWER, { headers: options.headers ?? {} });
  const sent = fetch.mock.calls[0]?.[1];
  return { result, session: server.session, headers: new Headers(sent?.headers), body: sent?.body };
}

describe('what the editor runs', () => {
  it('carries no Authorization when nobody is signed in', async () => {
    const { headers, body } = await run({ isSignedIn: false });
    expect(headers.has('authorization')).toBe(false);
    expect(body).toBe(JSON.stringify(VIEWER));
  });

  it("carries the session's access token beside the headers of the user's own", async () => {
    const { headers } = await run({ isSignedIn: true, headers: { 'x-trace': '1' } });
    expect(headers.get('authorization')).toBe('Bearer access-1');
    expect(headers.get('x-trace')).toBe('1');
  });

  it("leaves an Authorization of the user's own as it is, however it is spelt", async () => {
    const { headers } = await run({ isSignedIn: true, headers: { AUTHORIZATION: 'Bearer mine' } });
    expect(headers.get('authorization')).toBe('Bearer mine');
  });

  it.each([
    ['query Viewer { viewer { id } }', 'Login', 'Viewer'],
    ['{ viewer { id } }', 'Login', null],
    ['query A { viewer { id } } query B { viewer { id } }', 'B', 'B'],
    ['query A { viewer', 'A', 'A'],
  ])('runs the only operation of %j although the editor names %s', async (query, operationName, expected) => {
    const { body } = await run({ isSignedIn: false, params: { query, operationName } });
    expect(await new Response(body).json()).toEqual({ query, operationName: expected });
  });

  it('tells the session what it was answered', async () => {
    const response = Response.json({ errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' } }] }, { status: 401 });
    const { session } = await run({ isSignedIn: true, response });
    expect(session.getState().status).toBe('signed-out');
  });

  it('fails with the status and the text of an answer that is no GraphQL result', async () => {
    const response = new Response('Bad gateway', { status: 502 });
    await expect(run({ isSignedIn: false, response })).rejects.toThrow('status 502 and no GraphQL result: Bad gateway');
  });
});
