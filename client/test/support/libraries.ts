import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { parse } from 'graphql';
import { ClientError, GraphQLClient } from 'graphql-request';
import type { GraphQLErrorLike } from '../../src/core/faults.js';
import { createAuthLink } from '../../src/integrations/apollo.js';
import { createRequest, GraphQLRequestError } from '../../src/integrations/request.js';
import { createAuthExchange } from '../../src/integrations/urql.js';
import type { App } from './app.js';

/** What a library made of an answer. */
export interface Result {
  data?: unknown;
  errors?: readonly GraphQLErrorLike[] | undefined;
}

/** Sends an operation past every cache. Rejects with what the library shows when there is no answer. */
export type Send = (operation: string) => Promise<Result>;

type Connection = Pick<App, 'auth' | 'endpoint' | 'fetch'>;

/** The libraries, each set up as README says. */
export const libraries: readonly (readonly [name: string, connect: (app: Connection) => Send])[] = [
  [
    'Apollo Client with createAuthLink',
    ({ auth, endpoint, fetch }) => apollo([createAuthLink(auth), new HttpLink({ uri: endpoint, fetch })]),
  ],
  ['Apollo Client with auth.fetch', ({ auth, endpoint }) => apollo([new HttpLink({ uri: endpoint, fetch: auth.fetch })])],
  [
    'urql with createAuthExchange',
    ({ auth, endpoint, fetch }) =>
      urql(new Client({ url: endpoint, preferGetMethod: false, fetch, exchanges: [createAuthExchange(auth), fetchExchange] })),
  ],
  [
    'urql with auth.fetch',
    ({ auth, endpoint }) => urql(new Client({ url: endpoint, preferGetMethod: false, fetch: auth.fetch, exchanges: [fetchExchange] })),
  ],
  ['graphql-request with auth.fetch', graphqlRequest],
  ['createRequest', request],
];

function apollo(links: ApolloLink[]): Send {
  const client = new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.from(links) });
  return async (operation) => {
    const document = parse(operation);
    try {
      return operation.startsWith('mutation')
        ? await client.mutate({ mutation: document, fetchPolicy: 'no-cache' })
        : await client.query({ query: document, fetchPolicy: 'no-cache' });
    } catch (error) {
      if (CombinedGraphQLErrors.is(error)) return { data: error.data, errors: error.errors };
      throw error;
    }
  };
}

function urql(client: Client): Send {
  return async (operation) => {
    const { data, error } = operation.startsWith('mutation')
      ? await client.mutation<unknown>(operation, {}).toPromise()
      : await client.query<unknown>(operation, {}).toPromise();
    if (error?.networkError !== undefined) throw error.networkError;
    return { data, errors: error?.graphQLErrors };
  };
}

function graphqlRequest({ auth, endpoint }: Connection): Send {
  const client = new GraphQLClient(endpoint, { fetch: auth.fetch });
  return async (operation) => {
    try {
      return { data: await client.request(operation) };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { data: error.response.data, errors: error.response.errors };
    }
  };
}

function request({ auth, endpoint }: Connection): Send {
  const ask = createRequest({ endpoint, auth });
  return async (operation) => {
    try {
      return { data: await ask(operation) };
    } catch (error) {
      if (!(error instanceof GraphQLRequestError)) throw error;
      return { data: error.data, errors: error.errors };
    }
  };
}
