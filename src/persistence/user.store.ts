import { AuthError } from '../errors.js';
import { actorParameter, audit, type Actor } from './audit.store.js';
import { brokenUniqueConstraint } from './database-errors.js';
import type { Database } from './database.js';
import { Role } from './entities/role.entity.js';
import { User } from './entities/user.entity.js';
import { idsParameter, oneOf } from './one-of.js';
import { announce, type RevocationEntry } from './revocation.store.js';
import { keepSession, LIVE } from './session.store.js';
import { toUserRecord, USER_RECORD, type UserColumn, type UserRecord } from './user-record.js';

export interface NewUser {
  id: string;
  email: string;
  emailKey: string;
  username: string | null;
  usernameKey: string | null;
  passwordHash: string;
  roles: readonly string[];
}

export interface UserCredential {
  userId: string;
  disabled: boolean;
  passwordHash: string;
}

/** What came of a change: undefined when there is no such user, or the password is not the old one any more. */
export type Change = RevocationEntry[] | undefined;

/** Users, their credentials and their roles. Each change is one statement, which writes what it revokes and the audit event too. */
export interface UserStore {
  /** @throws {AuthError} CONFLICT when the e-mail address or the username is taken. */
  insert(user: NewUser, actor: Actor): Promise<void>;
  credentialByEmail(emailKey: string): Promise<UserCredential | undefined>;
  credentialByUsername(usernameKey: string): Promise<UserCredential | undefined>;
  credentialById(userId: string): Promise<UserCredential | undefined>;
  /** Finds a user by id, e-mail address or username, whichever of them the key is. */
  idByKey(key: string): Promise<string | undefined>;
  /** The addresses of the user's live sessions. */
  liveAddresses(userId: string): Promise<string[]>;
  /** Replaces a hash by one with today's parameters, unless the password was changed meanwhile; tells which. */
  rehash(userId: string, oldHash: string, newHash: string): Promise<boolean>;
  /** Replaces the hash, and ends every session but one, or none when `end` is undefined. */
  changePassword(userId: string, hashes: { old: string; new: string }, end: { except: string } | undefined, actor: Actor): Promise<Change>;
  /** Sets a password whatever the old one was, and ends every session: for an operator. */
  resetPassword(userId: string, hash: string, actor: Actor): Promise<Change>;
  setRoles(userId: string, roles: readonly string[], actor: Actor): Promise<Change>;
  /** Disables or enables; disabling ends every session. */
  setDisabled(userId: string, disabled: boolean, actor: Actor): Promise<Change>;
  byIds(ids: readonly string[]): Promise<UserRecord[]>;
  /** A page in the order of registration (ids are UUIDv7), and how many users there are. */
  page(first: number, afterId: string | undefined): Promise<{ users: UserRecord[]; hasMore: boolean; totalCount: number }>;
  /** How many password hashes there are of each pepper, by the `keyid` of their PHC strings; null: without. Reads the whole table: for an operator. */
  pepperUse(): Promise<{ pepperId: string | null; count: number }[]>;
  roles(): Promise<{ name: string; scopes: readonly string[] }[]>;
}

/** An entry that a change announced, or nulls where it changed something without ending anything. */
type ChangeRow = { [Key in keyof RevocationEntry]: RevocationEntry[Key] | null };

/** One row at least for a change that took place: what it announced, if anything. */
const CHANGED = 'SELECT announced.* FROM changed LEFT JOIN announced ON true';

const CHANGE_PASSWORD = `
  WITH changed AS (
    UPDATE credential SET password_hash = $3, updated_at = now()
     WHERE user_id = $1 AND ($2::text IS NULL OR password_hash = $2) RETURNING user_id
  ), held AS (
    SELECT u.id, u.session_version FROM user_account u JOIN changed ON u.id = changed.user_id WHERE $4 FOR NO KEY UPDATE OF u
  ), moved AS (
    UPDATE user_account u SET security_version = u.security_version + 1, session_version = u.security_version + 1
      FROM held WHERE u.id = held.id RETURNING u.id, u.security_version, held.session_version AS session_version_before
  ), ${keepSession('$5')}, ${announce('user', 'moved', 'id', 'security_version', '$6')},
     ${audit({ type: `'PASSWORD_CHANGED'`, from: 'changed', userId: 'user_id', sessionId: '$5::uuid', reason: 'NULL', actor: '$7' })}
  ${CHANGED}`;

/* Roles are replaced as the snapshot has them: where someone else has replaced them since, it is overtaken, changes nothing and is tried again. */
const SET_ROLES = `
  WITH seen AS (
    SELECT id, security_version FROM user_account WHERE id = $1
  ), changed AS (
    UPDATE user_account u SET security_version = u.security_version + 1
      FROM seen WHERE u.id = seen.id AND u.security_version = seen.security_version RETURNING u.id, u.security_version
  ), removed AS (
    DELETE FROM user_role r USING changed WHERE r.user_id = changed.id AND r.role <> ALL ($2::text[])
  ), added AS (
    INSERT INTO user_role (user_id, role) SELECT changed.id, unnest($2::text[]) FROM changed ON CONFLICT DO NOTHING
  ), ${announce('user', 'changed', 'id', 'security_version', '$3')},
     ${audit({ type: `'ROLES_CHANGED'`, from: 'changed', userId: 'id', sessionId: 'NULL', reason: `array_to_string($2::text[], ' ')`, actor: '$4' })}
  SELECT announced.*, changed.id IS NULL AS "isOvertaken" FROM seen LEFT JOIN changed ON true LEFT JOIN announced ON true`;
const SET_ROLES_TRIES = 10;

const SET_DISABLED = `
  WITH changed AS (
    SELECT id FROM user_account WHERE id = $1
  ), moved AS (
    UPDATE user_account
       SET disabled = $2, security_version = security_version + 1,
           session_version = CASE WHEN $2 THEN security_version + 1 ELSE session_version END
     WHERE id = $1 AND disabled <> $2 RETURNING id, security_version
  ), ${announce('user', 'moved', 'id', 'security_version', '$3')},
     ${audit({ type: `CASE WHEN $2 THEN 'USER_DISABLED' ELSE 'USER_ENABLED' END`, from: 'moved', userId: 'id', sessionId: 'NULL', reason: 'NULL', actor: '$4' })}
  ${CHANGED}`;

export function createUserStore(db: Database, { revocationLifetimeSeconds }: { revocationLifetimeSeconds: number }): UserStore {
  const credential = async (column: 'email_key' | 'username_key' | 'id', value: string) => {
    const [row] = await db.query<UserCredential>(
      `SELECT u.id AS "userId", u.disabled, c.password_hash AS "passwordHash"
         FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.${column} = $1`,
      [value],
    );
    return row;
  };

  return {
    async insert(user, actor) {
      try {
        await db.query(
          `WITH inserted AS (
             INSERT INTO user_account (id, email, email_key, username, username_key) VALUES ($1, $2, $3, $4, $5) RETURNING id
           ), credential_inserted AS (
             INSERT INTO credential (user_id, password_hash) SELECT id, $6 FROM inserted
           ), ${audit({ type: `'REGISTERED'`, from: 'inserted', userId: 'id', sessionId: 'NULL', reason: 'NULL', actor: '$8' })}
           INSERT INTO user_role (user_id, role) SELECT id, unnest($7::text[]) FROM inserted`,
          [user.id, user.email, user.emailKey, user.username, user.usernameKey, user.passwordHash, user.roles, actorParameter(actor)],
        );
      } catch (error) {
        const constraint = brokenUniqueConstraint(error);
        if (constraint === 'user_account_email_key_unique') throw new AuthError({ code: 'CONFLICT', reason: 'EMAIL_TAKEN' });
        if (constraint === 'user_account_username_key_unique') throw new AuthError({ code: 'CONFLICT', reason: 'USERNAME_TAKEN' });
        throw error;
      }
    },

    credentialByEmail: (emailKey) => credential('email_key', emailKey),
    credentialByUsername: (usernameKey) => credential('username_key', usernameKey),
    credentialById: (userId) => credential('id', userId),

    async idByKey(key) {
      const [row] = await db.query<{ id: string }>(
        'SELECT id FROM user_account WHERE id::text = $1 OR email_key = $1 OR username_key = $1',
        [key],
      );
      return row?.id;
    },

    async liveAddresses(userId) {
      const rows = await db.query<{ address: string }>(
        `SELECT DISTINCT s.ip_address AS address FROM session s JOIN user_account u ON u.id = s.user_id
          WHERE s.user_id = $1 AND s.ip_address IS NOT NULL AND ${LIVE} LIMIT 100`,
        [userId],
      );
      return rows.map((row) => row.address);
    },

    async rehash(userId, oldHash, newHash) {
      const rows = await db.query('UPDATE credential SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2 RETURNING 1', [
        userId,
        oldHash,
        newHash,
      ]);
      return rows.length > 0;
    },

    changePassword: async (userId, hashes, end, actor) =>
      changeOf(
        await db.query<ChangeRow>(CHANGE_PASSWORD, [
          userId,
          hashes.old,
          hashes.new,
          end !== undefined,
          end?.except ?? null,
          revocationLifetimeSeconds,
          actorParameter(actor),
        ]),
      ),

    resetPassword: async (userId, hash, actor) =>
      changeOf(
        await db.query<ChangeRow>(CHANGE_PASSWORD, [userId, null, hash, true, null, revocationLifetimeSeconds, actorParameter(actor)]),
      ),

    async setRoles(userId, roles, actor) {
      for (let tries = 0; tries < SET_ROLES_TRIES; tries += 1) {
        const rows = await db.query<ChangeRow & { isOvertaken: boolean }>(SET_ROLES, [
          userId,
          roles,
          revocationLifetimeSeconds,
          actorParameter(actor),
        ]);
        if (rows[0]?.isOvertaken !== true)
          return changeOf(rows.map(({ kind, key, minimumVersion, expiresAt }) => ({ kind, key, minimumVersion, expiresAt })));
      }
      throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'others change the user at the same time, again and again');
    },

    setDisabled: async (userId, disabled, actor) =>
      changeOf(await db.query<ChangeRow>(SET_DISABLED, [userId, disabled, revocationLifetimeSeconds, actorParameter(actor)])),

    // By hand, for it is what every profile asks: an entity manager takes ten times as long over it as the database.
    async byIds(ids) {
      const rows = await db.query<{ user: UserColumn }>(`SELECT ${USER_RECORD} AS user FROM user_account u WHERE u.id ${oneOf(ids)}`, [
        idsParameter(ids),
      ]);
      return rows.map(({ user }) => toUserRecord(user));
    },

    page: (first, afterId) =>
      db.read(async (em) => {
        const where = afterId === undefined ? {} : { id: { $gt: afterId } };
        const users = await em.find(User, where, { populate: ['roles'], orderBy: { id: 'asc' }, limit: first + 1 });
        const totalCount = await em.count(User);
        return { users: users.slice(0, first).map(fromEntity), hasMore: users.length > first, totalCount };
      }),

    pepperUse: () =>
      db.query<{ pepperId: string | null; count: number }>(
        `SELECT substring(password_hash FROM ',keyid=([A-Za-z0-9+/]+)\\$') AS "pepperId", count(*)::int AS count FROM credential GROUP BY 1`,
      ),

    roles: () =>
      db.read(async (em) => {
        const roles = await em.find(Role, {}, { orderBy: { name: 'asc' } });
        return roles.map(({ name, scopes }) => ({ name, scopes }));
      }),
  };
}

function changeOf(rows: readonly ChangeRow[]): Change {
  return rows.length === 0 ? undefined : rows.filter((row): row is RevocationEntry => row.kind !== null);
}

function fromEntity(user: User): UserRecord {
  return {
    id: user.id,
    email: user.email,
    username: user.username ?? null,
    roles: user.roles
      .getItems()
      .map((role) => role.name)
      .sort(),
    disabled: user.disabled,
    createdAt: user.createdAt,
  };
}
