import { actorParameter, audit, type Actor } from './audit.store.js';
import type { Database } from './database.js';

export type RevocationKind =
  /** One session. */
  | 'session'
  /** A user's tokens of older security versions. */
  | 'user'
  /** Everyone's tokens that were issued before `minimumVersion`, in seconds since the epoch. */
  | 'global'
  /** The signing keys have changed: load them again. */
  | 'keys';

/** Tells every replica that access tokens must not be believed any more. */
export interface RevocationEntry {
  kind: RevocationKind;
  /** The session's or the user's id. */
  key: string | null;
  /** Tokens of an older version die; null: all of them. */
  minimumVersion: number | null;
  /** When the last token that it concerns has expired, in seconds since the epoch. */
  expiresAt: number;
}

/** What a poll returns: from the snapshot that its first rows are from, so that no transaction falls between them. */
export interface RevocationPoll {
  /** Every transaction before this one has ended: the next poll starts here. */
  cursor: string;
  /** Names the server and its start: another one may have lost what this one had. */
  incarnation: string;
}

/** What takes the entries of a poll, page by page as they come, for there may be a million. */
export interface RevocationReceiver {
  /**
   * Of sessions and users. Each is the 16 bytes of its key, the least version that counts (all ones: none does) and the second since the epoch that it
   * expires in, both as 32 bits in network order.
   */
  packed(entries: Uint8Array): void;
  forEveryone(entry: RevocationEntry): void;
}

export const PACKED_ENTRY_BYTES = 24;

export interface RevocationStore {
  /** Hands over the live entries that a transaction from `cursor` on wrote; from `BEGINNING`, all of them. */
  poll(cursor: string, receiver: RevocationReceiver): Promise<RevocationPoll>;
  /** Whether a session lives, its user's security version, and the entries that concern everyone: for when the feed is not to be trusted. */
  sessionState(sessionId: string): Promise<SessionState | undefined>;
  /**
   * Ends everyone's access tokens issued until now, by the database's clock, which dates them. No entries: it is more than a minute off the
   * caller's, in seconds since the epoch. Then one is wrong, and nobody knows what was issued until now.
   */
  revokeGlobally(callersNow: number, actor: Actor): Promise<RevocationEntry[]>;
  /** Hints to the other replicas to poll now. Never part of a change: a full queue of notifications must not undo it. */
  notify(): Promise<void>;
}

export interface SessionState {
  isLive: boolean;
  userVersion: number;
  forEveryone: RevocationEntry[];
}

/**
 * Entries are kept for so long after they expire, in the database and in memory. A replica whose clock runs behind believes tokens for longer; and
 * where the database's clock has jumped by an hour, there and back, expiries that it wrote are wrong by an hour, or by two from one to another.
 */
export const REVOCATION_MARGIN_SECONDS = 3 * 60 * 60;

/** Names the server and its start, as a poll does. */
export const INCARNATION = 'pg_postmaster_start_time()::text';

export const REVOCATION_CHANNEL = 'latchkey_revocation';

/** The columns of an entry, as a statement that writes one returns them. */
const ENTRY = `kind, key, minimum_version::float8 AS "minimumVersion", extract(epoch FROM expires_at)::float8 AS "expiresAt"`;

/**
 * A CTE `announced` that writes an entry for each row of another CTE.
 *
 * @param lifetime a parameter: how long the entry matters, in seconds.
 */
export function announce(kind: RevocationKind, from: string, key: string, minimumVersion: string, lifetime: string): string {
  return `announced AS (
    INSERT INTO revocation (kind, key, minimum_version, expires_at)
    SELECT '${kind}', ${key}, ${minimumVersion}, now() + make_interval(secs => ${lifetime}) FROM ${from}
    RETURNING ${ENTRY}
  )`;
}

/** The cursor before every transaction. */
export const BEGINNING = '0';
const IS_KEPT = `expires_at > now() - make_interval(secs => ${REVOCATION_MARGIN_SECONDS})`;
const PAGE_ROWS = 10_000;
/** Those from a cursor on are few, as a rule: OFFSET 0 makes PostgreSQL find them by xid, and order them afterwards. */
const SINCE_CURSOR = '(SELECT * FROM revocation WHERE xid >= $2::text::xid8 OFFSET 0) AS recent';

/** 32 bits of a number that may be larger: then all of them. */
const word = (number: string) => `substring(int8send(least(${number}, 4294967295)::bigint) FROM 5)`;
/** An entry in bytes: as rows, a million would leave far more behind in the memory of whoever reads them. */
const PACKED_ENTRY = `uuid_send(key) || ${word('coalesce(minimum_version, 4294967295)')} || ${word('ceil(extract(epoch FROM expires_at))')}`;

export function createRevocationStore(db: Database, { revocationLifetimeSeconds }: { revocationLifetimeSeconds: number }): RevocationStore {
  /** Reads live rows after an id and a cursor in one statement, and so from one snapshot. */
  const readPage = async (since: string, afterId: string): Promise<Page> => {
    const [page] = await db.query<Page>(
      `WITH page AS (
         SELECT * FROM ${since === BEGINNING ? 'revocation' : SINCE_CURSOR} WHERE id > $1::text::bigint AND ${IS_KEPT} ORDER BY id LIMIT ${PAGE_ROWS}
       )
       SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS cursor, ${INCARNATION} AS incarnation,
              count(*)::int AS "rowCount", coalesce(max(id)::text, $1) AS "lastId", string_agg(${PACKED_ENTRY}, '') AS packed,
              (SELECT coalesce(jsonb_agg(e), '[]') FROM (SELECT ${ENTRY} FROM page WHERE key IS NULL) AS e) AS "forEveryone"
         FROM page`,
      since === BEGINNING ? [afterId] : [afterId, since],
    );
    if (page === undefined) throw new Error('A poll always returns a row.');
    return page;
  };

  return {
    async poll(cursor, receiver) {
      // In pages: a million entries at once take longer than any statement may. What commits between two pages is not lost: its transaction had not
      // ended at the first one, whose cursor is returned.
      const first = await readPage(cursor, '0');
      for (let page = first; ; page = await readPage(cursor, page.lastId)) {
        if (page.packed !== null) receiver.packed(page.packed);
        for (const entry of page.forEveryone) receiver.forEveryone(entry);
        if (page.rowCount < PAGE_ROWS) return { cursor: first.cursor, incarnation: first.incarnation };
      }
    },

    async sessionState(sessionId) {
      const [row] = await db.query<SessionState>(
        `SELECT (s.revoked_at IS NULL AND s.absolute_expires_at > now() AND s.user_version >= u.session_version AND NOT u.disabled) AS "isLive",
                u.security_version AS "userVersion",
                (SELECT coalesce(jsonb_agg(e), '[]') FROM (
                   SELECT ${ENTRY} FROM revocation WHERE key IS NULL AND ${IS_KEPT}
                 ) AS e) AS "forEveryone"
           FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.id = $1`,
        [sessionId],
      );
      return row;
    },

    revokeGlobally: (callersNow, actor) =>
      db.query<RevocationEntry>(
        `WITH moment AS (SELECT ceil(extract(epoch FROM now()))::bigint AS seconds WHERE abs(extract(epoch FROM now())::float8 - $3) < 60),
              ${announce('global', 'moment', 'NULL::uuid', 'seconds', '$1')},
              ${audit({ type: `'SESSIONS_REVOKED'`, from: 'moment', userId: 'NULL::uuid', sessionId: 'NULL::uuid', reason: `'EVERY_ACCESS_TOKEN'`, actor: '$2' })}
         SELECT * FROM announced`,
        [revocationLifetimeSeconds, actorParameter(actor), callersNow],
      ),

    async notify() {
      await db.query(`SELECT pg_notify('${REVOCATION_CHANNEL}', '')`);
    },
  };
}

interface Page extends RevocationPoll {
  rowCount: number;
  lastId: string;
  /** Null: none. */
  packed: Uint8Array | null;
  forEveryone: RevocationEntry[];
}
