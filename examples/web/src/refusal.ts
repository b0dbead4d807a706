import { CombinedGraphQLErrors } from '@apollo/client';
import { OfflineError, type FieldFault } from '@latchkey/client';

/** Why something did not work, in words to show. A `SignInError` is one. */
export interface Refusal {
  readonly message: string;
  /** What was refused of the input, and why: the `path` ends with the name of the field. */
  readonly fields: readonly FieldFault[];
  /** When the same can work. */
  readonly retryAfterSeconds: number | undefined;
}

/** What Apollo rejects with, as the server worded it. */
export function toRefusal(error: unknown): Refusal {
  if (CombinedGraphQLErrors.is(error)) {
    const [first] = error.errors;
    const { fields, retryAfterSeconds } = first?.extensions ?? {};
    return {
      message: first?.message ?? error.message,
      fields: Array.isArray(fields) ? fields.filter(isFieldFault) : [],
      retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined,
    };
  }
  const isOffline = error instanceof OfflineError || error instanceof TypeError;
  const message = isOffline
    ? 'The server cannot be reached just now. Try again shortly.'
    : 'The server gave an answer that makes no sense.';
  return { message, fields: [], retryAfterSeconds: undefined };
}

function isFieldFault(value: unknown): value is FieldFault {
  return typeof value === 'object' && value !== null && 'path' in value && 'message' in value;
}
