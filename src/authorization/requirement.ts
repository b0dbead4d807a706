import { AuthError } from '../errors.js';
import type { AuthenticatedPrincipal, Principal } from './principal.js';

/** What it takes to resolve something. */
export type Requirement =
  | { kind: 'public' }
  | { kind: 'authenticated' }
  /** Every scope of at least one inner list: the outer list is OR, the inner ones AND. */
  | { kind: 'scopes'; anyOf: readonly (readonly string[])[] };

/**
 * Decides whether a principal meets a requirement.
 *
 * Checks, in order: a public requirement is always met; the principal must be authenticated; it must hold every scope of at least one inner
 * list. An empty outer list is met by nobody; an empty inner list by anyone who is signed in. It does not look at tokens, nor at the
 * database: the principal already says who is asking.
 *
 * @returns undefined when it is met; otherwise what to tell the caller: UNAUTHENTICATED with the reason, SERVICE_UNAVAILABLE when the token
 * could not be judged, FORBIDDEN with the scopes that would do (`insufficient_scope`, RFC 6750 section 3.1,
 * https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
 */
export function refusalOf(requirement: Requirement, principal: Principal): AuthError | undefined {
  if (requirement.kind === 'public') return undefined;
  if (principal.kind !== 'authenticated') return refusalOfNobody(principal);
  if (requirement.kind === 'authenticated') return undefined;
  const isMet = requirement.anyOf.some((allOf) => allOf.every((scope) => principal.scopes.has(scope)));
  return isMet ? undefined : new AuthError({ code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: requirement.anyOf });
}

/**
 * The principal, once it is known to be someone.
 *
 * @throws {AuthError} UNAUTHENTICATED with the reason, or SERVICE_UNAVAILABLE.
 */
export function authenticated(principal: Principal): AuthenticatedPrincipal {
  if (principal.kind !== 'authenticated') throw refusalOfNobody(principal);
  return principal;
}

function refusalOfNobody(principal: Exclude<Principal, AuthenticatedPrincipal>): AuthError {
  switch (principal.kind) {
    case 'anonymous':
      return new AuthError({ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
    case 'rejected':
      return new AuthError({ code: 'UNAUTHENTICATED', reason: principal.reason });
    case 'undecided':
      return new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the access token cannot be judged just now');
  }
}
