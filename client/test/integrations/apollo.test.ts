import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { parse } from 'graphql';
import { concat, NEVER, of, Subject, throwError, type Observable } from 'rxjs';
import { expect, it } from 'vitest';
import { createAuthLink } from '../../src/integrations/apollo.js';
import { ENDPOINT, startProgram, startSignedIn, type Program } from '../support/device.js';
import { locked } from '../support/fragile-storage.js';
import { refusal } from '../support/model-server.js';

const query = parse('query Viewer { viewer { id } }');
const subscription = parse('subscription News { news }');

const httpLink = ({ server }: Program) => new HttpLink({ uri: ENDPOINT, fetch: server.fetch });

/** Executes an operation through links, as a client does without its cache. */
function execute(links: ApolloLink[], document = query, context = {}): Observable<ApolloLink.Result> {
  const link = ApolloLink.from(links);
  const client = new ApolloClient({ cache: new InMemoryCache(), link });
  return ApolloLink.execute(link, { query: document, context }, { client });
}

/** The results until the end, and the error if there was one. */
function collect(observable: Observable<ApolloLink.Result>): Promise<{ results: unknown[]; error?: unknown }> {
  const results: unknown[] = [];
  return new Promise((resolve) => {
    observable.subscribe({
      next: (result) => results.push(result),
      error: (error: unknown) => resolve({ results, error }),
      complete: () => resolve({ results }),
    });
  });
}

const expired = { data: null, errors: [{ message: 'expired', extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }] };

/** The end of a chain that answers each operation as told, and notes the header that came with it. */
function answering(...answers: Observable<object>[]): { link: ApolloLink; seen: unknown[] } {
  const seen: unknown[] = [];
  const link = new ApolloLink((operation) => {
    seen.push((operation.getContext() as HttpLink.ContextOptions).headers);
    return answers[seen.length - 1] as Observable<ApolloLink.Result>;
  });
  return { link, seen };
}

it('adds the bearer to the headers that are there', async () => {
  const { auth } = await startSignedIn();
  const end = answering(of({ data: {} }));
  await collect(execute([createAuthLink(auth), end.link], query, { headers: { 'x-a': '1' } }));
  expect(end.seen).toEqual([{ 'x-a': '1', authorization: `Bearer ${await auth.accessToken()}` }]);
});

it('leaves alone an operation that brings an Authorization header of its own', async () => {
  const { auth } = await startSignedIn();
  const end = answering(of(expired));
  const { results } = await collect(execute([createAuthLink(auth), end.link], query, { headers: { Authorization: 'Basic eA==' } }));
  expect(results).toEqual([expired]);
  expect(end.seen).toEqual([{ Authorization: 'Basic eA==' }]);
});

it('takes no header of its own for one of the caller when a link in front sends the operation again', async () => {
  const program = await startSignedIn();
  const first = await program.auth.accessToken();
  program.server.always('Viewer', () => {
    program.server.heal();
    void program.auth.refresh();
    throw new TypeError('fetch failed');
  });
  const retry = new RetryLink({ delay: { initial: 1, jitter: false } });
  const { results } = await collect(execute([retry, createAuthLink(program.auth), httpLink(program)]));
  expect(results).toEqual([{ data: { viewer: { id: 'user-1' } } }]);
  const [before, after] = program.server.callsOf('Viewer').map(({ authorization }) => authorization);
  expect(before).toBe(`Bearer ${first}`);
  expect(after).toBe(`Bearer ${await program.auth.accessToken()}`);
  expect(after).not.toBe(before);
});

it('reads a refusal that Apollo makes an error of, because it came as plain JSON with a status of 401', async () => {
  const program = await startSignedIn();
  program.server.fates(() => refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' }, { status: 401 }));
  const { results } = await collect(execute([createAuthLink(program.auth), httpLink(program)]));
  expect(results).toEqual([{ data: { viewer: { id: 'user-1' } } }]);
});

it('passes on other errors as they are', async () => {
  const program = await startSignedIn();
  program.server.fates(() => new Response('<html>', { status: 502 }));
  const { error } = await collect(execute([createAuthLink(program.auth), httpLink(program)]));
  expect(error).toMatchObject({ name: 'ServerError', statusCode: 502 });
  expect(program.server.callsOf('Viewer')).toHaveLength(1);
});

it('sends again for the first of several results only', async () => {
  const { auth } = await startSignedIn();
  const news = { data: { news: 'one' } };
  const end = answering(of(expired, news), of(news, expired, news));
  const { results } = await collect(execute([createAuthLink(auth), end.link], subscription));
  expect(results).toEqual([news, expired, news]);
  expect(end.seen).toHaveLength(2);
});

it('passes on a refusal that comes later', async () => {
  const { auth } = await startSignedIn();
  const news = { data: { news: 'one' } };
  const end = answering(of(news, expired), of(news));
  expect(await collect(execute([createAuthLink(auth), end.link], subscription))).toEqual({ results: [news, expired] });
  expect(end.seen).toHaveLength(1);
});

it('passes on at once what a refresh would not cure', async () => {
  const { auth } = await startSignedIn();
  const denied = { data: null, errors: [{ message: 'denied', extensions: { code: 'FORBIDDEN' } }] };
  const news = { data: { news: 'one' } };
  const end = answering(
    concat(
      of(denied, news),
      throwError(() => new TypeError('cut')),
    ),
  );
  expect(await collect(execute([createAuthLink(auth), end.link], subscription))).toEqual({
    results: [denied, news],
    error: new TypeError('cut'),
  });
});

it('sends nothing when it is unsubscribed from while the token is fetched', async () => {
  const { auth } = await startSignedIn();
  const end = answering(of({ data: {} }), of({ data: {} }));
  execute([createAuthLink(auth), end.link])
    .subscribe()
    .unsubscribe();
  await collect(execute([createAuthLink(auth), end.link]));
  expect(end.seen).toHaveLength(1);
});

it('unsubscribes from what it has forwarded, the second time too', async () => {
  const { auth } = await startSignedIn();
  const second = new Subject<object>();
  const end = answering(concat(of(expired), NEVER), second);
  const going = execute([createAuthLink(auth), end.link]).subscribe();
  await expect.poll(() => second.observed).toBe(true);
  going.unsubscribe();
  expect(second.observed).toBe(false);
});

it('gives the OfflineError as the error of a query', async () => {
  const program = startProgram();
  program.storage.before = () => locked;
  const client = new ApolloClient({ cache: new InMemoryCache(), link: createAuthLink(program.auth).concat(httpLink(program)) });
  await expect(client.query({ query })).rejects.toMatchObject({ name: 'OfflineError', reason: 'storage' });
  program.auth.close();
});
