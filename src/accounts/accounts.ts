import { NIL, v7 as uuidv7, validate as isUuid } from 'uuid';

import { sha256 } from '../crypto/digest.js';
import type { PasswordHasher } from '../crypto/password-hasher.js';
import { AuthError, badInput, type FieldFault } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Actor, AuditStore, SignInFailure } from '../persistence/audit.store.js';
import type { ClientAddress } from '../persistence/client-address.js';
import type { RevocationEntry } from '../persistence/revocation.store.js';
import type { Ending } from '../persistence/session.store.js';
import type { Change, UserCredential, UserStore } from '../persistence/user.store.js';
import { emailKey, parseEmail } from './email.js';
import type { LoginThrottle } from './login-throttle.js';
import { preparePassword, type PasswordPolicy } from './password-policy.js';
import { parseUsername, usernameKey } from './username.js';

/** The role of everyone who registers. */
const DEFAULT_ROLE = 'user';

/** Longer than any e-mail address or username. To normalise what is much longer takes seconds: the time grows with the square. */
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

/** Someone who has just proved who they are, and by which hash: the session is to begin on that, and no newer one. */
export interface Authenticated {
  userId: string;
  passwordHash: string;
}

/** Who asks: from where, and signed in as whom, by which session, if as anyone. */
export interface Caller extends ClientAddress {
  signedIn: { subject: string; sessionId: string } | null;
}

export interface Accounts {
  /**
   * Makes an account.
   *
   * @throws {AuthError} BAD_USER_INPUT with every fault at once; CONFLICT; RATE_LIMITED.
   */
  register(registration: Registration, caller: Caller, roles?: readonly string[]): Promise<Authenticated>;
  /**
   * Tells whose e-mail address or username and password these are.
   *
   * @throws {AuthError} INVALID_CREDENTIALS for an unknown user, a wrong password and a disabled user, after the same work; RATE_LIMITED.
   */
  authenticate(identifier: string, password: string, caller: Caller): Promise<Authenticated>;
  /** @throws {AuthError} BAD_USER_INPUT; INVALID_CREDENTIALS when the current password is wrong; RATE_LIMITED. */
  changePassword(change: PasswordChange, caller: Caller): Promise<void>;
  /** Sets a password without the old one, for an operator, and ends every session. Throws as `setRoles` does. */
  resetPassword(userId: string, newPassword: string, actor: Actor): Promise<void>;
  /** @throws {AuthError} BAD_USER_INPUT for an unknown user or role. */
  setRoles(userId: string, roles: readonly string[], actor: Actor): Promise<void>;
  /** Forgets the failures that keep a user from signing in: for an operator who knows that it is the user. Throws as `setDisabled` does. */
  unlock(userId: string, actor: Actor): Promise<void>;
  /** @throws {AuthError} BAD_USER_INPUT for an unknown user. */
  setDisabled(userId: string, disabled: boolean, actor: Actor): Promise<void>;
}

interface AccountsOptions {
  users: UserStore;
  hasher: PasswordHasher;
  policy: PasswordPolicy;
  throttle: LoginThrottle;
  audit: Pick<AuditStore, 'record'>;
  /** Makes what was revoked hold here at once, and elsewhere within about a second. */
  announce: (entries: readonly RevocationEntry[], ending?: Ending) => void;
  metrics: Pick<Metrics, 'logins'>;
}

export function createAccounts({ users, hasher, policy, throttle, audit, announce, metrics }: AccountsOptions): Accounts {
  const recordFailure = (userId: string | null, reason: SignInFailure, caller: Caller) => {
    const { subject = null, sessionId = null } = caller.signedIn ?? {};
    // By which session somebody tries their own password: it may be a stolen one.
    const event = { type: 'SIGN_IN_FAILED', userId, sessionId: subject === userId ? sessionId : null, reason } as const;
    return audit.record(event, { ...caller, userId: subject });
  };

  /** Tries a password as work that there is room for, and counts what never came to a verdict. */
  const attempt = async <T>(caller: Caller, work: () => Promise<T>): Promise<T> => {
    throttle.admit(caller);
    try {
      return await hasher.admit(work);
    } catch (error) {
      const code = error instanceof AuthError ? error.fault.code : 'SERVICE_UNAVAILABLE';
      if (code === 'RATE_LIMITED') metrics.logins.inc({ outcome: 'throttled' });
      if (code === 'SERVICE_UNAVAILABLE') metrics.logins.inc({ outcome: 'unavailable' });
      throw error;
    }
  };

  /** Verifies a password as one counted guess. */
  const verify = async (
    credential: UserCredential | undefined,
    standIn: string,
    password: string,
    caller: Caller,
  ): Promise<UserCredential> => {
    const isRight = await throttle.attempt(credential?.userId ?? standIn, caller, {
      // Asked for nobody too, or the time would tell that there is somebody.
      knownAddresses: () => users.liveAddresses(credential?.userId ?? NIL),
      guess: async () => (await hasher.verify(credential?.passwordHash, password)) && credential?.disabled === false,
      tellRefused: () => recordFailure(credential?.userId ?? null, 'THROTTLED', caller),
    });
    metrics.logins.inc({ outcome: isRight ? 'succeeded' : 'failed' });
    if (isRight && credential !== undefined) return credential;
    const reason = credential === undefined ? 'UNKNOWN_USER' : credential.disabled ? 'DISABLED' : 'WRONG_PASSWORD';
    await recordFailure(credential?.userId ?? null, reason, caller);
    throw new AuthError({ code: 'INVALID_CREDENTIALS' }, reason);
  };

  /** The hash that a password is right for now, when a login beside this one has made it anew; else the one that it was right for. */
  const hashNow = async (userId: string, password: string, before: string): Promise<string> => {
    const now = (await users.credentialById(userId))?.passwordHash ?? before;
    return now !== before && (await hasher.verify(now, password)) ? now : before;
  };

  const carryOut = (change: Change, ending?: Ending): void => {
    if (change === undefined) throw noSuchUser();
    announce(change, ending);
  };

  return {
    async register({ email: emailText, username: usernameText, password: passwordText }, caller, roles = [DEFAULT_ROLE]) {
      const email = parseEmail(emailText);
      const username = usernameText == null ? { username: null, usernameKey: null } : parseUsername(usernameText);
      const ownWords = ['rule' in email ? null : email.emailKey, 'rule' in username ? null : username.usernameKey];
      const password = await policy.parseNew(passwordText, 'password', ownWords);
      if ('rule' in email || 'rule' in username || 'rule' in password) {
        throw refuse([email, username, password]);
      }
      throttle.admit(caller);
      return hasher.admit(async () => {
        const userId = uuidv7();
        const passwordHash = await hasher.hash(password.password);
        await users.insert(
          { id: userId, ...email, ...username, passwordHash, roles },
          { ...caller, userId: caller.signedIn?.subject ?? null },
        );
        return { userId, passwordHash };
      });
    },

    async authenticate(identifier, passwordText, caller) {
      const prepared = preparePassword(passwordText, 'password');
      if ('rule' in prepared) throw refuse([prepared]);
      return attempt(caller, async () => {
        const mayBeSomebody = identifier.length <= MAX_IDENTIFIER_LENGTH && identifier.isWellFormed() && !identifier.includes('\0');
        const credential = mayBeSomebody ? await findCredential(users, identifier) : undefined;
        // What nobody is called is throttled as what somebody is, or the difference would tell.
        const standIn = sha256(mayBeSomebody ? emailKey(identifier) : identifier).toString('base64url');
        const { userId, passwordHash } = await verify(credential, standIn, prepared.password, caller);
        if (!hasher.needsRehash(passwordHash)) return { userId, passwordHash };
        const rehashed = await hasher.hash(prepared.password);
        const isReplaced = await users.rehash(userId, passwordHash, rehashed);
        return { userId, passwordHash: isReplaced ? rehashed : await hashNow(userId, prepared.password, passwordHash) };
      });
    },

    async changePassword({ userId, currentPassword, newPassword, sessionId, keepOtherSessions }, caller) {
      const change = await attempt(caller, async () => {
        const current = preparePassword(currentPassword, 'currentPassword');
        const next = await parseNewPassword(userId, newPassword);
        if ('rule' in current || 'rule' in next) throw refuse([current, next]);
        const credential = await verify(await users.credentialById(userId), userId, current.password, caller);
        const newHash = await hasher.hash(next.password);
        const replace = (old: string) =>
          users.changePassword(userId, { old, new: newHash }, keepOtherSessions ? undefined : { except: sessionId }, { ...caller, userId });
        return (await replace(credential.passwordHash)) ?? replace(await hashNow(userId, current.password, credential.passwordHash));
      });
      if (change === undefined) {
        await recordFailure(userId, 'CHANGED_MEANWHILE', caller);
        throw new AuthError({ code: 'INVALID_CREDENTIALS' }, 'the password was changed meanwhile');
      }
      announce(change, { reason: 'PASSWORD_CHANGED', except: sessionId });
    },

    async resetPassword(userId, newPassword, actor) {
      const next = await parseNewPassword(userId, newPassword);
      if ('rule' in next) throw refuse([next]);
      const change = await users.resetPassword(userId, await hasher.hash(next.password), actor);
      carryOut(change, { reason: 'PASSWORD_CHANGED', except: null });
      await throttle.clear(userId);
    },

    async setRoles(userId, roles, actor) {
      const known = new Set((await users.roles()).map((role) => role.name));
      const unknown = roles.some((role) => !known.has(role));
      if (unknown) throw badInput('roles', 'known', `Use roles that exist: ${[...known].join(', ')}.`);
      carryOut(isUuid(userId) ? await users.setRoles(userId, [...new Set(roles)], actor) : undefined);
    },

    async unlock(userId, actor) {
      if (!isUuid(userId) || (await users.byIds([userId])).length === 0) throw noSuchUser();
      await audit.record({ type: 'USER_UNLOCKED', userId, sessionId: null, reason: null }, actor);
      await throttle.clear(userId);
    },

    async setDisabled(userId, disabled, actor) {
      const change = isUuid(userId) ? await users.setDisabled(userId, disabled, actor) : undefined;
      carryOut(change, disabled ? { reason: 'USER_DISABLED', except: null } : undefined);
    },
  };

  async function parseNewPassword(userId: string, newPassword: string): Promise<{ password: string } | FieldFault> {
    const [user] = await users.byIds([userId]);
    return policy.parseNew(newPassword, 'newPassword', [user?.email ?? null, user?.username ?? null]);
  }
}

async function findCredential(users: UserStore, identifier: string): Promise<UserCredential | undefined> {
  // As it reads once normalised: some keyboards give another character for the at sign.
  const email = emailKey(identifier);
  return email.includes('@') ? users.credentialByEmail(email) : users.credentialByUsername(usernameKey(identifier));
}

const noSuchUser = () => badInput('userId', 'exists', 'There is no such user.');

function refuse(parsed: readonly (object | FieldFault)[]): AuthError {
  return new AuthError({ code: 'BAD_USER_INPUT', fields: parsed.filter((item): item is FieldFault => 'rule' in item) });
}
