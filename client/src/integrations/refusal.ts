import type { Auth } from '../auth.js';
import { isPartial } from '../core/bearer-fetch.js';
import { isErrorList, unauthenticatedReason, type GraphQLErrorLike } from '../core/faults.js';
import { objectOrEmpty } from '../core/json.js';

/** An answer that says UNAUTHENTICATED. */
export interface Refusal {
  readonly errors: readonly GraphQLErrorLike[];
  readonly data: unknown;
}

export function parseRefusal(answer: unknown): Refusal | undefined {
  const { errors, data } = objectOrEmpty(answer);
  return isErrorList(errors) && unauthenticatedReason(errors) !== undefined ? { errors, data } : undefined;
}

/**
 * The access token to send the operation with once more: a refresh has cured the refusal, and it is no mutation that was carried out in part. Otherwise
 * undefined.
 */
export async function cure(auth: Auth, refusal: Refusal, sent: string | undefined, isMutation: boolean): Promise<string | undefined> {
  const fresh = await auth.recover(refusal.errors, sent);
  return isMutation && isPartial(refusal) ? undefined : fresh;
}
