import type { Auth } from '../auth.js';
import { isErrorList, type GraphQLErrorLike } from '../core/faults.js';
import { isJsonObject, objectOrEmpty, parseJson, textOr } from '../core/json.js';

export interface RequestOptions {
  /** The address of a GraphQL API: Latchkey's, or one of the same origin. To any other, requests go without the bearer. */
  readonly endpoint: string;
  readonly auth: Pick<Auth, 'fetch'>;
}

/**
 * The text of an operation that knows its types: one of `@latchkey/client/operations`, what GraphQL Code Generator's client preset makes with
 * `documentMode: 'string'`, or any string. Not a parsed document: to print one, all of graphql's printer would have to come along.
 */
export type RequestDocument<Data, Variables> = Pick<string, 'charAt' | 'toString'> & {
  readonly __apiType?: (variables: Variables) => Data;
};

/**
 * Sends an operation with the bearer, and resolves to its `data`.
 *
 * @throws {GraphQLRequestError} when the answer has errors, or is none of GraphQL; {OfflineError} and others as `auth.fetch` does.
 */
export type Request = <Data, Variables>(
  document: RequestDocument<Data, Variables>,
  ...[variables]: Record<string, never> extends Variables ? [variables?: Variables] : [variables: Variables]
) => Promise<Data>;

/** One error of an answer, as it came. */
export interface RequestError extends GraphQLErrorLike {
  readonly message?: string;
  readonly path?: readonly (string | number)[];
}

/** The answer to a request was not, or not only, data. */
export class GraphQLRequestError extends Error {
  override readonly name = 'GraphQLRequestError';

  constructor(
    /** Those of the answer, as they came; none when it was no GraphQL: an error page, say. */
    readonly errors: readonly RequestError[],
    /** The HTTP status. */
    readonly status: number,
    /** What was answered all the same; null or undefined when nothing was. */
    readonly data: unknown,
  ) {
    super(textOr(errors[0]?.message, `The answer, of HTTP status ${status}, is not one of GraphQL`));
  }
}

/** A GraphQL client in one function, for those who need no more. */
export function createRequest({ endpoint, auth }: RequestOptions): Request {
  return async <Data>(document: RequestDocument<Data, never>, variables?: unknown) => {
    const response = await auth.fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    const { data, errors } = objectOrEmpty(parseJson(await response.text()));
    if (errors != null || !isJsonObject(data)) throw new GraphQLRequestError(isErrorList(errors) ? errors : [], response.status, data);
    // Its types are the document's word.
    return data as Data;
  };
}
