import loginDocument from '../../schema/operations/login.graphql?raw';
import logoutDocument from '../../schema/operations/logout.graphql?raw';
import refreshDocument from '../../schema/operations/refresh.graphql?raw';
import viewerDocument from '../../schema/operations/viewer.graphql?raw';

interface DefaultTab {
  query: string;
  variables: string;
}

const REFRESH_TOKEN_PLACEHOLDER = 'paste a refresh token here';

export const loginTab = tab(loginDocument, {
  input: { identifier: 'you@example.com', password: 'your password', device: { name: 'GraphiQL', platform: 'WEB' } },
});

/** The four core operations, in the order in which a session goes through them. */
export const defaultTabs: DefaultTab[] = [
  loginTab,
  tab(viewerDocument, undefined),
  tab(refreshDocument, { input: { refreshToken: REFRESH_TOKEN_PLACEHOLDER, attemptId: 'the same on every retry' } }),
  tab(logoutDocument, { input: { refreshToken: REFRESH_TOKEN_PLACEHOLDER, sessions: 'THIS_SESSION' } }),
];

function tab(query: string, variables: object | undefined): DefaultTab {
  return { query, variables: variables === undefined ? '' : JSON.stringify(variables, undefined, 2) };
}
