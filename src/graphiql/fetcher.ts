import type { Fetcher } from '@graphiql/toolkit';
import { Kind, parse } from 'graphql';
import { isJsonObject, objectOrEmpty, type JsonObject } from './json.js';
import type { Session } from './session.js';

/** GraphiQL's fetcher for a server that answers each operation once, as JSON. */
export type SessionFetcher = (...call: Parameters<Fetcher>) => Promise<JsonObject>;

/**
 * Sends what the editor runs, with the session's access token.
 *
 * An Authorization header of the user's own wins: trying an expired or a foreign token is part of exploring.
 */
export function createSessionFetcher(options: { endpoint: string; session: Session; fetch: typeof globalThis.fetch }): SessionFetcher {
  const { endpoint, session } = options;
  return async (params, editor) => {
    const headers = new Headers({ 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' });
    const typed: unknown = editor?.headers;
    for (const [name, value] of Object.entries(objectOrEmpty(typed))) headers.set(name, String(value));
    const accessToken = headers.has('authorization') ? undefined : await session.accessToken();
    if (accessToken !== undefined) headers.set('authorization', `Bearer ${accessToken}`);

    const response = await options.fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(withItsOwnName(params)) });
    const result = await readResult(response);
    session.observe(result, accessToken);
    return result;
  };
}

type Params = Parameters<Fetcher>[0];

/** GraphiQL learns a moment late which operation a tab holds, and names that of the tab before until then. */
function withItsOwnName(params: Params): Params {
  const [operation, ...more] = operationsIn(params.query);
  return operation === undefined || more.length > 0 ? params : { ...params, operationName: operation.name?.value ?? null };
}

function operationsIn(document: string) {
  try {
    return parse(document, { noLocation: true }).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  } catch {
    // The server says better what is wrong with it.
    return [];
  }
}

async function readResult(response: Response): Promise<JsonObject> {
  const text = await response.text();
  try {
    const result: unknown = JSON.parse(text);
    if (isJsonObject(result)) return result;
  } catch {
    // Said below, with what the server did answer: a proxy's error page names its own fault.
  }
  throw new Error(`The server answered with status ${String(response.status)} and no GraphQL result: ${text.slice(0, 200)}`);
}
