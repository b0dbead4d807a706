/** Where time comes from. Grace, expiry and `iat` use the database's time; this is the replica's own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
