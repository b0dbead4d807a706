import { NIL } from 'uuid';

import type { Database } from './database.js';
import { REVOCATION_MARGIN_SECONDS } from './revocation.store.js';

/** "latchkey" cut to fit, and one: who holds this advisory lock tidies up. */
const HOUSEKEEPING_LOCK = 0x6c61746369;
const BATCH = 1000;

/** Where a walk through a table got to: undefined at its end, where the next one begins anew. */
export interface Walked {
  removed: number;
  last: string | undefined;
  /** False: another replica tidies up, and nothing was looked at. */
  isOurTurn: boolean;
}

/** Removes what nobody needs any more, in small batches, one replica at a time. No statement reads more than a batch. */
export interface HousekeepingStore {
  /** Each removes at most a batch and tells how many rows went: fewer than `batchSize`, and there are no more. */
  removeRevocations(): Promise<number>;
  removeSigningKeys(): Promise<number>;
  removeAuditEvents(retentionDays: number): Promise<number>;
  /** Each looks at the next batch after a key, in the order of keys; undefined: from the first one on. */
  removeSessions(after: string | undefined): Promise<Walked>;
  removeThrottles(after: string | undefined): Promise<Walked>;
  readonly batchSize: number;
}

/** The turn: taken for the length of the statement, or not at all. */
const TURN = `turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${HOUSEKEEPING_LOCK}) AS mine)`;

const SESSION_IS_DUE = `least(idle_expires_at, absolute_expires_at, coalesce(revoked_at, 'infinity')) < now() - interval '7 days'`;

/**
 * The failures in a row of an account that there is are never forgotten. What only stands for one goes after a year, used up or not, or anyone could
 * fill the table for ever; a device's count after a month.
 */
const THROTTLE_IS_DUE = `(blocked_until < now() OR blocked_until = 'infinity') AND updated_at < now() - interval '1 day' * (
  CASE WHEN key LIKE 'network:%' THEN 1 WHEN key LIKE 'device:%' THEN 30 WHEN key ~ '^account:[0-9a-f-]{36}$' THEN NULL ELSE 365 END)`;

export function createHousekeepingStore(db: Database): HousekeepingStore {
  /** From the front of a table whose key grows with age, so that what is due stands there; or of one that holds fewer rows than a batch. */
  const removeOldest = async (table: string, key: string, isDue: string, parameters: readonly number[] = []): Promise<number> => {
    const rows = await db.query<{ count: number }>(
      `WITH ${TURN}, oldest AS (
         SELECT ${key} AS key, ${isDue} AS is_due FROM (SELECT * FROM ${table} WHERE (SELECT mine FROM turn) ORDER BY ${key} LIMIT ${BATCH}) AS front
       ), removed AS (
         DELETE FROM ${table} t USING oldest WHERE t.${key} = oldest.key AND oldest.is_due RETURNING 1
       )
       SELECT count(*)::int AS count FROM removed`,
      parameters,
    );
    return rows[0]?.count ?? 0;
  };

  /** `after`: a key, or what is below all of them. One comparison, so that the plan of a prepared statement goes by the index too. */
  const walk = async (table: string, key: string, type: string, isDue: string, after: string): Promise<Walked> => {
    const [row] = await db.query<{ removed: number; last: string | null; seen: number; mine: boolean }>(
      `WITH ${TURN}, window_ AS (
         SELECT ${key} AS key, ${isDue} AS is_due FROM (
           SELECT * FROM ${table} WHERE (SELECT mine FROM turn) AND ${key} > $1::${type} ORDER BY ${key} LIMIT ${BATCH}
         ) AS next
       ), removed AS (
         DELETE FROM ${table} t USING window_ w WHERE t.${key} = w.key AND w.is_due RETURNING 1
       )
       SELECT (SELECT count(*)::int FROM removed) AS removed, (SELECT count(*)::int FROM window_) AS seen, (SELECT mine FROM turn) AS mine,
              (SELECT key::text FROM window_ ORDER BY key DESC LIMIT 1) AS last`,
      [after],
    );
    // Another replica has the turn: the walk stands still.
    if (row?.mine !== true) return { removed: 0, last: after, isOurTurn: false };
    return { removed: row.removed, last: row.seen < BATCH ? undefined : (row.last ?? undefined), isOurTurn: true };
  };

  return {
    batchSize: BATCH,
    removeRevocations: () => removeOldest('revocation', 'id', `expires_at < now() - make_interval(secs => ${REVOCATION_MARGIN_SECONDS})`),
    removeSigningKeys: () => removeOldest('signing_key', 'kid', `coalesce(expires_at < now() - interval '7 days', false)`),
    removeAuditEvents: (retentionDays) =>
      removeOldest('audit_event', 'id', `occurred_at < now() - make_interval(days => $1)`, [retentionDays]),
    removeSessions: (after = NIL) => walk('session', 'id', 'uuid', SESSION_IS_DUE, after),
    removeThrottles: (after = '') => walk('throttle', 'key', 'text', THROTTLE_IS_DUE, after),
  };
}
