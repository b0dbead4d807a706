import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Actor } from '../../src/persistence/audit.store.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createSessionStore, type NewSession } from '../../src/persistence/session.store.js';
import { createUserStore } from '../../src/persistence/user.store.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const OPERATOR: Actor = { userId: null, ipAddress: null, userAgent: 'operator' };
const NEW_PASSWORD = 'nine orange trumpets fall';
/** What is promised, and time for a machine that does other things too. */
const BOUND = { timeout: 5000, interval: 20 };

let testDatabase: TestDatabase;
let variables: Variables;
/** The test's own view of what is stored. */
let database: Database;
let here: TestServer;
let there: TestServer;
let call: Calls;
let admin: Tokens;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  // No floor between rotations: a session may refresh as soon as it has begun.
  variables = { ...testDatabase.variables, LATCHKEY_REFRESH_GRACE_SECONDS: '0' };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  if (testDatabase.url === undefined) return;
  [here, there] = await Promise.all([startTestServer({ variables }), startTestServer({ variables })]);
  call = createCalls(here.graphql);
  const boss = newPerson();
  await here.accounts.register(boss, { signedIn: null, ipAddress: null, userAgent: null }, ['user', 'admin']);
  admin = await call.answer<Tokens>('login', { input: { identifier: boss.email, password: boss.password } });
});

afterAll(async () => {
  if (testDatabase.url !== undefined) await Promise.all([here.close(), there.close()]);
  await database.close();
  await testDatabase.drop();
});

/** Why the access token is refused, or that it lives. */
async function accessState(server: TestServer, { accessToken }: Tokens): Promise<string> {
  const { errors } = await server.graphql('{ viewer { id } }', {}, bearer(accessToken));
  return errors[0] === undefined ? 'live' : `${errors[0].extensions.code} ${errors[0].extensions.reason ?? ''}`.trim();
}

async function refreshState(server: TestServer, { refreshToken }: Tokens): Promise<string> {
  const { errors } = await server.graphql(operation('refresh'), { input: { refreshToken } });
  return errors[0]?.extensions.code ?? 'live';
}

const countOf = async (table: 'revocation' | 'audit_event') =>
  (await database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`))[0]!.count;

interface Somebody {
  email: string;
  /** The session that acts, or that is acted on. */
  own: Tokens;
  other: Tokens;
}

async function somebodyWithTwoSessions(): Promise<Somebody> {
  const person = newPerson();
  const own = await call.answer<Tokens>('register', { input: person });
  const other = await call.answer<Tokens>('login', { input: { identifier: person.email, password: person.password } });
  return { email: person.email, own, other };
}

const SESSION_REVOKED = 'UNAUTHENTICATED SESSION_REVOKED';
const TOKEN_STALE = 'UNAUTHENTICATED TOKEN_STALE';
const INVALID = 'INVALID_REFRESH_TOKEN';
const LIVE = { access: 'live', refresh: 'live' };
/** One session was ended. */
const ENDED = { access: SESSION_REVOKED, refresh: INVALID };
/** Ended with all of the user's: one entry for the user says so. */
const ENDED_WITH_ALL = { access: TOKEN_STALE, refresh: INVALID };
/** Goes on by refreshing. */
const STALE = { access: TOKEN_STALE, refresh: 'live' };

interface Event {
  event: string;
  make: (who: Somebody) => Promise<unknown>;
  own: typeof LIVE;
  other: typeof LIVE;
}

const events: Event[] = [
  {
    event: 'logout by the access token',
    make: ({ own }) => call.answer('logout', {}, bearer(own.accessToken)),
    own: ENDED,
    other: LIVE,
  },
  {
    event: 'logout by the refresh token',
    make: ({ own }) => call.answer('logout', { input: { refreshToken: own.refreshToken } }),
    own: ENDED,
    other: LIVE,
  },
  {
    event: 'logout of the others',
    make: ({ own }) => call.answer('logout', { input: { sessions: 'OTHER_SESSIONS' } }, bearer(own.accessToken)),
    own: STALE,
    other: ENDED_WITH_ALL,
  },
  {
    event: 'logout everywhere',
    make: ({ own }) => call.answer('logout', { input: { refreshToken: own.refreshToken, sessions: 'ALL_SESSIONS' } }),
    own: ENDED_WITH_ALL,
    other: ENDED_WITH_ALL,
  },
  {
    event: 'revokeSession of the other',
    make: ({ own, other }) => call.answer('revoke-session', { input: { sessionId: other.session.id } }, bearer(own.accessToken)),
    own: LIVE,
    other: ENDED,
  },
  {
    event: 'changePassword',
    make: ({ own }) =>
      call.answer('change-password', { input: { currentPassword: PASSWORD, newPassword: NEW_PASSWORD } }, bearer(own.accessToken)),
    own: STALE,
    other: ENDED_WITH_ALL,
  },
  {
    event: 'changePassword that keeps the others',
    make: ({ own }) =>
      call.answer(
        'change-password',
        { input: { currentPassword: PASSWORD, newPassword: NEW_PASSWORD, keepOtherSessions: true } },
        bearer(own.accessToken),
      ),
    own: LIVE,
    other: LIVE,
  },
  {
    event: 'a password reset by an operator',
    make: ({ own }) => here.accounts.resetPassword(own.user.id, NEW_PASSWORD, OPERATOR),
    own: ENDED_WITH_ALL,
    other: ENDED_WITH_ALL,
  },
  {
    event: 'setUserDisabled',
    make: ({ own }) => call.answer('set-user-disabled', { input: { userId: own.user.id, disabled: true } }, bearer(admin.accessToken)),
    own: ENDED_WITH_ALL,
    other: ENDED_WITH_ALL,
  },
  {
    event: 'setUserRoles',
    make: ({ own }) => call.answer('set-user-roles', { input: { userId: own.user.id, roles: ['user'] } }, bearer(admin.accessToken)),
    own: STALE,
    other: STALE,
  },
  {
    event: 'reuse of a refresh token that was replaced',
    make: async ({ own }) => {
      const refresh = (refreshToken: string) => call.answer<Tokens>('refresh', { input: { refreshToken } });
      const second = await refresh(own.refreshToken);
      await refresh(second.refreshToken);
      expect(await refreshState(here, own)).toBe(INVALID);
    },
    own: ENDED,
    other: LIVE,
  },
];

describeOnPostgres('what ends sessions, on two replicas', () => {
  it.each(events)(
    '$event: the access and refresh tokens of both sessions are as promised, here at once and there in a second',
    async (row) => {
      const who = await somebodyWithTwoSessions();
      expect(await accessState(there, who.own)).toBe('live');
      await row.make(who);

      expect(await accessState(here, who.own), 'own access token here').toBe(row.own.access);
      expect(await accessState(here, who.other), 'other access token here').toBe(row.other.access);
      await expect.poll(() => accessState(there, who.own), { ...BOUND, message: 'own access token there' }).toBe(row.own.access);
      await expect.poll(() => accessState(there, who.other), { ...BOUND, message: 'other access token there' }).toBe(row.other.access);

      expect(await refreshState(there, who.own), 'own refresh token').toBe(row.own.refresh);
      expect(await refreshState(there, who.other), 'other refresh token').toBe(row.other.refresh);
    },
  );

  it.each(events.filter(({ own, other }) => own === ENDED_WITH_ALL || other === ENDED_WITH_ALL || own === STALE))(
    '$event is one row, however many sessions',
    async ({ make }) => {
      const who = await somebodyWithTwoSessions();
      for (let i = 0; i < 3; i += 1) await call.answer('login', { input: { identifier: who.email, password: PASSWORD } });
      const before = await countOf('revocation');
      await make(who);
      expect(await countOf('revocation')).toBe(before + 1);
    },
  );

  it('logout for the second time writes nothing', async () => {
    const { own } = await somebodyWithTwoSessions();
    const logout = () => call.answer('logout', { input: { refreshToken: own.refreshToken } });
    await logout();
    const before = [await countOf('revocation'), await countOf('audit_event')];
    expect(await logout()).toEqual({ success: true });
    expect([await countOf('revocation'), await countOf('audit_event')]).toEqual(before);
  });

  it('a session that goes on has tokens that count everywhere, once it has refreshed', async () => {
    const { own } = await somebodyWithTwoSessions();
    const input = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    await call.answer('change-password', { input }, bearer(own.accessToken));
    const next = await call.answer<Tokens>('refresh', { input: { refreshToken: own.refreshToken } });
    expect(await accessState(here, next)).toBe('live');
    await expect.poll(() => accessState(there, own), BOUND).toBe(TOKEN_STALE);
    expect(await accessState(there, next)).toBe('live');
  });

  it('a token of before the change stays refused when the session has refreshed', async () => {
    const { own } = await somebodyWithTwoSessions();
    await call.answer('set-user-roles', { input: { userId: own.user.id, roles: ['user', 'admin'] } }, bearer(admin.accessToken));
    const next = await call.answer<Tokens>('refresh', { input: { refreshToken: own.refreshToken } });
    expect(next.scope).toBe('audit:read users:read users:write');
    expect(await accessState(here, own)).toBe(TOKEN_STALE);
    expect(await accessState(here, next)).toBe('live');
  });

  it('a user who is disabled and enabled again signs in anew: nothing of before comes back', async () => {
    const { own, email } = await somebodyWithTwoSessions();
    await here.accounts.setDisabled(own.user.id, true, OPERATOR);
    await here.accounts.setDisabled(own.user.id, false, OPERATOR);
    expect(await accessState(here, own)).toBe(TOKEN_STALE);
    expect(await refreshState(here, own)).toBe(INVALID);
    const again = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    expect(await accessState(here, again)).toBe('live');
    expect(await accessState(there, again)).toBe('live');
  });

  it('a session that has ended is not revived by its own access token, wherever that is still believed', async () => {
    const { own, other } = await somebodyWithTwoSessions();
    const stores = { revocationLifetimeSeconds: 900 };
    // On a replica that has not polled yet, the token of the session that was ended still counts.
    await createSessionStore(database, stores).revokeAll(own.user.id, { except: null, reason: 'LOGOUT' }, OPERATOR);
    await createSessionStore(database, stores).revokeAll(own.user.id, { except: other.session.id, reason: 'LOGOUT' }, OPERATOR);
    expect(await refreshState(here, other)).toBe(INVALID);

    const { own: second } = await somebodyWithTwoSessions();
    const users = createUserStore(database, stores);
    const old = (await users.credentialById(second.user.id))!.passwordHash;
    await createSessionStore(database, stores).revokeAll(second.user.id, { except: null, reason: 'LOGOUT' }, OPERATOR);
    await users.changePassword(second.user.id, { old, new: 'of nothing' }, { except: second.session.id }, OPERATOR);
    expect(await refreshState(here, second)).toBe(INVALID);
  });
});

describe('signing in while the password is changed', () => {
  const users = () => createUserStore(database, { revocationLifetimeSeconds: 900 });
  const sessions = () => createSessionStore(database, { revocationLifetimeSeconds: 900 });
  let count = 0;
  let userId: string;

  beforeEach(async () => {
    count += 1;
    userId = `019aa000-0000-7000-8000-${String(count).padStart(12, '0')}`;
    const email = `concurrent${count}@example.com`;
    await users().insert(
      { id: userId, email, emailKey: email, username: null, usernameKey: null, passwordHash: 'old', roles: ['user'] },
      OPERATOR,
    );
  });

  function session(passwordHash: string, n = 0): NewSession {
    return {
      id: `019aa000-0000-7000-9${String(n).padStart(3, '0')}-${String(count).padStart(12, '0')}`,
      userId,
      currentHash: Buffer.alloc(32, 1),
      secretId: 1,
      scopes: null,
      deviceName: null,
      devicePlatform: 'OTHER',
      idleLifetimeSeconds: 3600,
      absoluteLifetimeSeconds: 3600,
      passwordHash,
      ipAddress: null,
      userAgent: null,
    };
  }

  it('does not begin a session on the password of before', async () => {
    // The old hash was verified; then the password was changed; then the session was to begin.
    await users().changePassword(userId, { old: 'old', new: 'new' }, { except: session('old').id }, OPERATOR);
    expect(await sessions().insert(session('old'))).toBeUndefined();
    expect(await sessions().insert(session('new'))).toMatchObject({ userId });
  });

  it('does not begin a session for a user who was disabled meanwhile', async () => {
    await users().setDisabled(userId, true, OPERATOR);
    expect(await sessions().insert(session('old'))).toBeUndefined();
  });

  it('changes a password once, of two who give the same old one', async () => {
    const change = (hash: string) => users().changePassword(userId, { old: 'old', new: hash }, undefined, OPERATOR);
    const changes = await Promise.all([change('one'), change('another')]);
    expect(changes.filter((entries) => entries !== undefined)).toHaveLength(1);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['changed', () => users().changePassword(userId, { old: 'old', new: 'new' }, { except: session('old').id }, OPERATOR)],
    ['reset', () => users().resetPassword(userId, 'new', OPERATOR)],
    ['disabled', () => users().setDisabled(userId, true, OPERATOR)],
    ['logged out everywhere', () => sessions().revokeAll(userId, { except: null, reason: 'LOGOUT' }, OPERATOR)],
  ])('leaves no session that began before or beside it alive: %s', async (how, change) => {
    const before = await sessions().insert(session('old', 1));
    const beside = Array.from({ length: 12 }, (_, i) => i + 2);
    const begin = (n: number) => sessions().insert(session('old', n));
    const [, ...begun] = await Promise.all([begin(900).then(change), ...beside.map(begin)]);
    const live = await sessions().liveByUsers([userId]);
    const version = (
      await database.query<{ version: number }>('SELECT session_version AS version FROM user_account WHERE id = $1', [userId])
    )[0]!;
    for (const grant of [before, ...begun]) {
      if (grant === undefined) continue;
      const isAlive = live.some(({ id }) => id === grant.sessionId);
      // Who began after everyone was logged out may stay: the password is what it was.
      expect(isAlive).toBe(how === 'logged out everywhere' && grant.userVersion >= version.version);
    }
    expect(live.some(({ id }) => id === before!.sessionId)).toBe(false);
  });
});

describeOnPostgres('a session whose row is written after the password was changed, by a statement that began before', () => {
  it('is over as it begins, with its access token', async () => {
    const { own } = await somebodyWithTwoSessions();
    const grantVersion = async () =>
      (await database.query<{ version: number }>('SELECT security_version AS version FROM user_account WHERE id = $1', [own.user.id]))[0]!
        .version;
    const versionBefore = await grantVersion();
    // The gate holds the statement that begins the session when it has read the user and the old hash, and not yet written the row.
    await database.query(`CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN IF NEW.device_name = ''slow'' THEN PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NEW; END'`);
    await database.query('CREATE TRIGGER gate BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION wait_at_gate()');
    const { email } = own.user;
    const gate = new pg.Client({ connectionString: testDatabase.url });
    await gate.connect();
    try {
      await gate.query('SELECT pg_advisory_lock(4711)');
      const slow = here.graphql<{ login: Tokens }>(operation('login'), {
        input: { identifier: email, password: PASSWORD, device: { name: 'slow' } },
      });
      const waiting = `SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 4711`;
      await expect.poll(() => database.query(waiting)).toEqual([{ count: 1 }]);
      const input = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
      await call.answer('change-password', { input }, bearer(own.accessToken));
      expect(await grantVersion()).toBe(versionBefore + 1);
      await gate.query('SELECT pg_advisory_unlock(4711)');
      const reply = await slow;
      expect(reply.errors).toEqual([]);
      const born = reply.data!.login;
      expect(await accessState(here, born)).toBe(TOKEN_STALE);
      expect(await refreshState(here, born)).toBe(INVALID);
    } finally {
      await gate.end();
      await database.query('DROP TRIGGER gate ON session');
      await database.query('DROP FUNCTION wait_at_gate()');
    }
  });
});

describe('an access token that is checked', () => {
  it('costs no statement, however often, also when it is refused', async () => {
    let statements = 0;
    const count = (sql: string) => {
      // What runs by itself: the buffer of sightings, and the poll of revocations.
      if (!sql.includes('sighting') && !sql.includes('pg_snapshot_xmin')) statements += 1;
    };
    const counted: Database = {
      ...database,
      close: () => Promise.resolve(),
      query: (sql, parameters) => {
        count(sql);
        return database.query(sql, parameters);
      },
      read: (work) => {
        count('');
        return database.read(work);
      },
    };
    const server = await startTestServer({ variables, overrides: { database: counted } });
    try {
      const tokens = await createCalls(server.graphql).answer<Tokens>('register', { input: newPerson() });
      const ended = await createCalls(server.graphql).answer<Tokens>('register', { input: newPerson() });
      await createCalls(server.graphql).answer('logout', { input: { refreshToken: ended.refreshToken } });
      statements = 0;
      for (let i = 0; i < 20; i += 1) {
        expect(await accessState(server, tokens)).toBe('live');
        expect(await accessState(server, ended)).toBe(SESSION_REVOKED);
      }
      expect(statements).toBe(0);
    } finally {
      await server.close();
    }
  });
});
