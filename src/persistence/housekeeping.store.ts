import type { Database } from './database.js';
import { REVOCATION_MARGIN_SECONDS } from './revocation.store.js';

/** "latchkey" cut to fit, and one: who holds this advisory lock tidies up. */
const HOUSEKEEPING_LOCK = 0x6c61746369;
const BATCH = 1000;

/** Removes what nobody needs any more, in small batches, one replica at a time. */
export interface HousekeepingStore {
  /** Each removes at most a batch and tells how many rows went: fewer than `batchSize`, and there are no more. */
  removeRevocations(): Promise<number>;
  removeThrottles(): Promise<number>;
  removeSigningKeys(): Promise<number>;
  removeAuditEvents(retentionDays: number): Promise<number>;
  /** Looks at the next batch of sessions after an id, in the order of ids; tells where it ended: undefined at the end of the table. */
  removeSessions(afterId: string): Promise<{ removed: number; lastId: string | undefined }>;
  readonly batchSize: number;
}

/** The turn: taken for the length of the statement, or not at all. */
const TURN = `turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${HOUSEKEEPING_LOCK}) AS mine)`;

export function createHousekeepingStore(db: Database): HousekeepingStore {
  const remove = async (table: string, key: string, condition: string, parameters: readonly number[] = []): Promise<number> => {
    const rows = await db.query<{ count: number }>(
      `WITH ${TURN}, doomed AS (
         SELECT ${key} FROM ${table} WHERE (SELECT mine FROM turn) AND ${condition} ORDER BY ${key} LIMIT ${BATCH}
       ), removed AS (
         DELETE FROM ${table} t USING doomed WHERE t.${key} = doomed.${key} RETURNING 1
       )
       SELECT count(*)::int AS count FROM removed`,
      parameters,
    );
    return rows[0]?.count ?? 0;
  };

  return {
    batchSize: BATCH,
    removeRevocations: () => remove('revocation', 'id', `expires_at < now() - make_interval(secs => ${REVOCATION_MARGIN_SECONDS})`),
    // The failures in a row of an account that there is are never forgotten. What only stands for one goes after a year, or anyone could fill the
    // table for ever; a device's count after a month.
    removeThrottles: () =>
      remove(
        'throttle',
        'key',
        `blocked_until < now() AND updated_at < now() - interval '1 day' * (
           CASE WHEN key LIKE 'network:%' THEN 1 WHEN key LIKE 'device:%' THEN 30 WHEN key ~ '^account:[0-9a-f-]{36}$' THEN NULL ELSE 365 END)`,
      ),
    removeSigningKeys: () => remove('signing_key', 'kid', `expires_at < now() - interval '7 days'`),
    removeAuditEvents: (retentionDays) => remove('audit_event', 'id', `occurred_at < now() - make_interval(days => $1)`, [retentionDays]),

    async removeSessions(afterId) {
      const [row] = await db.query<{ removed: number; lastId: string | null; seen: number }>(
        `WITH ${TURN}, window_ AS (
           SELECT id, user_id, least(idle_expires_at, absolute_expires_at, coalesce(revoked_at, 'infinity')) AS ended_at
             FROM session WHERE (SELECT mine FROM turn) AND id > $1 ORDER BY id LIMIT ${BATCH}
         ), removed AS (
           DELETE FROM session s USING window_ w WHERE s.id = w.id AND w.ended_at < now() - interval '7 days' RETURNING 1
         )
         SELECT (SELECT count(*)::int FROM removed) AS removed, (SELECT max(id::text) FROM window_) AS "lastId",
                (SELECT count(*)::int FROM window_) AS seen`,
        [afterId],
      );
      const isLast = row === undefined || row.seen < BATCH;
      return { removed: row?.removed ?? 0, lastId: isLast ? undefined : (row.lastId ?? undefined) };
    },
  };
}
