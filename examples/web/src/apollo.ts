import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { createAuthLink } from '@latchkey/client/apollo';

import { auth, endpoint } from './auth';

/** One for each user who signs in: what was fetched for one is never shown to the next. */
export function createApolloClient(): ApolloClient {
  return new ApolloClient({
    link: ApolloLink.from([createAuthLink(auth), new HttpLink({ uri: endpoint })]),
    cache: new InMemoryCache(),
  });
}
