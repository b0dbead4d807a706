import type { UnauthenticatedReason } from '../errors.js';

/** Someone who presented a live access token, or has just been given one. */
export interface AuthenticatedPrincipal {
  kind: 'authenticated';
  /** The user's id. */
  subject: string;
  sessionId: string;
  scopes: ReadonlySet<string>;
  /** When the user last gave a password, in seconds since the epoch. */
  authTime: number;
}

/** Who is asking. "Nobody" is a value: a bad token never stops a request that needs none. */
export type Principal =
  | AuthenticatedPrincipal
  /** No token. */
  | { kind: 'anonymous' }
  /** A token that is not good, and why. */
  | { kind: 'rejected'; reason: Exclude<UnauthenticatedReason, 'TOKEN_MISSING' | 'TOKEN_STALE'> }
  /** A token of a user who has changed since: it opens nothing, and still names its session, for whoever wants to end that. */
  | { kind: 'rejected'; reason: 'TOKEN_STALE'; subject: string; sessionId: string }
  /** A token that cannot be judged just now: neither good nor bad, and never a reason to sign anyone out. */
  | { kind: 'undecided' };

export const ANONYMOUS: Principal = { kind: 'anonymous' };
