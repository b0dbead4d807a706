import { readFileSync } from 'node:fs';

export interface GraphqlError {
  message: string;
  path?: readonly (string | number)[];
  extensions: { code: string; reason?: string; retryable?: boolean } & Record<string, unknown>;
}

export interface GraphqlReply<TData> {
  status: number;
  headers: Headers;
  /** Null where an error reached the root; undefined where the request was not executed. */
  data: TData | null | undefined;
  errors: readonly GraphqlError[];
}

export type GraphqlClient = <TData>(
  document: string,
  variables?: Record<string, unknown>,
  headers?: Record<string, string>,
) => Promise<GraphqlReply<TData>>;

const operations = new URL('../../schema/operations/', import.meta.url);

/** The document that README shows and every client may send: `operation('login')` is `schema/operations/login.graphql`. */
export function operation(name: string): string {
  return readFileSync(new URL(`${name}.graphql`, operations), 'utf8');
}

/** Speaks to a server as a client does: JSON over HTTP, and nothing known but its address. */
export function createClient(url: string): GraphqlClient {
  return async <TData>(
    document: string,
    variables: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<GraphqlReply<TData>> => {
    const response = await fetch(new URL('/graphql', url), {
      method: 'POST',
      headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: document, variables }),
    });
    const body = (await response.json()) as { data?: TData | null; errors?: readonly GraphqlError[] };
    return { status: response.status, headers: response.headers, data: body.data, errors: body.errors ?? [] };
  };
}

/** The header of a request that somebody is signed in for. */
export function bearer(accessToken: string): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` };
}
