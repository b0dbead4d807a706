import { actorParameter, audit, type Actor } from './audit.store.js';
import type { ClientAddress } from './client-address.js';
import type { Database } from './database.js';
import { idsParameter, oneOf } from './one-of.js';
import { announce, type RevocationEntry } from './revocation.store.js';
import { toUserRecord, USER_RECORD, type UserColumn, type UserRecord } from './user-record.js';

export interface SessionRecord {
  id: string;
  userId: string;
  deviceName: string | null;
  devicePlatform: string;
  createdAt: Date;
  lastSeenAt: Date;
  /** The idle or the absolute expiry, whichever is sooner. */
  expiresAt: Date;
  ipAddress: string | null;
  userAgent: string | null;
}

/** What the tokens of a session are made from. Times are seconds since the epoch, by the database's clock. */
export interface SessionGrant {
  sessionId: string;
  userId: string;
  generation: number;
  userVersion: number;
  /** What the roles grant now, within what the session was narrowed to. */
  scopes: readonly string[];
  now: number;
  authTime: number;
  idleExpiresAt: number;
  absoluteExpiresAt: number;
  /** Whose session it is: most who are given tokens ask for that too. */
  user: UserRecord;
}

export interface NewSession extends ClientAddress {
  id: string;
  userId: string;
  /** SHA-256 of the secret of its first refresh token. */
  currentHash: Buffer;
  secretId: number;
  /** What the caller asks to narrow the session to. */
  scopes: readonly string[] | null;
  deviceName: string | null;
  devicePlatform: string;
  idleLifetimeSeconds: number;
  absoluteLifetimeSeconds: number;
  /** The hash that the password was verified against: a session must not begin on a password that was changed meanwhile. */
  passwordHash: string;
}

export interface Rotation extends ClientAddress {
  sessionId: string;
  /** The generation and the hash that must be the current ones. */
  generation: number;
  presentedHash: Buffer;
  /** What it becomes. */
  successorHash: Buffer;
  salt: Buffer;
  secretId: number;
  attemptHash: Buffer | null;
  graceSeconds: number;
  idleLifetimeSeconds: number;
}

/** The session's row as rotation found it, locked, and whether it rotated. */
export interface RotationResult {
  rotated: boolean;
  /** Before rotation. */
  generation: number;
  currentHash: Buffer;
  previousHash: Buffer | null;
  salt: Buffer | null;
  secretId: number;
  attemptHash: Buffer | null;
  seenGeneration: number;
  /** Revoked, expired, or its user disabled. */
  ended: boolean;
  /** The last rotation is less than the grace ago. */
  rotatedRecently: boolean;
  /** After rotation. */
  grant: SessionGrant;
}

/** One sighting: this generation of the session's tokens has come back to us. */
export interface Sighting {
  sessionId: string;
  generation: number;
}

export type RevocationReason = 'LOGOUT' | 'REVOKED' | 'REFRESH_TOKEN_REUSED' | 'OPERATOR';

/** Why sessions end, and which of a user's goes on when all others do. */
export interface Ending {
  reason: RevocationReason | 'PASSWORD_CHANGED' | 'USER_DISABLED';
  except: string | null;
}

/** What is known of sessions that ended once, whatever the database says now: one session, or those of a user that began before a version. */
export type PastEnding = { endedAt: string; reason: string } & (
  { sessionId: string } | { userId: string; beforeVersion: number; exceptSessionId: string | null }
);

/** A session that ended once, and lives. */
export interface RevivedSession {
  id: string;
  userId: string;
  deviceName: string | null;
  lastSeenAt: Date;
  /** When and why it ended, as it was told. */
  endedAt: string;
  reason: string;
}

/** Sessions. Each method is one statement, which writes what it revokes and the audit event too. */
export interface SessionStore {
  /** Undefined when the user does not exist or is disabled. */
  insert(session: NewSession): Promise<SessionGrant | undefined>;
  /** Rotates if the presented generation is the current one and the grace has passed. Undefined when there is no such session. */
  rotate(rotation: Rotation): Promise<RotationResult | undefined>;
  /** Ends one session, of this user if one is named. No entries: it had ended already. */
  revoke(sessionId: string, reason: RevocationReason, actor: Actor, ofUserId?: string): Promise<RevocationEntry[]>;
  /** Ends the user's sessions, but for one, and every access token of theirs: the one that goes on must refresh. */
  revokeAll(userId: string, end: Ending, actor: Actor): Promise<RevocationEntry[]>;
  /** Ends every session of the next thousand users after an id who have any, in the order of ids: one entry each. No entries: that is all. */
  revokeEveryone(afterUserId: string, reason: RevocationReason, actor: Actor): Promise<RevocationEntry[]>;
  /** Which sessions live all the same. */
  revivedAmong(endings: readonly PastEnding[]): Promise<RevivedSession[]>;
  findLive(sessionId: string): Promise<{ userId: string; generation: number } | undefined>;
  byIds(ids: readonly string[]): Promise<SessionRecord[]>;
  /** The live sessions of each user, the last seen first, a hundred at most: anyone can have any number. */
  liveByUsers(userIds: readonly string[]): Promise<SessionRecord[]>;
  /** Writes sightings; tells which it left for later because their rows were locked. */
  recordSightings(sightings: readonly Sighting[]): Promise<Sighting[]>;
}

/** The scopes that a user's roles grant now, within `narrowed`. */
const grantedScopes = (userId: string, narrowed: string) => `
  ARRAY(SELECT DISTINCT scope FROM user_role ur JOIN role r ON r.name = ur.role, unnest(r.scopes) AS scope
         WHERE ur.user_id = ${userId} AND (${narrowed} IS NULL OR scope = ANY (${narrowed})) ORDER BY scope)`;

const epoch = (timestamp: string) => `extract(epoch FROM ${timestamp})::float8`;

/** Needs the session as s and its user as u. */
export const LIVE = `s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.absolute_expires_at > now() AND s.user_version >= u.session_version`;

const REVOKE = `
  WITH ended AS (
    UPDATE session SET revoked_at = now(), revoked_reason = $2
     WHERE id = $1 AND revoked_at IS NULL AND ($3::uuid IS NULL OR user_id = $3) RETURNING id, user_id
  ), ${announce('session', 'ended', 'id', 'NULL', '$4')},
     ${audit({ type: '$5', from: 'ended', userId: 'user_id', sessionId: 'id', reason: '$2', actor: '$6' })}
  SELECT * FROM announced`;

/**
 * CTEs that carry one session over to the user's new version, from `moved`: only one that was not over itself, for an access token may name it for a
 * second longer. It is locked first, and what was locked is compared: its version in the statement's snapshot may be that from before a change which
 * kept it too.
 */
export const keepSession = (sessionId: string) => `own AS (
    SELECT s.id, s.user_version FROM session s JOIN moved ON s.user_id = moved.id WHERE s.id = ${sessionId} FOR NO KEY UPDATE OF s
  ), kept AS (
    UPDATE session s SET user_version = moved.security_version
      FROM moved, own WHERE s.id = own.id AND own.user_version >= moved.session_version_before
  )`;

/** One row each, however many sessions: those that began before are over by comparison. */
const REVOKE_ALL = `
  WITH held AS (
    SELECT id, session_version FROM user_account WHERE id = $1 FOR NO KEY UPDATE
  ), moved AS (
    UPDATE user_account u SET security_version = u.security_version + 1, session_version = u.security_version + 1
      FROM held WHERE u.id = held.id RETURNING u.id, u.security_version, held.session_version AS session_version_before
  ), ${keepSession('$2')}, ${announce('user', 'moved', 'id', 'security_version', '$3')},
     ${audit({ type: `'SESSIONS_REVOKED'`, from: 'moved', userId: 'id', sessionId: '$2::uuid', reason: '$4', actor: '$5' })}
  SELECT * FROM announced`;

const USERS_IN_A_BATCH = 1000;
export const LISTED_SESSIONS = 100;

const REVOKE_EVERYONE = `
  WITH held AS (
    SELECT u.id FROM user_account u
     WHERE u.id > $1 AND EXISTS (SELECT 1 FROM session s WHERE s.user_id = u.id AND ${LIVE})
     ORDER BY u.id LIMIT ${USERS_IN_A_BATCH} FOR NO KEY UPDATE
  ), moved AS (
    UPDATE user_account u SET security_version = u.security_version + 1, session_version = u.security_version + 1
      FROM held WHERE u.id = held.id RETURNING u.id, u.security_version
  ), ${announce('user', 'moved', 'id', 'security_version', '$2')},
     ${audit({ type: `'SESSIONS_REVOKED'`, from: 'moved', userId: 'id', sessionId: 'NULL::uuid', reason: '$3', actor: '$4' })}
  SELECT * FROM announced ORDER BY key`;

/**
 * What began after the ending is another session. The version tells, as long as the database has not forgotten that too: then the time does, which
 * is a replica's, and a little later than the database's perhaps.
 */
const REVIVED_AMONG = `
  WITH ending AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e
      ("sessionId" uuid, "userId" uuid, "beforeVersion" int, "exceptSessionId" uuid, "endedAt" timestamptz, reason text)
  ), named AS (
    SELECT s.id, e."endedAt", e.reason FROM ending e JOIN session s ON s.id = e."sessionId"
    UNION ALL
    SELECT s.id, e."endedAt", e.reason FROM ending e JOIN session s ON s.user_id = e."userId"
     WHERE s.user_version < e."beforeVersion" AND s.created_at < e."endedAt" + interval '10 seconds' AND s.id IS DISTINCT FROM e."exceptSessionId"
  )
  SELECT DISTINCT ON (s.id) s.id, s.user_id AS "userId", s.device_name AS "deviceName", ${epoch('s.last_seen_at')} AS "lastSeenAt",
         ${epoch('named."endedAt"')} AS "endedAt", named.reason
    FROM named JOIN session s USING (id) JOIN user_account u ON u.id = s.user_id
   WHERE ${LIVE} ORDER BY s.id, named."endedAt"`;

const RECORD = `
  s.id, s.user_id AS "userId", s.device_name AS "deviceName", s.device_platform AS "devicePlatform",
  ${epoch('s.created_at')} AS "createdAt", ${epoch('s.last_seen_at')} AS "lastSeenAt",
  ${epoch('least(s.idle_expires_at, s.absolute_expires_at)')} AS "expiresAt",
  s.ip_address AS "ipAddress", s.user_agent AS "userAgent"`;

/** The live sessions of a user, the last seen first. */
const liveOf = (userId: string) => `
  SELECT ${RECORD} FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.user_id = ${userId} AND ${LIVE}
   ORDER BY s.last_seen_at DESC, s.id DESC LIMIT ${LISTED_SESSIONS}`;

const INSERT = `
  WITH inserted AS (
    INSERT INTO session (id, user_id, user_version, generation, current_hash, secret_id, scopes, device_name, device_platform,
                         ip_address, user_agent, idle_expires_at, absolute_expires_at)
    SELECT $1, u.id, u.security_version, 1, $3, $4,
           CASE WHEN $5::text[] IS NULL THEN NULL ELSE ${grantedScopes('u.id', '$5::text[]')} END,
           $6, $7, $8, $9, now() + make_interval(secs => $10), now() + make_interval(secs => $11)
      FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.id = $2 AND NOT u.disabled AND c.password_hash = $12
    RETURNING *
  ), ${audit({ type: `'SIGNED_IN'`, from: 'inserted', userId: 'user_id', sessionId: 'id', reason: 'NULL', actor: '$13' })}
  SELECT i.id AS "sessionId", i.user_id AS "userId", i.generation, u.security_version AS "userVersion",
         ${grantedScopes('i.user_id', 'i.scopes')} AS scopes,
         ${epoch('now()')} AS now, ${epoch('i.auth_time')} AS "authTime",
         ${epoch('i.idle_expires_at')} AS "idleExpiresAt", ${epoch('i.absolute_expires_at')} AS "absoluteExpiresAt", ${USER_RECORD} AS user
    FROM inserted i JOIN user_account u ON u.id = i.user_id`;

/*
 * The row is locked first, so that of any number of callers one rotates and the others see what it wrote. now() is when the statement
 * began, perhaps before it waited for the lock: a rotation that happened meanwhile then lies in its future, and counts as recent.
 */
const ROTATE = `
  WITH held AS (
    SELECT * FROM session WHERE id = $1 FOR UPDATE
  ), state AS (
    SELECT h.*, u.security_version,
           (h.revoked_at IS NOT NULL OR h.idle_expires_at <= now() OR h.absolute_expires_at <= now()
             OR h.user_version < u.session_version OR u.disabled) AS ended,
           coalesce(h.rotated_at > now() - make_interval(secs => $8), false) AS rotated_recently, ${USER_RECORD} AS user_record
      FROM held h JOIN user_account u ON u.id = h.user_id
  ), rotated AS (
    UPDATE session s
       SET generation = s.generation + 1, previous_hash = s.current_hash, current_hash = $4, salt = $5, secret_id = $6, attempt_hash = $7,
           rotated_at = now(), idle_expires_at = now() + make_interval(secs => $9), last_seen_at = now(), ip_address = $10, user_agent = $11
      FROM state
     WHERE s.id = state.id AND NOT state.ended AND NOT state.rotated_recently AND state.generation = $2 AND state.current_hash = $3
    RETURNING s.generation, s.idle_expires_at
  )
  SELECT (r.generation IS NOT NULL) AS rotated,
         state.generation, state.current_hash AS "currentHash", state.previous_hash AS "previousHash", state.salt,
         state.secret_id AS "secretId", state.attempt_hash AS "attemptHash", state.seen_generation AS "seenGeneration",
         state.ended, state.rotated_recently AS "rotatedRecently",
         state.id AS "sessionId", state.user_id AS "userId", coalesce(r.generation, state.generation) AS "grantGeneration",
         state.security_version AS "userVersion", ${grantedScopes('state.user_id', 'state.scopes')} AS scopes,
         ${epoch('now()')} AS now, ${epoch('state.auth_time')} AS "authTime",
         ${epoch('coalesce(r.idle_expires_at, state.idle_expires_at)')} AS "idleExpiresAt",
         ${epoch('state.absolute_expires_at')} AS "absoluteExpiresAt", state.user_record AS user
    FROM state LEFT JOIN rotated r ON true`;

/** Rows that a rotation holds are left for the next time: a sighting must not make it wait. */
const RECORD_SIGHTINGS = `
  WITH sighting AS (
    SELECT * FROM unnest($1::uuid[], $2::int[]) AS t (id, generation)
  ), held AS (
    SELECT s.id FROM session s JOIN sighting USING (id) FOR NO KEY UPDATE OF s SKIP LOCKED
  ), written AS (
    UPDATE session s SET seen_generation = greatest(s.seen_generation, sighting.generation), last_seen_at = now()
      FROM sighting JOIN held USING (id) WHERE s.id = sighting.id
  )
  SELECT s.id AS "sessionId" FROM session s JOIN sighting USING (id) WHERE s.id NOT IN (SELECT id FROM held)`;

type RecordRow = Omit<SessionRecord, 'createdAt' | 'lastSeenAt' | 'expiresAt'> & Record<'createdAt' | 'lastSeenAt' | 'expiresAt', number>;

type GrantRow = Omit<SessionGrant, 'user'> & { user: UserColumn };

interface RotationRow extends Omit<GrantRow, 'generation'>, Omit<RotationResult, 'grant'> {
  grantGeneration: number;
}

export function createSessionStore(db: Database, { revocationLifetimeSeconds }: { revocationLifetimeSeconds: number }): SessionStore {
  return {
    async insert(session) {
      const [grant] = await db.query<GrantRow>(INSERT, [
        session.id,
        session.userId,
        session.currentHash,
        session.secretId,
        session.scopes,
        session.deviceName,
        session.devicePlatform,
        session.ipAddress,
        session.userAgent,
        session.idleLifetimeSeconds,
        session.absoluteLifetimeSeconds,
        session.passwordHash,
        actorParameter({ ...session, userId: session.userId }),
      ]);
      return grant && { ...grant, user: toUserRecord(grant.user) };
    },

    async rotate(rotation) {
      const [row] = await db.query<RotationRow>(ROTATE, [
        rotation.sessionId,
        rotation.generation,
        rotation.presentedHash,
        rotation.successorHash,
        rotation.salt,
        rotation.secretId,
        rotation.attemptHash,
        rotation.graceSeconds,
        rotation.idleLifetimeSeconds,
        rotation.ipAddress,
        rotation.userAgent,
      ]);
      return row === undefined ? undefined : toRotationResult(row);
    },

    revoke: (sessionId, reason, actor, ofUserId) =>
      db.query<RevocationEntry>(REVOKE, [
        sessionId,
        reason,
        ofUserId ?? null,
        revocationLifetimeSeconds,
        reason === 'REFRESH_TOKEN_REUSED' ? reason : 'SESSION_REVOKED',
        actorParameter(actor),
      ]),

    revokeAll: (userId, { except, reason }, actor) =>
      db.query<RevocationEntry>(REVOKE_ALL, [userId, except, revocationLifetimeSeconds, reason, actorParameter(actor)]),

    revokeEveryone: (afterUserId, reason, actor) =>
      db.query<RevocationEntry>(REVOKE_EVERYONE, [afterUserId, revocationLifetimeSeconds, reason, actorParameter(actor)]),

    async revivedAmong(endings) {
      const rows = await db.query<Omit<RevivedSession, 'lastSeenAt' | 'endedAt'> & Record<'lastSeenAt' | 'endedAt', number>>(
        REVIVED_AMONG,
        [JSON.stringify(endings)],
      );
      return rows.map((row) => ({
        ...row,
        lastSeenAt: new Date(row.lastSeenAt * 1000),
        endedAt: new Date(row.endedAt * 1000).toISOString(),
      }));
    },

    async findLive(sessionId) {
      const [row] = await db.query<{ userId: string; generation: number }>(
        `SELECT s.user_id AS "userId", s.generation FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.id = $1 AND ${LIVE}`,
        [sessionId],
      );
      return row;
    },

    async byIds(ids) {
      const rows = await db.query<RecordRow>(`SELECT ${RECORD} FROM session s WHERE s.id ${oneOf(ids)}`, [idsParameter(ids)]);
      return rows.map(toRecord);
    },

    async liveByUsers(userIds) {
      const rows = await db.query<RecordRow>(
        userIds.length === 1
          ? liveOf('$1')
          : `SELECT listed.* FROM unnest($1::uuid[]) AS asked (user_id) CROSS JOIN LATERAL (${liveOf('asked.user_id')}) AS listed`,
        [idsParameter(userIds)],
      );
      return rows.map(toRecord);
    },

    async recordSightings(sightings) {
      const left = await db.query<{ sessionId: string }>(RECORD_SIGHTINGS, [
        sightings.map((sighting) => sighting.sessionId),
        sightings.map((sighting) => sighting.generation),
      ]);
      const leftIds = new Set(left.map((row) => row.sessionId));
      return sightings.filter((sighting) => leftIds.has(sighting.sessionId));
    },
  };
}

function toRecord(row: RecordRow): SessionRecord {
  const date = (seconds: number) => new Date(seconds * 1000);
  return { ...row, createdAt: date(row.createdAt), lastSeenAt: date(row.lastSeenAt), expiresAt: date(row.expiresAt) };
}

function toRotationResult(row: RotationRow): RotationResult {
  // PGlite gives bytes as Uint8Array, pg as Buffer.
  const bytes = (value: Buffer | null) => (value === null ? null : Buffer.from(value));
  return {
    rotated: row.rotated,
    generation: row.generation,
    currentHash: Buffer.from(row.currentHash),
    previousHash: bytes(row.previousHash),
    salt: bytes(row.salt),
    secretId: row.secretId,
    attemptHash: bytes(row.attemptHash),
    seenGeneration: row.seenGeneration,
    ended: row.ended,
    rotatedRecently: row.rotatedRecently,
    grant: {
      sessionId: row.sessionId,
      userId: row.userId,
      generation: row.grantGeneration,
      userVersion: row.userVersion,
      scopes: row.scopes,
      now: row.now,
      authTime: row.authTime,
      idleExpiresAt: row.idleExpiresAt,
      absoluteExpiresAt: row.absoluteExpiresAt,
      user: toUserRecord(row.user),
    },
  };
}
