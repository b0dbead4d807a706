import { AuthError } from '../errors.js';
import { brokenUniqueConstraint } from './database-errors.js';
import type { Database } from './database.js';
import { Role } from './entities/role.entity.js';
import { User } from './entities/user.entity.js';

export interface UserRecord {
  id: string;
  email: string;
  username: string | null;
  roles: readonly string[];
  disabled: boolean;
  createdAt: Date;
}

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

/** What ends with a change to the account: every session, or every one but this. */
export interface SessionsToEnd {
  except: string | null;
  reason: string;
}

/** Users, their credentials and their roles. Each method is one statement. */
export interface UserStore {
  /** @throws {AuthError} CONFLICT when the e-mail address or the username is taken. */
  insert(user: NewUser): Promise<void>;
  credentialByEmail(emailKey: string): Promise<UserCredential | undefined>;
  credentialByUsername(usernameKey: string): Promise<UserCredential | undefined>;
  credentialById(userId: string): Promise<UserCredential | undefined>;
  /** Replaces a hash by one with today's parameters, unless the password was changed meanwhile. */
  rehash(userId: string, oldHash: string, newHash: string): Promise<void>;
  /**
   * Replaces the hash and ends sessions in the same statement.
   *
   * @returns false, with nothing changed, when the hash is not `oldHash` any more.
   */
  changePassword(userId: string, hashes: { old: string; new: string }, end: SessionsToEnd | undefined): Promise<boolean>;
  /** Replaces the roles, and tells whether the user exists. */
  setRoles(userId: string, roles: readonly string[]): Promise<boolean>;
  /** Disables or enables; disabling ends every session. Tells whether the user exists. */
  setDisabled(userId: string, disabled: boolean): Promise<boolean>;
  byIds(ids: readonly string[]): Promise<UserRecord[]>;
  /** A page in the order of registration (ids are UUIDv7), and how many users there are. */
  page(first: number, afterId: string | undefined): Promise<{ users: UserRecord[]; hasMore: boolean; totalCount: number }>;
  count(): Promise<number>;
  roles(): Promise<{ name: string; scopes: readonly string[] }[]>;
}

export function createUserStore(db: Database): UserStore {
  const credential = async (column: 'email_key' | 'username_key' | 'id', value: string) => {
    const [row] = await db.query<UserCredential>(
      `SELECT u.id AS "userId", u.disabled, c.password_hash AS "passwordHash"
         FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.${column} = $1`,
      [value],
    );
    return row;
  };

  return {
    async insert(user) {
      try {
        await db.query(
          `WITH inserted AS (
             INSERT INTO user_account (id, email, email_key, username, username_key) VALUES ($1, $2, $3, $4, $5) RETURNING id
           ), credential_inserted AS (
             INSERT INTO credential (user_id, password_hash) SELECT id, $6 FROM inserted
           )
           INSERT INTO user_role (user_id, role) SELECT id, unnest($7::text[]) FROM inserted`,
          [user.id, user.email, user.emailKey, user.username, user.usernameKey, user.passwordHash, user.roles],
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

    async rehash(userId, oldHash, newHash) {
      await db.query('UPDATE credential SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2', [userId, oldHash, newHash]);
    },

    async changePassword(userId, hashes, end) {
      // The user's row before the sessions, as everywhere: CTEs that do not build on each other run in no order to rely on.
      const rows = await db.query(
        `WITH changed AS (
           UPDATE credential SET password_hash = $3, updated_at = now() WHERE user_id = $1 AND password_hash = $2 RETURNING user_id
         ), moved AS (
           UPDATE user_account u SET security_version = security_version + 1 FROM changed c WHERE u.id = c.user_id AND $4 RETURNING u.id
         ), ended AS (
           UPDATE session s SET revoked_at = now(), revoked_reason = $6
             FROM moved m WHERE s.user_id = m.id AND s.id IS DISTINCT FROM $5::uuid AND s.revoked_at IS NULL
         )
         SELECT 1 FROM changed`,
        [userId, hashes.old, hashes.new, end !== undefined, end?.except ?? null, end?.reason ?? null],
      );
      return rows.length > 0;
    },

    async setRoles(userId, roles) {
      const rows = await db.query(
        `WITH changed AS (
           UPDATE user_account SET security_version = security_version + 1 WHERE id = $1 RETURNING id
         ), removed AS (
           DELETE FROM user_role r USING changed c WHERE r.user_id = c.id AND r.role <> ALL ($2::text[])
         ), added AS (
           INSERT INTO user_role (user_id, role) SELECT c.id, unnest($2::text[]) FROM changed c ON CONFLICT DO NOTHING
         )
         SELECT 1 FROM changed`,
        [userId, roles],
      );
      return rows.length > 0;
    },

    async setDisabled(userId, disabled) {
      const rows = await db.query(
        `WITH changed AS (
           UPDATE user_account SET disabled = $2, security_version = security_version + 1 WHERE id = $1 AND disabled <> $2 RETURNING id
         ), ended AS (
           UPDATE session s SET revoked_at = now(), revoked_reason = 'USER_DISABLED'
             FROM changed c WHERE s.user_id = c.id AND $2 AND s.revoked_at IS NULL
         )
         SELECT 1 FROM user_account WHERE id = $1`,
        [userId, disabled],
      );
      return rows.length > 0;
    },

    byIds: (ids) =>
      db.read(async (em) => {
        const users = await em.find(User, { id: { $in: [...ids] } }, { populate: ['roles'] });
        return users.map(toRecord);
      }),

    page: (first, afterId) =>
      db.read(async (em) => {
        const where = afterId === undefined ? {} : { id: { $gt: afterId } };
        const users = await em.find(User, where, { populate: ['roles'], orderBy: { id: 'asc' }, limit: first + 1 });
        const totalCount = await em.count(User);
        return { users: users.slice(0, first).map(toRecord), hasMore: users.length > first, totalCount };
      }),

    count: () => db.read((em) => em.count(User)),

    roles: () =>
      db.read(async (em) => {
        const roles = await em.find(Role, {}, { orderBy: { name: 'asc' } });
        return roles.map(({ name, scopes }) => ({ name, scopes }));
      }),
  };
}

function toRecord(user: User): UserRecord {
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
