import type { OfflineReason } from './offline-error.js';

export interface User {
  /** A UUID, never reused. */
  readonly id: string;
  readonly email: string;
  readonly roles: readonly string[];
}

/** One sign-in on one device, as it was when it was last refreshed. */
export interface Session {
  /** A UUID: `viewer { sessions { id } }` knows it by the same. */
  readonly id: string;
  readonly user: User;
  readonly scopes: readonly string[];
  /**
   * When it ends if it is not refreshed, in milliseconds since 1970 by this device's clock. To show; nothing is decided by it, because the clock may be
   * wrong and the server's word counts.
   */
  readonly expiresAt: number;
}

export type SignedOutReason =
  /** Nobody was signed in here, or another tab or process of this device has signed out. */
  | 'nobody'
  /** `logout` was called. */
  | 'logged-out'
  /** The server has ended the session: revoked, expired, or its token was stolen. */
  | 'session-ended'
  /** What is stored is no record of ours, or that of a later version. It stays where it is until someone signs in or logs out. */
  | 'unreadable-record';

/** Replaced at each change, never modified: it can be a snapshot of React's `useSyncExternalStore`. */
export type AuthState =
  /** The storage has not been read yet. */
  | { readonly status: 'starting' }
  | { readonly status: 'signed-out'; readonly reason: SignedOutReason }
  /** There is a session. An access token is fetched when someone asks for one. */
  | { readonly status: 'signed-in'; readonly session: Session }
  /** A refresh is under way; an access token that lives is still given out. */
  | { readonly status: 'refreshing'; readonly session: Session }
  | {
      /** There is, or may be, a session, but a refresh or the storage failed. The kit tries again by itself, and `refresh` does so now. */
      readonly status: 'offline';
      /** Undefined when the storage could not be read since the program started. */
      readonly session: Session | undefined;
      readonly reason: OfflineReason;
      /** The next try, in milliseconds since 1970 by this device's clock. */
      readonly retryAt: number;
    };
