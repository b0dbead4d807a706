/** Where time comes from. Grace, expiry and `iat` use the database's time; this is the replica's own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since some moment: it never goes back, whoever sets the time. For ages, not for dates. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
