import { v7 as uuidv7, validate as isUuid } from 'uuid';

import type { PasswordHasher } from '../crypto/password-hasher.js';
import { AuthError, badInput, type FieldFault } from '../errors.js';
import type { UserCredential, UserStore } from '../persistence/user.store.js';
import { emailKey, parseEmail } from './email.js';
import { preparePassword, type PasswordPolicy } from './password-policy.js';
import { parseUsername, usernameKey } from './username.js';

/** The role of everyone who registers. */
const DEFAULT_ROLE = 'user';

/** Longer than any e-mail address or username. */
const MAX_IDENTIFIER_LENGTH = 320;

export interface Registration {
  email: string;
  username?: string | null | undefined;
  password: string;
}

export interface PasswordChange {
  userId: string;
  currentPassword: string;
  newPassword: string;
  /** The session that goes on; every other one ends unless `keepOtherSessions`. */
  sessionId: string;
  keepOtherSessions: boolean;
}

export interface Accounts {
  /**
   * Makes an account and tells its id.
   *
   * @throws {AuthError} BAD_USER_INPUT with every fault at once; CONFLICT.
   */
  register(registration: Registration, roles?: readonly string[]): Promise<string>;
  /**
   * Tells whose e-mail address or username and password these are.
   *
   * @throws {AuthError} INVALID_CREDENTIALS for an unknown user, a wrong password and a disabled user, after the same work.
   */
  authenticate(identifier: string, password: string): Promise<string>;
  /** @throws {AuthError} BAD_USER_INPUT; INVALID_CREDENTIALS when the current password is wrong. */
  changePassword(change: PasswordChange): Promise<void>;
  /** @throws {AuthError} BAD_USER_INPUT for an unknown user or role. */
  setRoles(userId: string, roles: readonly string[]): Promise<void>;
  /** @throws {AuthError} BAD_USER_INPUT for an unknown user. */
  setDisabled(userId: string, disabled: boolean): Promise<void>;
}

interface AccountsOptions {
  users: UserStore;
  hasher: PasswordHasher;
  policy: PasswordPolicy;
}

export function createAccounts({ users, hasher, policy }: AccountsOptions): Accounts {
  const verify = async (credential: UserCredential | undefined, password: string): Promise<UserCredential> => {
    const matches = await hasher.verify(credential?.passwordHash, password);
    if (credential === undefined || !matches || credential.disabled) {
      const detail = credential === undefined ? 'unknown user' : matches ? 'disabled user' : 'wrong password';
      throw new AuthError({ code: 'INVALID_CREDENTIALS' }, detail);
    }
    return credential;
  };

  return {
    async register({ email: emailText, username: usernameText, password: passwordText }, roles = [DEFAULT_ROLE]) {
      const email = parseEmail(emailText);
      const username = usernameText == null ? { username: null, usernameKey: null } : parseUsername(usernameText);
      const ownWords = ['rule' in email ? null : email.emailKey, 'rule' in username ? null : username.usernameKey];
      const password = policy.parseNew(passwordText, 'password', ownWords);
      if ('rule' in email || 'rule' in username || 'rule' in password) {
        throw refuse([email, username, password]);
      }
      const id = uuidv7();
      await users.insert({ id, ...email, ...username, passwordHash: await hasher.hash(password.password), roles });
      return id;
    },

    async authenticate(identifier, passwordText) {
      const prepared = preparePassword(passwordText, 'password');
      if ('rule' in prepared) throw refuse([prepared]);
      const { userId, passwordHash } = await verify(await findCredential(users, identifier), prepared.password);
      if (hasher.needsRehash(passwordHash)) await users.rehash(userId, passwordHash, await hasher.hash(prepared.password));
      return userId;
    },

    async changePassword({ userId, currentPassword, newPassword, sessionId, keepOtherSessions }) {
      const current = preparePassword(currentPassword, 'currentPassword');
      const [user] = await users.byIds([userId]);
      const next = policy.parseNew(newPassword, 'newPassword', [user?.email ?? null, user?.username ?? null]);
      if ('rule' in current || 'rule' in next) throw refuse([current, next]);
      const credential = await verify(await users.credentialById(userId), current.password);
      const hashes = { old: credential.passwordHash, new: await hasher.hash(next.password) };
      const end = keepOtherSessions ? undefined : { except: sessionId, reason: 'PASSWORD_CHANGED' };
      const changed = await users.changePassword(userId, hashes, end);
      if (!changed) throw new AuthError({ code: 'INVALID_CREDENTIALS' }, 'the password was changed meanwhile');
    },

    async setRoles(userId, roles) {
      const known = new Set((await users.roles()).map((role) => role.name));
      const unknown = roles.some((role) => !known.has(role));
      if (unknown) throw badInput('roles', 'known', `Use roles that exist: ${[...known].join(', ')}.`);
      if (!isUuid(userId) || !(await users.setRoles(userId, [...new Set(roles)]))) throw unknownUser();
    },

    async setDisabled(userId, disabled) {
      if (!isUuid(userId) || !(await users.setDisabled(userId, disabled))) throw unknownUser();
    },
  };
}

async function findCredential(users: UserStore, identifier: string): Promise<UserCredential | undefined> {
  if (identifier.length > MAX_IDENTIFIER_LENGTH || !identifier.isWellFormed() || identifier.includes('\0')) return undefined;
  // As it reads once normalised: some keyboards give another character for the at sign.
  const email = emailKey(identifier);
  return email.includes('@') ? users.credentialByEmail(email) : users.credentialByUsername(usernameKey(identifier));
}

function refuse(parsed: readonly (object | FieldFault)[]): AuthError {
  return new AuthError({ code: 'BAD_USER_INPUT', fields: parsed.filter((item): item is FieldFault => 'rule' in item) });
}

function unknownUser(): AuthError {
  return badInput('userId', 'exists', 'There is no such user.');
}
