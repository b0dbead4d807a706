/** Why nothing can be said of the session just now. None of these ends it. */
export type OfflineReason =
  /** The server was not reached, or its answer did not arrive. */
  | 'network'
  /** The server, or something in front of it, answered with a fault of its own. */
  | 'server'
  /** The server asks for patience. */
  | 'rate-limited'
  /** The storage cannot be read or written: a keychain before the first unlock, a full disk. */
  | 'storage';

/** Nothing is wrong with the session, but there is no access token just now: the same call can succeed later. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';
  readonly code = 'OFFLINE';

  constructor(
    readonly reason: OfflineReason,
    /** When the kit tries again by itself, in milliseconds since 1970 by this device's clock. */
    readonly retryAt: number,
    options?: ErrorOptions,
  ) {
    super(`No access token just now (${reason})`, options);
  }
}
