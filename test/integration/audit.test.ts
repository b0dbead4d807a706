import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { systemClock } from '../../src/clock.js';
import { createSecretRing } from '../../src/crypto/secret-ring.js';
import { createKeyRing, type KeyRing } from '../../src/keys/key-ring.js';
import { createLogger } from '../../src/log.js';
import { AUDIT_EVENT_TYPES, createAuditStore, OPERATOR, type AuditRecord } from '../../src/persistence/audit.store.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createSessionStore } from '../../src/persistence/session.store.js';
import { createSigningKeyStore } from '../../src/persistence/signing-key.store.js';
import { createUserStore } from '../../src/persistence/user.store.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const NEW_PASSWORD = 'nine orange trumpets fall';
const WRONG = 'not the password of anyone';
const ADDRESS = '203.0.113.7';
const AGENT = 'audit test/1.0';
const AT = { 'x-forwarded-for': ADDRESS, 'user-agent': AGENT };
const NOBODY = '019aa000-0000-7000-8000-00000000dead';

let testDatabase: TestDatabase;
let database: Database;
let server: TestServer;
let call: Calls;
let admin: Tokens;
let own: Tokens;
let email: string;
/** Of an algorithm that the server does not sign with: what becomes of them ends no token of it. */
let keys: KeyRing;
/** Everything that must never be written down. */
const secrets: string[] = [PASSWORD, NEW_PASSWORD, WRONG];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const variables: Variables = {
    ...testDatabase.variables,
    LATCHKEY_TRUST_PROXY: '127.0.0.1',
    // No floor between rotations: a refresh token can be used again at once, and that is reuse.
    LATCHKEY_REFRESH_GRACE_SECONDS: '0',
  };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  server = await startTestServer({ variables, overrides: { database: { ...database, close: () => Promise.resolve() } } });
  call = createCalls(server.graphql);
  keys = createKeyRing({
    store: createSigningKeyStore(database),
    secrets: createSecretRing(['a secret of at least thirty-two characters']),
    algorithm: 'ES256',
    lifetimeSeconds: 86_400,
    clock: systemClock,
    log: createLogger({ logLevel: 'silent' }),
  });
  await keys.load();
  const boss = newPerson();
  await server.accounts.register(boss, { signedIn: null, ipAddress: null, userAgent: null }, ['user', 'admin']);
  admin = keep(await call.answer<Tokens>('login', { input: { identifier: boss.email, password: boss.password } }));
});

afterAll(async () => {
  await server.close();
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  const person = newPerson();
  ({ email } = person);
  own = keep(await call.answer<Tokens>('register', { input: person }, AT));
});

function keep(tokens: Tokens): Tokens {
  secrets.push(tokens.accessToken, tokens.refreshToken);
  return tokens;
}

const logIn = async () => keep(await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } }, AT));

async function lastId(): Promise<string> {
  const [row] = await database.query<{ id: string }>('SELECT coalesce(max(id), 0)::text AS id FROM audit_event');
  return row!.id;
}

/** What was written since, the oldest first. */
async function eventsSince(id: string): Promise<Omit<AuditRecord, 'id' | 'occurredAt'>[]> {
  return database.query(
    `SELECT type, user_id AS "userId", session_id AS "sessionId", actor_id AS "actorId", ip_address AS "ipAddress",
            user_agent AS "userAgent", reason
       FROM audit_event WHERE id > $1::text::bigint ORDER BY id`,
    [id],
  );
}

type Event = Omit<AuditRecord, 'id' | 'occurredAt'>;
type Case = [what: string, make: () => Promise<unknown>, expected: () => Partial<Event> & Pick<Event, 'type'>];

const here = { ipAddress: ADDRESS, userAgent: AGENT };
const byOwner = (more: Partial<Event> & Pick<Event, 'type'>) => ({ userId: own.user.id, actorId: own.user.id, ...here, ...more });
const byAdmin = (more: Partial<Event> & Pick<Event, 'type'>) => ({ userId: own.user.id, actorId: admin.user.id, ...here, ...more });
const byNobody = (more: Partial<Event> & Pick<Event, 'type'>) => ({ userId: own.user.id, actorId: null, ...here, ...more });
const asAdmin = () => ({ ...AT, ...bearer(admin.accessToken) });
const asOwner = () => ({ ...AT, ...bearer(own.accessToken) });

let born: Tokens;

const cases: Case[] = [
  [
    'a registration',
    () =>
      server.accounts
        .register(newPerson(), { signedIn: null, ...here })
        .then(({ userId }) => (born = { ...own, user: { ...own.user, id: userId } })),
    () => ({ type: 'REGISTERED', userId: born.user.id, actorId: null, ...here }),
  ],
  ['a sign-in', async () => (born = await logIn()), () => byOwner({ type: 'SIGNED_IN', sessionId: born.session.id })],
  [
    'a wrong password',
    () => call.fault('login', { input: { identifier: email, password: WRONG } }, AT),
    () => byNobody({ type: 'SIGN_IN_FAILED', reason: 'WRONG_PASSWORD' }),
  ],
  [
    'an identifier that nobody has',
    () => call.fault('login', { input: { identifier: 'nobody-at-all@example.com', password: WRONG } }, AT),
    () => byNobody({ type: 'SIGN_IN_FAILED', userId: null, reason: 'UNKNOWN_USER' }),
  ],
  [
    'a wrong password of someone who is signed in',
    () => call.fault('change-password', { input: { currentPassword: WRONG, newPassword: NEW_PASSWORD } }, asOwner()),
    () => byOwner({ type: 'SIGN_IN_FAILED', sessionId: own.session.id, reason: 'WRONG_PASSWORD' }),
  ],
  [
    'a refresh token that is used again',
    async () => {
      for (let current = own, i = 0; i < 2; i += 1) {
        current = keep(await call.answer<Tokens>('refresh', { input: { refreshToken: current.refreshToken } }, AT));
      }
      await call.fault('refresh', { input: { refreshToken: own.refreshToken } }, AT);
    },
    () => byNobody({ type: 'REFRESH_TOKEN_REUSED', sessionId: own.session.id, reason: 'REFRESH_TOKEN_REUSED' }),
  ],
  [
    'a logout by access token',
    () => call.answer('logout', {}, asOwner()),
    () => byOwner({ type: 'SESSION_REVOKED', sessionId: own.session.id, reason: 'LOGOUT' }),
  ],
  [
    'a logout by refresh token, which says whose it is',
    () => call.answer('logout', { input: { refreshToken: own.refreshToken } }, AT),
    () => byOwner({ type: 'SESSION_REVOKED', sessionId: own.session.id, reason: 'LOGOUT' }),
  ],
  [
    'a logout of the others',
    () => call.answer('logout', { input: { sessions: 'OTHER_SESSIONS' } }, asOwner()),
    () => byOwner({ type: 'SESSIONS_REVOKED', sessionId: own.session.id, reason: 'LOGOUT' }),
  ],
  [
    'a logout everywhere',
    () => call.answer('logout', { input: { sessions: 'ALL_SESSIONS' } }, asOwner()),
    () => byOwner({ type: 'SESSIONS_REVOKED', reason: 'LOGOUT' }),
  ],
  [
    'a session that its user revokes',
    () => call.answer('revoke-session', { input: { sessionId: own.session.id } }, asOwner()),
    () => byOwner({ type: 'SESSION_REVOKED', sessionId: own.session.id, reason: 'REVOKED' }),
  ],
  [
    'a session that an operator revokes',
    () => createSessionStore(database, { revocationLifetimeSeconds: 900 }).revoke(own.session.id, 'OPERATOR', OPERATOR),
    () => ({ ...OPERATOR, type: 'SESSION_REVOKED', userId: own.user.id, actorId: null, sessionId: own.session.id, reason: 'OPERATOR' }),
  ],
  [
    'a password change, with the session that goes on',
    () => call.answer('change-password', { input: { currentPassword: PASSWORD, newPassword: NEW_PASSWORD } }, asOwner()),
    () => byOwner({ type: 'PASSWORD_CHANGED', sessionId: own.session.id }),
  ],
  [
    'a password that an operator sets',
    () => server.accounts.resetPassword(own.user.id, NEW_PASSWORD, OPERATOR),
    () => ({ ...OPERATOR, type: 'PASSWORD_CHANGED', userId: own.user.id, actorId: null }),
  ],
  [
    'new roles, by name',
    () => call.answer('set-user-roles', { input: { userId: own.user.id, roles: ['user', 'admin'] } }, asAdmin()),
    () => byAdmin({ type: 'ROLES_CHANGED', reason: 'user admin' }),
  ],
  [
    'a user who is disabled',
    () => call.answer('set-user-disabled', { input: { userId: own.user.id, disabled: true } }, asAdmin()),
    () => byAdmin({ type: 'USER_DISABLED' }),
  ],
  [
    'a user who is enabled again',
    async () => {
      await createUserStore(database, { revocationLifetimeSeconds: 900 }).setDisabled(own.user.id, true, OPERATOR);
      await database.query(`DELETE FROM audit_event WHERE user_id = $1 AND type = 'USER_DISABLED'`, [own.user.id]);
      await call.answer('set-user-disabled', { input: { userId: own.user.id, disabled: false } }, asAdmin());
    },
    () => byAdmin({ type: 'USER_ENABLED' }),
  ],
  [
    'a user whose failures are forgiven',
    () => server.accounts.unlock(own.user.id, OPERATOR),
    () => ({ ...OPERATOR, type: 'USER_UNLOCKED', userId: own.user.id, actorId: null }),
  ],
  [
    'a signing key that an operator makes',
    async () => {
      await keys.rotate(true);
    },
    () => ({ ...OPERATOR, userId: null, actorId: null, type: 'SIGNING_KEY_MADE', reason: keys.signingKey().kid }),
  ],
  [
    'a signing key that an operator revokes',
    async () => {
      await keys.revoke(keys.list().find(({ kid, algorithm }) => algorithm === 'ES256' && kid !== keys.signingKey().kid)!.kid);
    },
    () => ({ ...OPERATOR, userId: null, actorId: null, type: 'SIGNING_KEY_REVOKED', reason: expect.any(String) as string }),
  ],
];

describe('an audit event', () => {
  it.each(cases)('tells of %s: what, of whom, by whom, from where and why, once', async (_what, make, expected) => {
    const before = await lastId();
    await make();
    expect(await eventsSince(before)).toEqual([{ sessionId: null, reason: null, ...expected() }]);
  });

  it('exists of every type', () => {
    const types = new Set(cases.map(([, , expected]) => /type: ["'](\w+)["']/.exec(expected.toString())?.[1]));
    expect(types).toEqual(new Set(AUDIT_EVENT_TYPES));
  });

  it('tells of a password that was right for a user who is disabled', async () => {
    await server.accounts.setDisabled(own.user.id, true, OPERATOR);
    const before = await lastId();
    await call.fault('login', { input: { identifier: email, password: PASSWORD } }, AT);
    expect(await eventsSince(before)).toMatchObject([{ type: 'SIGN_IN_FAILED', userId: own.user.id, reason: 'DISABLED' }]);
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'a second logout',
      async () => {
        const logout = () => call.answer('logout', { input: { refreshToken: own.refreshToken } }, AT);
        await logout();
        const before = await lastId();
        await logout();
        return before;
      },
    ],
    [
      'a user who is enabled already',
      async () => {
        const before = await lastId();
        await call.answer('set-user-disabled', { input: { userId: own.user.id, disabled: false } }, asAdmin());
        return before;
      },
    ],
    [
      'a refresh token that is not ours',
      async () => {
        const before = await lastId();
        await call.fault('refresh', { input: { refreshToken: 'garbage' } }, AT);
        return before;
      },
    ],
    [
      'a user who does not exist',
      async () => {
        const before = await lastId();
        await call.fault('set-user-roles', { input: { userId: NOBODY, roles: ['user'] } }, asAdmin());
        return before;
      },
    ],
    [
      'a refresh',
      async () => {
        const before = await lastId();
        keep(await call.answer<Tokens>('refresh', { input: { refreshToken: own.refreshToken } }, AT));
        return before;
      },
    ],
  ])('is not written of what changed nothing, or happens all the time: %s', async (_what, make) => {
    expect(await eventsSince((await make()) as string)).toEqual([]);
  });
});

describe('a change and its audit event', () => {
  const users = () => createUserStore(database, { revocationLifetimeSeconds: 900 });
  const sessions = () => createSessionStore(database, { revocationLifetimeSeconds: 900 });

  /** All that a change could change. */
  const state = () =>
    database.query(
      `SELECT u.*, c.password_hash, (SELECT array_agg(role ORDER BY role) FROM user_role r WHERE r.user_id = u.id) AS roles,
              (SELECT array_agg(revoked_at IS NULL) FROM session s WHERE s.user_id = u.id) AS live, (SELECT count(*)::int FROM revocation) AS revocations
         FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.id = $1`,
      [own.user.id],
    );

  it.each<[string, () => Promise<unknown>]>([
    ['a password change', () => users().resetPassword(own.user.id, 'another hash', OPERATOR)],
    ['new roles', () => users().setRoles(own.user.id, ['admin'], OPERATOR)],
    ['disabling', () => users().setDisabled(own.user.id, true, OPERATOR)],
    ['a revocation', () => sessions().revoke(own.session.id, 'OPERATOR', OPERATOR)],
    ['a revocation of all', () => sessions().revokeAll(own.user.id, { except: null, reason: 'OPERATOR' }, OPERATOR)],
    ['a sign-in', () => call.answer('login', { input: { identifier: email, password: PASSWORD } })],
  ])('are made together or not at all, when the event cannot be written: %s', async (_what, change) => {
    const before = await state();
    await database.query('ALTER TABLE audit_event ADD CONSTRAINT nothing_more CHECK (false) NOT VALID');
    try {
      await expect(change()).rejects.toThrow();
    } finally {
      await database.query('ALTER TABLE audit_event DROP CONSTRAINT nothing_more');
    }
    expect(await state()).toEqual(before);
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'a registration with an address that is taken',
      () => server.accounts.register({ email, password: PASSWORD }, { signedIn: null, ...here }),
    ],
    ['a role that does not exist', () => users().setRoles(own.user.id, ['user', 'toaster'], OPERATOR)],
  ])('are made together or not at all, when the change cannot be made: %s', async (_what, change) => {
    const before = [await lastId(), await state()];
    await expect(change()).rejects.toThrow();
    expect(await eventsSince(before[0] as string)).toEqual([]);
    expect(await state()).toEqual(before[1]);
  });
});

describe('auditEvents', () => {
  interface Page {
    edges: { cursor: string; node: Omit<AuditRecord, 'occurredAt'> & { occurredAt: string } }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  }

  const ask = (input: object, headers: Record<string, string> = asAdmin()) =>
    server.graphql<{ auditEvents: Page }>(operation('audit-events'), { ...input }, headers);
  const page = async (input: object) => {
    const { data, errors } = await ask(input);
    expect(errors).toEqual([]);
    return data!.auditEvents;
  };

  it.each<[string, () => Record<string, string>, object]>([
    ['who is not signed in', () => AT, { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }],
    ['a user, of the own events too', asOwner, { code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: [['audit:read']] }],
  ])('are not for %s', async (_who, headers, extensions) => {
    const { data, errors } = await ask({ filter: { userId: own.user.id } }, headers());
    expect(data ?? null).toBeNull();
    expect(errors[0]!.extensions).toMatchObject(extensions);
  });

  it('come the newest first, page by page, each once, whatever happens meanwhile', async () => {
    const everything = await page({ first: 100, filter: { userId: own.user.id } });
    for (let i = 0; i < 4; i += 1) await logIn();
    const seen: string[] = [];
    let after: string | null = null;
    for (let i = 0; i < 20; i += 1) {
      const { edges, pageInfo }: Page = await page({ first: 2, after, filter: { userId: own.user.id } });
      seen.push(...edges.map(({ node }) => node.id));
      expect(pageInfo.endCursor).toBe(edges.at(-1)!.cursor);
      // What comes on top of the list does not move the pages below it.
      if (i === 0) await logIn();
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
    }
    expect(seen).toHaveLength(everything.edges.length + 4);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => Number(b) - Number(a)));
  });

  it('carry what was written', async () => {
    const { edges } = await page({ first: 1, filter: { userId: own.user.id } });
    const { id, occurredAt, ...node } = edges[0]!.node;
    expect(node).toEqual({
      type: 'SIGNED_IN',
      userId: own.user.id,
      sessionId: own.session.id,
      actorId: own.user.id,
      ...here,
      reason: null,
    });
    expect(Number(id)).toBeGreaterThan(0);
    expect(new Date(occurredAt).toISOString()).toBe(occurredAt);
  });

  it('can be narrowed to a user, to types, and to both', async () => {
    await call.fault('login', { input: { identifier: email, password: WRONG } }, AT);
    const types = async (filter: object) =>
      (await page({ first: 100, filter })).edges.map(({ node }) => [node.type, node.userId === own.user.id]);
    expect(await types({ userId: own.user.id })).toEqual([
      ['SIGN_IN_FAILED', true],
      ['SIGNED_IN', true],
      ['REGISTERED', true],
    ]);
    expect(await types({ userId: own.user.id, types: ['REGISTERED', 'SIGN_IN_FAILED'] })).toEqual([
      ['SIGN_IN_FAILED', true],
      ['REGISTERED', true],
    ]);
    expect(new Set((await types({ types: ['USER_ENABLED'] })).map(([type]) => type))).toEqual(new Set(['USER_ENABLED']));
    expect(await types({ userId: NOBODY })).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['none at a time', { first: 0 }, 'first'],
    ['too many at a time', { first: 101 }, 'first'],
    ['a cursor that is none', { after: 'hello' }, 'after'],
    ['a cursor of another list', { after: Buffer.from(NOBODY).toString('base64url') }, 'after'],
    ['a cursor with SQL in it', { after: Buffer.from("1' OR true --").toString('base64url') }, 'after'],
    ['a user id that is none', { filter: { userId: "' OR true --" } }, 'filter.userId'],
    ['no type at all', { filter: { types: [] } }, 'filter.types'],
  ])('are refused when asked for %s', async (_what, input, path) => {
    const { errors } = await ask(input);
    expect(errors[0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fields: [{ path }] });
  });
});

describe('the table of audit events, after all of this', () => {
  it('holds no password, no token and no hash', async () => {
    const rows = await database.query<{ text: string }>('SELECT e::text AS text FROM audit_event e');
    const hashes = await database.query<{ text: string }>(
      `SELECT password_hash AS text FROM credential UNION SELECT encode(current_hash, 'hex') FROM session`,
    );
    const everything = rows.map(({ text }) => text).join('\n');
    expect(rows.length).toBeGreaterThan(50);
    expect(secrets.length).toBeGreaterThan(50);
    const found = [...secrets, ...secrets.map((secret) => secret.slice(0, 24)), ...hashes.map(({ text }) => text)].filter(
      (secret) => !secret.startsWith('eyJ') && everything.includes(secret),
    );
    expect(found).toEqual([]);
    expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
  });

  it('is read as it was written', async () => {
    const { events, hasMore } = await createAuditStore(database).page(1, undefined, {});
    expect(hasMore).toBe(true);
    expect(events[0]!.id).toBe(await lastId());
  });
});
