import type { Database } from './database.js';

/** How attempts under one key are slowed down. */
export interface ThrottlePolicy {
  /** Failures in a row that cost nothing; as many attempts, and one, may be under way at once. */
  freeFailures: number;
  /** The delay after the first failure that does cost; it doubles with each. */
  firstDelaySeconds: number;
  maxDelaySeconds: number;
  /** From so many failures in a row on, no attempt is let through until one succeeds by another key; null: never. */
  maxFailures: number | null;
  /** Failures are forgotten after so long without another; null: never. */
  forgetAfterSeconds: number | null;
}

/** Counts attempts before they are made, so that a thousand at once are not a thousand guesses. Each method is one statement. */
export interface ThrottleStore {
  /** Whether an attempt may be made; then it counts as pending until it is settled, or for half a minute. */
  begin(key: string, policy: ThrottlePolicy): Promise<boolean>;
  /** The seconds to wait, 1 at least; infinite when waiting does not help. */
  retryAfterSeconds(key: string): Promise<number>;
  fail(key: string, policy: ThrottlePolicy): Promise<void>;
  /** Ends a pending attempt that says nothing about the password. */
  release(key: string): Promise<void>;
  /** Forgets the failures. */
  clear(key: string): Promise<void>;
  /** Forgets the failures under every key that starts so. Reads the whole table: for an operator. */
  clearAll(prefix: string): Promise<void>;
}

const PENDING_LEASE = "interval '30 seconds'";

export function createThrottleStore(db: Database): ThrottleStore {
  return {
    async begin(key, policy) {
      const rows = await db.query(
        `INSERT INTO throttle AS t (key, pending) VALUES ($1, 1)
         ON CONFLICT (key) DO UPDATE
            SET pending = CASE WHEN t.pending_since < now() - ${PENDING_LEASE} THEN 1 ELSE t.pending + 1 END,
                pending_since = CASE WHEN t.pending = 0 OR t.pending_since < now() - ${PENDING_LEASE} THEN now() ELSE t.pending_since END,
                failures = CASE WHEN t.updated_at < now() - make_interval(secs => $3) THEN 0 ELSE t.failures END
          WHERE t.blocked_until <= now()
            AND (t.pending < greatest(1, $2::int + 1 - t.failures) OR t.pending_since < now() - ${PENDING_LEASE})
         RETURNING 1`,
        [key, policy.freeFailures, policy.forgetAfterSeconds],
      );
      return rows.length > 0;
    },

    async retryAfterSeconds(key) {
      const [row] = await db.query<{ seconds: number }>(
        `SELECT (extract(epoch FROM blocked_until) - extract(epoch FROM now()))::float8 AS seconds FROM throttle WHERE key = $1`,
        [key],
      );
      return Math.max(1, Math.ceil(row?.seconds ?? 1));
    },

    async fail(key, { freeFailures, firstDelaySeconds, maxDelaySeconds, maxFailures }) {
      await db.query(
        `UPDATE throttle
            SET failures = failures + 1, pending = greatest(pending - 1, 0), updated_at = now(),
                -- Not now(): an attempt that began a moment before this one ended would find that moment in its future.
                blocked_until = CASE
                  WHEN failures + 1 >= $4::int THEN 'infinity'
                  WHEN failures + 1 <= $2::int THEN '-infinity'
                  ELSE now() + make_interval(secs => least($5::float8 * power(2, least(failures - $2::int, 30)), $3::float8))
                END
          WHERE key = $1`,
        [key, freeFailures, maxDelaySeconds, maxFailures, firstDelaySeconds],
      );
    },

    async release(key) {
      await db.query('UPDATE throttle SET pending = greatest(pending - 1, 0) WHERE key = $1', [key]);
    },

    async clear(key) {
      await db.query('DELETE FROM throttle WHERE key = $1', [key]);
    },

    async clearAll(prefix) {
      await db.query('DELETE FROM throttle WHERE starts_with(key, $1)', [prefix]);
    },
  };
}
