import {
  cacheExchange,
  Client,
  fetchExchange,
  makeResult,
  type Exchange,
  type Operation,
  type OperationContext,
  type OperationResult,
} from '@urql/core';
import { expect, it } from 'vitest';
import { filter, makeSubject, merge, onPush, pipe } from 'wonka';
import { createAuthExchange } from '../../src/integrations/urql.js';
import { ENDPOINT, startProgram, startSignedIn, type Program } from '../support/device.js';
import { locked } from '../support/fragile-storage.js';
import { refusal } from '../support/model-server.js';

const query = 'query Viewer { viewer { id } }';

const connect = ({ auth, server }: Pick<Program, 'auth' | 'server'>, before: Exchange[] = []) =>
  new Client({
    url: ENDPOINT,
    fetch: server.fetch,
    preferGetMethod: false,
    exchanges: [...before, createAuthExchange(auth), fetchExchange],
  });

const expired = { data: null, errors: [{ message: 'expired', extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' } }] };

/** The end of a chain that notes what comes, and answers when told to. */
function startEnd(program: Pick<Program, 'auth'>): {
  client: Client;
  seen: Operation[];
  answer: (operation: Operation, result: Parameters<typeof makeResult>[1]) => void;
} {
  const seen: Operation[] = [];
  const results = makeSubject<OperationResult>();
  const end: Exchange = () => (operations$) =>
    merge([
      pipe(
        operations$,
        onPush((operation) => seen.push(operation)),
        filter((_operation): _operation is never => false),
      ),
      results.source,
    ]);
  return {
    client: new Client({ url: ENDPOINT, exchanges: [createAuthExchange(program.auth), end] }),
    seen,
    answer: (operation, result) => results.next(makeResult(operation, result)),
  };
}

const kindsOf = (operations: Operation[]) => operations.map(({ kind }) => kind);

it('adds the bearer to the headers that are there, in whatever shape they come', async () => {
  const program = await startSignedIn();
  const headers = { 'x-a': '1', authorization: `Bearer ${await program.auth.accessToken()}` };
  const given: OperationContext['fetchOptions'][] = [
    undefined,
    { headers: { 'x-a': '1' } },
    { headers: new Headers({ 'x-a': '1' }) },
    () => ({ headers: [['x-a', '1']], credentials: 'omit' }),
  ];
  const { client, seen } = startEnd(program);
  for (const [index, fetchOptions] of given.entries())
    client.query(`query Q${index} { viewer { id } }`, {}, fetchOptions && { fetchOptions }).subscribe(() => undefined);
  await expect.poll(() => seen).toHaveLength(given.length);
  expect(seen.map(({ context }) => context.fetchOptions)).toEqual([
    { headers: { authorization: headers.authorization } },
    { headers },
    { headers },
    { headers, credentials: 'omit' },
  ]);
});

it('leaves alone an operation that brings an Authorization header of its own', async () => {
  const program = startProgram();
  program.storage.before = () => locked;
  const fetchOptions = { headers: { Authorization: 'Basic eA==' } };
  await connect(program).query(query, {}, { fetchOptions }).toPromise();
  expect(program.server.calls.map(({ authorization }) => authorization)).toEqual(['Basic eA==']);
  program.auth.close();
});

it('gives results back without the token, so that a cache that executes the operation again gets the one of then', async () => {
  const program = await startSignedIn();
  const client = connect(program, [cacheExchange]);
  const tagged = { additionalTypenames: ['User'] };
  const results: unknown[] = [];
  const { unsubscribe } = client.query(query, {}, tagged).subscribe(({ data, stale }) => !stale && results.push(data));
  await expect.poll(() => results).toHaveLength(1);
  await program.auth.refresh();
  program.server.always('Viewer', () => {
    program.server.heal();
    return refusal('UNAUTHENTICATED', { reason: 'TOKEN_STALE' });
  });
  await client.mutation('mutation Edit { edit { id } }', {}, tagged).toPromise();
  await expect.poll(() => results).toHaveLength(2);
  expect(results[1]).toEqual(results[0]);
  const bearers = program.server.callsOf('Viewer').map(({ authorization }) => authorization);
  expect(new Set(bearers).size).toBe(3);
  unsubscribe();
});

it('gives the OfflineError as the network error of a result', async () => {
  const program = startProgram();
  program.storage.before = () => locked;
  const { error } = await connect(program).query(query, {}).toPromise();
  expect(error?.networkError).toMatchObject({ name: 'OfflineError', reason: 'storage' });
  program.auth.close();
});

it('sends again for the first of several results only, and ends the first stream before', async () => {
  const program = await startSignedIn();
  const { client, seen, answer } = startEnd(program);
  const results: unknown[] = [];
  client.subscription('subscription News { news }', {}).subscribe(({ data, error }) => results.push(data ?? error?.message));
  await expect.poll(() => seen).toHaveLength(1);
  answer(seen[0]!, expired);
  await expect.poll(() => kindsOf(seen)).toEqual(['subscription', 'teardown', 'subscription']);
  answer(seen[2]!, { data: { news: 'one' } });
  answer(seen[2]!, expired);
  answer(seen[2]!, { data: { news: 'two' } });
  expect(results).toEqual([{ news: 'one' }, '[GraphQL] expired', { news: 'two' }]);
  expect(seen).toHaveLength(3);
});

it('passes on a refusal that comes later', async () => {
  const program = await startSignedIn();
  const { client, seen, answer } = startEnd(program);
  const results: unknown[] = [];
  client.subscription('subscription News { news }', {}).subscribe(({ data, error }) => results.push(data ?? error?.message));
  await expect.poll(() => seen).toHaveLength(1);
  answer(seen[0]!, { data: { news: 'one' } });
  answer(seen[0]!, expired);
  expect(results).toEqual([{ news: 'one' }, '[GraphQL] expired']);
  expect(program.server.callsOf('Refresh')).toEqual([]);
});

it('sends nothing when the operation is torn down while the token is fetched', async () => {
  const program = await startSignedIn();
  const { client, seen } = startEnd(program);
  client
    .query(query, {})
    .subscribe(() => undefined)
    .unsubscribe();
  client.query('query Other { viewer { id } }', {}).subscribe(() => undefined);
  await expect.poll(() => kindsOf(seen)).toEqual(['teardown', 'query']);
});

it('does not send again when the operation is torn down while it recovers', async () => {
  const program = await startSignedIn();
  const { client, seen, answer } = startEnd(program);
  const going = client.query(query, {}).subscribe(() => undefined);
  await expect.poll(() => seen).toHaveLength(1);
  answer(seen[0]!, expired);
  going.unsubscribe();
  client.query('query Other { viewer { id } }', {}).subscribe(() => undefined);
  await expect.poll(() => program.server.callsOf('Refresh')).toHaveLength(1);
  await expect.poll(() => kindsOf(seen)).toEqual(['query', 'teardown', 'query']);
});

it('passes the teardown on of an operation that was sent again', async () => {
  const program = await startSignedIn();
  const { client, seen, answer } = startEnd(program);
  const going = client.query(query, {}).subscribe(() => undefined);
  await expect.poll(() => seen).toHaveLength(1);
  answer(seen[0]!, expired);
  await expect.poll(() => kindsOf(seen)).toEqual(['query', 'query']);
  going.unsubscribe();
  expect(kindsOf(seen)).toEqual(['query', 'query', 'teardown']);
});
