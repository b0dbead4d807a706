import { OfflineError } from '@latchkey/client';
import { ClientError, GraphQLClient } from 'graphql-request';

import { auth, endpoint } from './auth';
import type { TypedDocumentString } from './gql/graphql';

// The bearer is added by auth.fetch, and refreshed when it is due.
const client = new GraphQLClient(endpoint, { fetch: auth.fetch });

/** What the server refused, in its own words. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/**
 * Runs an operation that the code generator has typed.
 *
 * @throws what `explain` puts into words: a refusal, or that there was no answer.
 */
export async function execute<Result, Variables extends object>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  try {
    return await client.request<Result>(document.toString(), variables);
  } catch (error) {
    // It does not leave this file: the message of a ClientError holds the variables, passwords among them.
    if (error instanceof ClientError) throw new RefusedError(wordsOf(error));
    throw error;
  }
}

/** What went wrong, for people. */
export function explain(error: unknown): string {
  if (error instanceof RefusedError) return error.message;
  if (error instanceof OfflineError || error instanceof TypeError) return 'The server cannot be reached just now. Try again shortly.';
  throw error;
}

/** What each field says, or else the error itself. */
function wordsOf({ response }: ClientError): string {
  const [error] = response.errors ?? [];
  const fields = error?.extensions['fields'];
  if (Array.isArray(fields)) return (fields as { message: string }[]).map(({ message }) => message).join(' ');
  return error?.message ?? `The server answered ${String(response.status)}.`;
}
