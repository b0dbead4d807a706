import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { createAccounts, type Accounts, type Authenticated } from '../../src/accounts/accounts.js';
import { createLoginThrottle } from '../../src/accounts/login-throttle.js';
import { createPasswordPolicy } from '../../src/accounts/password-policy.js';
import { systemClock } from '../../src/clock.js';
import { createPasswordHasher, type PasswordHasher } from '../../src/crypto/password-hasher.js';
import { AuthError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { createMetrics } from '../../src/metrics.js';
import { createAuditStore } from '../../src/persistence/audit.store.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import type { RevocationEntry } from '../../src/persistence/revocation.store.js';
import { createSessionStore, type SessionStore } from '../../src/persistence/session.store.js';
import { createThrottleStore } from '../../src/persistence/throttle.store.js';
import { createUserStore, type UserStore } from '../../src/persistence/user.store.js';
import { NOBODY, OPERATOR } from '../support/callers.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const CHEAP = { memoryKiB: 1024, iterations: 1, parallelism: 1, concurrency: 2, queueLimit: 200 };
const PASSWORD = 'seven purple ladders lean';
const NEW_PASSWORD = 'eight golden rivers run';
const REVOCATION = { revocationLifetimeSeconds: 900 };
const INVALID_CREDENTIALS = { name: 'AuthError', fault: { code: 'INVALID_CREDENTIALS' } };

let testDatabase: TestDatabase;
let database: Database;
let users: UserStore;
let sessions: SessionStore;
let hasher: PasswordHasher;
let accounts: Accounts;
/** What was told to the other replicas. */
const announced: RevocationEntry[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const config = testConfig(testDatabase.variables);
  database = await openDatabase(config, createLogger(config));
  users = createUserStore(database, REVOCATION);
  sessions = createSessionStore(database, REVOCATION);
  hasher = await createPasswordHasher(CHEAP);
  accounts = accountsWith(hasher);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

afterEach(() => {
  vi.restoreAllMocks();
  announced.length = 0;
});

function accountsWith(passwordHasher: PasswordHasher): Accounts {
  return createAccounts({
    users,
    hasher: passwordHasher,
    policy: createPasswordPolicy({ minLength: 15 }),
    throttle: createLoginThrottle({ store: createThrottleStore(database), addressLimitPerMinute: 1200, clock: systemClock }),
    audit: createAuditStore(database),
    announce: (entries) => void announced.push(...entries),
    metrics: createMetrics(),
  });
}

let people = 0;

/** Registers somebody whom no other test knows. */
async function newUser({ disabled = false } = {}) {
  people += 1;
  const [email, username] = [`person${people}@example.com`, `person${people}`];
  const { userId: id } = await accounts.register({ email, username, password: PASSWORD }, NOBODY);
  if (disabled) await accounts.setDisabled(id, true, OPERATOR);
  return { id, email, username };
}

async function newSession(userId: string): Promise<string> {
  const id = uuidv7();
  const passwordHash = (await hashOf(userId))!;
  const grant = await sessions.insert({
    id,
    userId,
    currentHash: Buffer.alloc(32),
    secretId: 0,
    scopes: null,
    deviceName: null,
    devicePlatform: 'OTHER',
    idleLifetimeSeconds: 3600,
    absoluteLifetimeSeconds: 3600,
    ipAddress: null,
    userAgent: null,
    passwordHash,
  });
  expect(grant?.sessionId).toBe(id);
  return id;
}

async function isLive(sessionId: string): Promise<boolean> {
  return (await sessions.findLive(sessionId)) !== undefined;
}

async function revokedReason(sessionId: string): Promise<string | null | undefined> {
  const [row] = await database.query<{ reason: string | null }>('SELECT revoked_reason AS reason FROM session WHERE id = $1', [sessionId]);
  return row?.reason;
}

/** Who these tests expect to have signed in, on the password that holds. */
async function authenticated(userId: string): Promise<Authenticated> {
  return { userId, passwordHash: (await hashOf(userId))! };
}

async function hashOf(userId: string): Promise<string | undefined> {
  return (await users.credentialById(userId))?.passwordHash;
}

async function securityVersion(userId: string): Promise<number | undefined> {
  const [row] = await database.query<{ version: number }>('SELECT security_version AS version FROM user_account WHERE id = $1', [userId]);
  return row?.version;
}

async function rowsOf(table: 'user_account' | 'credential' | 'user_role'): Promise<number> {
  const [row] = await database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return row!.count;
}

async function rejection(promise: Promise<unknown>): Promise<AuthError> {
  const error: unknown = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof AuthError) return error;
  throw error;
}

describe('a fresh database', () => {
  it('has nobody who could sign in', async () => {
    expect(await rowsOf('user_account')).toBe(0);
    expect(await rowsOf('credential')).toBe(0);
  });

  it('has the roles user and admin', async () => {
    expect(await users.roles()).toEqual([
      { name: 'admin', scopes: ['users:read', 'users:write', 'audit:read'] },
      { name: 'user', scopes: [] },
    ]);
  });
});

describe('registering', () => {
  it('tells every fault at once, and neither hashes nor writes', async () => {
    const hash = vi.spyOn(hasher, 'hash');
    const before = await rowsOf('user_account');
    const { fault } = await rejection(accounts.register({ email: 'ada', username: 'a d a', password: 'short' }, NOBODY));
    expect(fault).toEqual({
      code: 'BAD_USER_INPUT',
      fields: [
        { path: 'email', rule: 'email', message: expect.any(String) as string },
        { path: 'username', rule: 'username', message: expect.any(String) as string },
        { path: 'password', rule: 'minLength', message: expect.any(String) as string },
      ],
    });
    expect(hash).not.toHaveBeenCalled();
    expect(await rowsOf('user_account')).toBe(before);
  });

  it.each([
    ['the e-mail address', { email: 'ada.lovelace@example.com', password: 'ada.lovelace@example.com' }],
    ['its first part', { email: 'ada.lovelace@example.com', password: 'Ada.LovelaceAda.Lovelace' }],
    ['the username', { email: 'a@example.com', username: 'Countess', password: 'countessCOUNTESS' }],
  ])('refuses a password made from %s', async (_, registration) => {
    const { fault } = await rejection(accounts.register(registration, NOBODY));
    expect(fault).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'password', rule: 'personal' }] });
  });

  it('makes a user with the role user, and with a hash that loading the user does not load', async () => {
    const { userId: id, passwordHash } = await accounts.register(
      { email: ' Ada@Example.com ', username: 'Ada', password: PASSWORD },
      NOBODY,
    );
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7/);
    const [user] = await users.byIds([id]);
    expect(user).toEqual({
      id,
      email: 'Ada@Example.com',
      username: 'Ada',
      roles: ['user'],
      disabled: false,
      createdAt: expect.any(Date) as Date,
    });
    expect(passwordHash).toMatch(/^\$argon2id\$v=19\$m=1024,t=1,p=1\$/);
    expect(await hashOf(id)).toBe(passwordHash);
  });

  it.each([undefined, null])('needs no username: %j', async (username) => {
    people += 1;
    const { userId: id } = await accounts.register({ email: `person${people}@example.com`, username, password: PASSWORD }, NOBODY);
    expect(await users.byIds([id])).toMatchObject([{ username: null }]);
  });

  it('gives the roles that it is told to', async () => {
    people += 1;
    const { userId: id } = await accounts.register({ email: `person${people}@example.com`, password: PASSWORD }, NOBODY, ['user', 'admin']);
    expect(await users.byIds([id])).toMatchObject([{ roles: ['admin', 'user'] }]);
  });

  it('leaves nothing behind when a role does not exist', async () => {
    const before = [await rowsOf('user_account'), await rowsOf('credential'), await rowsOf('user_role')];
    await expect(accounts.register({ email: 'nobody@example.com', password: PASSWORD }, NOBODY, ['user', 'emperor'])).rejects.toThrow(
      'user_role',
    );
    expect([await rowsOf('user_account'), await rowsOf('credential'), await rowsOf('user_role')]).toEqual(before);
  });

  it.each<[name: string, email: (taken: string) => string]>([
    ['as it is', (taken) => taken],
    ['in upper case', (taken) => taken.toUpperCase()],
    ['with spaces around it', (taken) => `  ${taken}\n`],
    ['with a full-width at sign', (taken) => taken.replace('@', '＠')],
  ])('is a CONFLICT when the e-mail address is taken, %s', async (_, write) => {
    const { email } = await newUser();
    const { fault } = await rejection(accounts.register({ email: write(email), password: PASSWORD }, NOBODY));
    expect(fault).toEqual({ code: 'CONFLICT', reason: 'EMAIL_TAKEN' });
  });

  it('is a CONFLICT when the username is taken, in any letter case', async () => {
    const { username } = await newUser();
    const { fault } = await rejection(
      accounts.register({ email: 'another@example.com', username: username.toUpperCase(), password: PASSWORD }, NOBODY),
    );
    expect(fault).toEqual({ code: 'CONFLICT', reason: 'USERNAME_TAKEN' });
  });

  it('makes one account of a hundred registrations of one address at a time', async () => {
    const spellings = ['race@example.com', 'RACE@example.com', ' race@example.com', 'ｒace@example.com'];
    const before = [await rowsOf('user_account'), await rowsOf('credential'), await rowsOf('user_role')];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        accounts.register({ email: spellings[index % spellings.length]!, password: PASSWORD }, NOBODY),
      ),
    );
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }): unknown => reason);
    expect(refusals).toHaveLength(99);
    for (const refusal of refusals) expect(refusal).toMatchObject({ fault: { code: 'CONFLICT', reason: 'EMAIL_TAKEN' } });
    const after = [await rowsOf('user_account'), await rowsOf('credential'), await rowsOf('user_role')];
    expect(after).toEqual(before.map((rows) => rows + 1));
  });
});

describe('authenticating', () => {
  it.each<[name: string, attempt: () => Promise<[identifier: string, password: string]>]>([
    ['an unknown e-mail address', async () => ['nobody@example.com', PASSWORD]],
    ['an unknown username', async () => ['nobody', PASSWORD]],
    ['a wrong password', async () => [(await newUser()).email, NEW_PASSWORD]],
    ['a wrong password for the username', async () => [(await newUser()).username, NEW_PASSWORD]],
    ['an empty password', async () => [(await newUser()).email, '']],
    ['a password with a space more', async () => [(await newUser()).email, `${PASSWORD} `]],
    ['a password in another letter case', async () => [(await newUser()).email, PASSWORD.toUpperCase()]],
    ['a disabled user', async () => [(await newUser({ disabled: true })).email, PASSWORD]],
    ['a disabled user and a wrong password', async () => [(await newUser({ disabled: true })).email, NEW_PASSWORD]],
    ['the id of a user', async () => [(await newUser()).id, PASSWORD]],
    ['no identifier', async () => ['', PASSWORD]],
    ['an at sign alone', async () => ['@', PASSWORD]],
    ['a wildcard', async () => ['%@example.com', PASSWORD]],
    ['SQL', async () => ["' OR 1=1--", PASSWORD]],
    ['SQL with an at sign', async () => ["x@example.com' OR '1'='1", PASSWORD]],
    ['a NUL', async () => [`${(await newUser()).email}\0`, PASSWORD]],
    ['half a character', async () => ['ada\ud800@example.com', PASSWORD]],
    ['an identifier of 321 characters', async () => [`${'a'.repeat(321 - 12)}@example.com`, PASSWORD]],
    ['an identifier of a hundred thousand characters', async () => ['a'.repeat(100_000), PASSWORD]],
    ['__proto__', async () => ['__proto__', PASSWORD]],
  ])('fails with the same answer after the same work: %s', async (_, attempt) => {
    const [identifier, password] = await attempt();
    const verify = vi.spyOn(hasher, 'verify');
    const error = await rejection(accounts.authenticate(identifier, password, NOBODY));
    expect(error.fault).toEqual({ code: 'INVALID_CREDENTIALS' });
    expect(error.message).toBe(new AuthError({ code: 'INVALID_CREDENTIALS' }).message);
    expect(verify).toHaveBeenCalledTimes(1);
  });

  it.each<[detail: string, attempt: () => Promise<[identifier: string, password: string]>]>([
    ['UNKNOWN_USER', async () => ['nobody@example.com', PASSWORD]],
    ['WRONG_PASSWORD', async () => [(await newUser()).email, NEW_PASSWORD]],
    ['DISABLED', async () => [(await newUser({ disabled: true })).email, PASSWORD]],
    ['DISABLED', async () => [(await newUser({ disabled: true })).email, NEW_PASSWORD]],
  ])('tells the log, and it alone, that it was: %s', async (detail, attempt) => {
    expect(await rejection(accounts.authenticate(...(await attempt()), NOBODY))).toMatchObject({ detail });
  });

  it.each([
    ['half a character', `${PASSWORD}\ud800`, 'wellFormed'],
    ['1,025 characters', 'x'.repeat(1025), 'maxLength'],
  ])('refuses a password of %s before any work', async (_, password, rule) => {
    const { email } = await newUser();
    const verify = vi.spyOn(hasher, 'verify');
    const { fault } = await rejection(accounts.authenticate(email, password, NOBODY));
    expect(fault).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'password', rule }] });
    expect(verify).not.toHaveBeenCalled();
  });

  it.each<[name: string, identifier: (user: { email: string; username: string }) => string]>([
    ['the e-mail address', ({ email }) => email],
    ['the e-mail address in upper case', ({ email }) => email.toUpperCase()],
    ['the e-mail address with spaces around it', ({ email }) => ` ${email}\t`],
    ['the e-mail address with a full-width at sign', ({ email }) => email.replace('@', '＠')],
    ['the username', ({ username }) => username],
    ['the username in another letter case', ({ username }) => username.toUpperCase()],
  ])('tells whose %s and password these are', async (_, write) => {
    const user = await newUser();
    expect(await accounts.authenticate(write(user), PASSWORD, NOBODY)).toEqual(await authenticated(user.id));
  });

  it('takes both spellings of an accent for one password', async () => {
    people += 1;
    const email = `person${people}@example.com`;
    const registered = await accounts.register({ email, password: 'caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9' }, NOBODY);
    expect(await accounts.authenticate(email, 'cafe\u0301 cafe\u0301 cafe\u0301 cafe\u0301', NOBODY)).toEqual(registered);
  });

  it('lets a user whom it was told to enable again in', async () => {
    const { id, email } = await newUser({ disabled: true });
    await accounts.setDisabled(id, false, OPERATOR);
    expect(await accounts.authenticate(email, PASSWORD, NOBODY)).toEqual(await authenticated(id));
  });
});

describe('a hash of older parameters', () => {
  const OLDER = /\$m=1024,t=1,p=1\$/;
  const TODAY = /\$m=2048,t=2,p=1\$/;
  let today: Accounts;

  beforeAll(async () => {
    today = accountsWith(await createPasswordHasher({ ...CHEAP, memoryKiB: 2048, iterations: 2 }));
  });

  it('is made again at sign-in, once', async () => {
    const { id, email } = await newUser();
    expect(await hashOf(id)).toMatch(OLDER);
    expect(await today.authenticate(email, PASSWORD, NOBODY)).toEqual(await authenticated(id));
    const made = await hashOf(id);
    expect(made).toMatch(TODAY);
    expect(await today.authenticate(email, PASSWORD, NOBODY)).toEqual(await authenticated(id));
    expect(await hashOf(id)).toBe(made);
    await expect(today.authenticate(email, NEW_PASSWORD, NOBODY)).rejects.toMatchObject(INVALID_CREDENTIALS);
  });

  it('is made again by one of two who sign in or change the password at the same time, and neither is refused', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id, email } = await newUser();
      const both = await Promise.all([today.authenticate(email, PASSWORD, NOBODY), today.authenticate(email, PASSWORD, NOBODY)]);
      expect(both).toEqual([await authenticated(id), await authenticated(id)]);
    }
    const { id, email } = await newUser();
    const old = await hashOf(id);
    vi.spyOn(hasher, 'hash').mockImplementationOnce(async (password) => {
      // While the new password is hashed, a login makes the old one's hash anew.
      await today.authenticate(email, PASSWORD, NOBODY);
      expect(await hashOf(id)).not.toBe(old);
      vi.restoreAllMocks();
      return hasher.hash(password);
    });
    const sessionId = await newSession(id);
    await accounts.changePassword(
      { userId: id, sessionId, currentPassword: PASSWORD, newPassword: NEW_PASSWORD, keepOtherSessions: false },
      { ...NOBODY, signedIn: { subject: id, sessionId } },
    );
    expect(await today.authenticate(email, NEW_PASSWORD, NOBODY)).toEqual(await authenticated(id));
  });

  it('stays when the sign-in fails', async () => {
    const { id, email } = await newUser();
    await expect(today.authenticate(email, NEW_PASSWORD, NOBODY)).rejects.toMatchObject(INVALID_CREDENTIALS);
    await accounts.setDisabled(id, true, OPERATOR);
    await expect(today.authenticate(email, PASSWORD, NOBODY)).rejects.toMatchObject(INVALID_CREDENTIALS);
    expect(await hashOf(id)).toMatch(OLDER);
  });

  it('does not come back over a password that was changed meanwhile', async () => {
    const { id } = await newUser();
    const old = (await hashOf(id))!;
    const [changed, rehashed] = [await hasher.hash(NEW_PASSWORD), await hasher.hash(PASSWORD)];
    expect(await users.changePassword(id, { old, new: changed }, undefined, OPERATOR)).toEqual([]);
    expect(await users.rehash(id, old, rehashed)).toBe(false);
    expect(await hashOf(id)).toBe(changed);
  });
});

describe('changing the password', () => {
  const change = (userId: string, sessionId: string, changes: Partial<Parameters<Accounts['changePassword']>[0]> = {}) =>
    accounts.changePassword(
      { userId, sessionId, currentPassword: PASSWORD, newPassword: NEW_PASSWORD, keepOtherSessions: false, ...changes },
      { ...NOBODY, signedIn: { subject: userId, sessionId } },
    );

  it.each<[name: string, changes: object, expected: object]>([
    ['a wrong current password', { currentPassword: NEW_PASSWORD }, { code: 'INVALID_CREDENTIALS' }],
    ['an empty current password', { currentPassword: '' }, { code: 'INVALID_CREDENTIALS' }],
    ['a user who does not exist', { userId: uuidv7() }, { code: 'INVALID_CREDENTIALS' }],
    ['a new password that is too short', { newPassword: 'short' }, { fields: [{ path: 'newPassword', rule: 'minLength' }] }],
    [
      'faults in both',
      { currentPassword: '\ud800', newPassword: 'short' },
      {
        fields: [
          { path: 'currentPassword', rule: 'wellFormed' },
          { path: 'newPassword', rule: 'minLength' },
        ],
      },
    ],
  ])('is refused with %s, and changes nothing', async (_, changes, expected) => {
    const { id, email } = await newUser();
    const [own, other] = [await newSession(id), await newSession(id)];
    const { fault } = await rejection(change(id, own, changes));
    expect(fault).toMatchObject(expected);
    expect(await accounts.authenticate(email, PASSWORD, NOBODY)).toEqual(await authenticated(id));
    expect([await isLive(own), await isLive(other)]).toEqual([true, true]);
    expect(await securityVersion(id)).toBe(1);
  });

  it('is refused when another change got ahead, and the audit trail says by which session it was tried', async () => {
    const { id } = await newUser();
    const own = await newSession(id);
    const theirs = await hasher.hash('what somebody else chose meanwhile');
    const changePassword = vi.spyOn(users, 'changePassword');
    const { changePassword: original } = createUserStore(database, REVOCATION);
    changePassword.mockImplementationOnce(async (...given) => {
      await original(id, { old: (await hashOf(id))!, new: theirs }, undefined, OPERATOR);
      return original(...given);
    });
    await expect(change(id, own)).rejects.toMatchObject(INVALID_CREDENTIALS);
    const failures = `SELECT session_id, reason FROM audit_event WHERE type = 'SIGN_IN_FAILED' AND user_id = $1`;
    expect(await database.query(failures, [id])).toEqual([{ session_id: own, reason: 'CHANGED_MEANWHILE' }]);
    changePassword.mockRestore();
  });

  it('is refused for a disabled user', async () => {
    const { id } = await newUser({ disabled: true });
    await expect(change(id, uuidv7())).rejects.toMatchObject(INVALID_CREDENTIALS);
  });

  it('is refused for a password made from the own e-mail address', async () => {
    const { id, email } = await newUser();
    const { fault } = await rejection(change(id, uuidv7(), { newPassword: `${email}!` }));
    expect(fault).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'newPassword', rule: 'personal' }] });
  });

  it('ends every other session, of this user alone, and makes tokens issued before stale', async () => {
    const [{ id, email }, somebodyElse] = [await newUser(), await newUser()];
    const [own, other, another] = [await newSession(id), await newSession(id), await newSession(id)];
    const theirs = await newSession(somebodyElse.id);
    await sessions.revoke(another, 'LOGOUT', OPERATOR);

    await change(id, own);

    expect(await isLive(own)).toBe(true);
    expect(await isLive(theirs)).toBe(true);
    expect(await isLive(other)).toBe(false);
    expect(await isLive(another)).toBe(false);
    expect(await revokedReason(another)).toBe('LOGOUT');
    expect([await securityVersion(id), await securityVersion(somebodyElse.id)]).toEqual([2, 1]);
    expect(announced).toMatchObject([{ kind: 'user', key: id, minimumVersion: 2 }]);
    await expect(accounts.authenticate(email, PASSWORD, NOBODY)).rejects.toMatchObject(INVALID_CREDENTIALS);
    expect(await accounts.authenticate(email, NEW_PASSWORD, NOBODY)).toEqual(await authenticated(id));
  });

  it('leaves the other sessions alone when it is told to', async () => {
    const { id, email } = await newUser();
    const [own, other] = [await newSession(id), await newSession(id)];
    await change(id, own, { keepOtherSessions: true });
    expect([await isLive(own), await isLive(other)]).toEqual([true, true]);
    expect(await securityVersion(id)).toBe(1);
    expect(announced).toEqual([]);
    expect(await accounts.authenticate(email, NEW_PASSWORD, NOBODY)).toEqual(await authenticated(id));
  });

  it('succeeds once when it is asked for as often at once as the throttle lets through', async () => {
    const { id, email } = await newUser();
    const own = await newSession(id);
    const passwords = Array.from({ length: 5 }, (_, index) => `${NEW_PASSWORD} ${index}`);
    const outcomes = await Promise.allSettled(passwords.map((newPassword) => change(id, own, { newPassword })));
    const winners = passwords.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(INVALID_CREDENTIALS);
    expect(await accounts.authenticate(email, winners[0]!, NOBODY)).toEqual(await authenticated(id));
    expect(await securityVersion(id)).toBe(2);
  });
});

describe('setting roles', () => {
  it.each([['emperor'], ['user', 'emperor'], ['USER'], [''], ['__proto__'], ["user'--"]])(
    'refuses roles that do not exist, and changes nothing: %j',
    async (...roles) => {
      const { id } = await newUser();
      const { fault } = await rejection(accounts.setRoles(id, roles, OPERATOR));
      expect(fault).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path: 'roles', rule: 'known' }] });
      expect(await users.byIds([id])).toMatchObject([{ roles: ['user'] }]);
      expect(await securityVersion(id)).toBe(1);
      expect(announced).toEqual([]);
    },
  );

  it.each(['', 'ada', "' OR 1=1--", '01939f00-0000-7000-8000-00000000aaaa'])('refuses a user who does not exist: %j', async (userId) => {
    const unknownUser = { code: 'BAD_USER_INPUT', fields: [{ path: 'userId', rule: 'exists' }] };
    expect((await rejection(accounts.setRoles(userId, ['user'], OPERATOR))).fault).toMatchObject(unknownUser);
    expect((await rejection(accounts.setDisabled(userId, true, OPERATOR))).fault).toMatchObject(unknownUser);
  });

  it.each<[roles: string[], expected: string[]]>([
    [['admin'], ['admin']],
    [
      ['admin', 'user', 'admin'],
      ['admin', 'user'],
    ],
    [['user'], ['user']],
    [[], []],
  ])('replaces them by %j, and makes tokens issued before stale', async (roles, expected) => {
    const { id } = await newUser();
    await accounts.setRoles(id, roles, OPERATOR);
    expect(await users.byIds([id])).toMatchObject([{ roles: expected }]);
    expect(await securityVersion(id)).toBe(2);
    expect(announced).toMatchObject([{ kind: 'user', key: id, minimumVersion: 2 }]);
  });

  it('leaves the roles of everyone else alone', async () => {
    const [one, other] = [await newUser(), await newUser()];
    await accounts.setRoles(one.id, [], OPERATOR);
    expect(await users.byIds([other.id])).toMatchObject([{ roles: ['user'] }]);
    expect(await securityVersion(other.id)).toBe(1);
  });
});

describe('disabling', () => {
  it('ends every session of this user alone, and keeps them ended when the user is enabled again', async () => {
    const [{ id }, somebodyElse] = [await newUser(), await newUser()];
    const [own, theirs] = [await newSession(id), await newSession(somebodyElse.id)];
    await accounts.setDisabled(id, true, OPERATOR);
    expect([await isLive(own), await isLive(theirs)]).toEqual([false, true]);
    expect(announced).toMatchObject([{ kind: 'user', key: id, minimumVersion: 2 }]);
    await accounts.setDisabled(id, false, OPERATOR);
    expect(await isLive(own)).toBe(false);
  });

  it('moves the security version on once, however often it is asked for', async () => {
    const { id } = await newUser();
    await accounts.setDisabled(id, true, OPERATOR);
    await accounts.setDisabled(id, true, OPERATOR);
    expect(await securityVersion(id)).toBe(2);
    expect(announced).toHaveLength(1);
    expect(await users.byIds([id])).toMatchObject([{ disabled: true }]);
  });
});
