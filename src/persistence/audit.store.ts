import type { ClientAddress } from './client-address.js';
import type { Database } from './database.js';

/** What an audit event tells of. */
export const AUDIT_EVENT_TYPES = [
  'REGISTERED',
  'SIGNED_IN',
  'SIGN_IN_FAILED',
  'REFRESH_TOKEN_REUSED',
  'SESSION_REVOKED',
  'SESSIONS_REVOKED',
  'PASSWORD_CHANGED',
  'ROLES_CHANGED',
  'USER_DISABLED',
  'USER_ENABLED',
  'USER_UNLOCKED',
  'SIGNING_KEY_MADE',
  'SIGNING_KEY_REVOKED',
] as const;
export type AuditEventType = (typeof AUDIT_EVENT_TYPES)[number];

/** Why a SIGN_IN_FAILED did. CHANGED_MEANWHILE: the password was right, and then changed, or its user disabled, before anything came of it. */
export const SIGN_IN_FAILURES = ['UNKNOWN_USER', 'WRONG_PASSWORD', 'DISABLED', 'THROTTLED', 'CHANGED_MEANWHILE'] as const;
export type SignInFailure = (typeof SIGN_IN_FAILURES)[number];

/** Who makes a change, and from where. */
export interface Actor extends ClientAddress {
  /** Null: someone not signed in, or the command line. */
  userId: string | null;
}

/** The command line makes changes in nobody's name. */
export const OPERATOR: Actor = { userId: null, ipAddress: null, userAgent: 'latchkey command' };

/** What happens by itself. */
export const NOBODY: Actor = { userId: null, ipAddress: null, userAgent: null };

export interface AuditRecord {
  id: string;
  occurredAt: Date;
  type: AuditEventType;
  userId: string | null;
  sessionId: string | null;
  actorId: string | null;
  ipAddress: string | null;
  userAgent: string | null;
  reason: string | null;
}

export interface AuditFilter {
  userId?: string | undefined;
  types?: readonly AuditEventType[] | undefined;
}

export interface AuditStore {
  /** For what changes nothing else; a change writes its event in its own statement. */
  record(
    event: { type: AuditEventType; userId: string | null; sessionId: string | null; reason: string | null },
    actor: Actor,
  ): Promise<void>;
  /** The newest first, from before an id. */
  page(first: number, beforeId: string | undefined, filter: AuditFilter): Promise<{ events: AuditRecord[]; hasMore: boolean }>;
}

/**
 * A CTE `audited` that writes an event for each row of another CTE, in the same statement as the change that it tells of.
 *
 * @param actor a parameter that `actorParameter` made.
 */
export function audit(event: { type: string; from: string; userId: string; sessionId: string; reason: string; actor: string }): string {
  return `audited AS (
    INSERT INTO audit_event (type, user_id, session_id, reason, actor_id, ip_address, user_agent)
    SELECT ${event.type}, ${event.userId}, ${event.sessionId}, ${event.reason}, actor."userId", actor."ipAddress", actor."userAgent"
      FROM ${event.from}, jsonb_to_record(${event.actor}::jsonb) AS actor ("userId" uuid, "ipAddress" text, "userAgent" text)
  )`;
}

export function actorParameter({ userId, ipAddress, userAgent }: Actor): string {
  return JSON.stringify({ userId, ipAddress, userAgent });
}

export function createAuditStore(db: Database): AuditStore {
  return {
    async record({ type, userId, sessionId, reason }, actor) {
      await db.query(
        `WITH happened AS (SELECT $1::text AS type, $2::uuid AS user_id, $3::uuid AS session_id, $4::text AS reason),
              ${audit({ type: 'type', from: 'happened', userId: 'user_id', sessionId: 'session_id', reason: 'reason', actor: '$5' })}
         SELECT 1`,
        [type, userId, sessionId, reason, actorParameter(actor)],
      );
    },

    async page(first, beforeId, { userId, types }) {
      const rows = await db.query<Omit<AuditRecord, 'occurredAt'> & { occurredAt: number }>(
        `SELECT e.id::text, extract(epoch FROM occurred_at)::float8 AS "occurredAt", type, user_id AS "userId", session_id AS "sessionId",
                actor_id AS "actorId", ip_address AS "ipAddress", user_agent AS "userAgent", reason
           FROM audit_event e
          WHERE ($2::bigint IS NULL OR e.id < $2) AND ($3::uuid IS NULL OR user_id = $3) AND ($4::text[] IS NULL OR type = ANY ($4))
          ORDER BY e.id DESC LIMIT $1`,
        [first + 1, beforeId ?? null, userId ?? null, types ?? null],
      );
      const events = rows.slice(0, first).map((row) => ({ ...row, occurredAt: new Date(row.occurredAt * 1000) }));
      return { events, hasMore: rows.length > first };
    },
  };
}
