import argon2 from 'argon2';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Caller } from '../../src/accounts/accounts.js';
import { AuthError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const HOME = '203.0.113.7';
const WRONG = 'not the password of anyone';
const QUARTER_OF_AN_HOUR = 900;
/** The delays there are, in seconds. */
const LADDER = [1, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600];

/** The delay that this is what is left of: time does not stand still for a test. */
const delayOf = (retryAfterSeconds: number) => LADDER.find((delay) => delay >= retryAfterSeconds);

let testDatabase: TestDatabase;
let variables: Variables;
let database: Database;
let server: TestServer;
let call: Calls;
let email: string;
let userId: string;
let strangers = 0;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  variables = { ...testDatabase.variables, LATCHKEY_TRUST_PROXY: '127.0.0.1', LATCHKEY_DATABASE_TIMEOUT_MS: '20000' };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  server = await startReplica();
  call = createCalls(server.graphql);
});

afterAll(async () => {
  await server.close();
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  const person = newPerson();
  ({ email } = person);
  ({ userId } = await server.accounts.register({ ...person, username: nameOf(email) }, from(HOME)));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Another server on the same database: what it knows, it knows from there. */
function startReplica(more: Variables = {}): Promise<TestServer> {
  const shared: Database = { ...database, close: () => Promise.resolve() };
  return startTestServer({ variables: { ...variables, ...more }, overrides: { database: shared } });
}

const nameOf = (address: string) => address.split('@')[0]!;
const from = (ipAddress: string | null, signedIn: Caller['signedIn'] = null): Caller => ({ ipAddress, userAgent: null, signedIn });

/** Someone whom nobody has seen before. */
function stranger(): Caller {
  strangers += 1;
  return from(`198.18.${strangers >> 8}.${strangers & 0xff}`);
}

interface Outcome {
  code: string;
  retryAfterSeconds?: number;
}

async function guess(identifier = email, password = WRONG, caller = stranger(), at = server): Promise<Outcome> {
  try {
    await at.accounts.authenticate(identifier, password, caller);
    return { code: 'ok' };
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    const { fault } = error;
    return fault.code === 'RATE_LIMITED' ? { code: fault.code, retryAfterSeconds: fault.retryAfterSeconds } : { code: fault.code };
  }
}

async function guessUntilLimited(identifier = email, caller?: () => Caller): Promise<{ guesses: number; retryAfterSeconds: number }> {
  for (let guesses = 0; guesses < 1000; guesses += 1) {
    const { code, retryAfterSeconds } = await guess(identifier, WRONG, caller?.());
    if (retryAfterSeconds !== undefined) return { guesses, retryAfterSeconds };
    expect(code).toBe('INVALID_CREDENTIALS');
  }
  throw new Error('There is no limit.');
}

/** Moves everything that was counted into the past: the database's clock cannot be moved. */
async function pass(seconds: number): Promise<void> {
  await database.query(
    `UPDATE throttle SET blocked_until = blocked_until - d, pending_since = pending_since - d, updated_at = updated_at - d
       FROM make_interval(secs => $1) AS d`,
    [seconds],
  );
}

async function setFailures(key: string, failures: number): Promise<void> {
  const rows = await database.query('UPDATE throttle SET failures = $2, blocked_until = now() WHERE key = $1 RETURNING 1', [key, failures]);
  expect(rows).toHaveLength(1);
}

const countHashes = () => {
  const spy = vi.spyOn(argon2, 'verify');
  return () => spy.mock.calls.length;
};

const signInAt = (ipAddress: string) =>
  server.graphql<{ login: Tokens }>(
    operation('login'),
    { input: { identifier: email, password: PASSWORD } },
    { 'x-forwarded-for': ipAddress },
  );

const LIMITED = { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) as number };

describe('guesses at one account', () => {
  it('are ten in a quarter of an hour, from however many addresses', async () => {
    const hashes = countHashes();
    let elapsed = 0;
    while (elapsed < QUARTER_OF_AN_HOUR) {
      const { retryAfterSeconds } = await guessUntilLimited();
      await pass(retryAfterSeconds);
      elapsed += retryAfterSeconds;
    }
    expect(hashes()).toBe(10);
  });

  it('wait twice as long after each failure, for an hour at most', async () => {
    const delays: (number | undefined)[] = [];
    expect((await guessUntilLimited()).guesses).toBe(5);
    for (let i = 0; i < 10; i += 1) {
      const { guesses, retryAfterSeconds } = await guessUntilLimited();
      expect(guesses).toBe(i === 0 ? 0 : 1);
      delays.push(delayOf(retryAfterSeconds));
      await pass(retryAfterSeconds);
    }
    expect(delays).toEqual([16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
  });

  it('are not let through sooner than they were told', async () => {
    const { retryAfterSeconds } = await guessUntilLimited();
    await pass(retryAfterSeconds / 2);
    expect(await guess()).toEqual(LIMITED);
    await pass(retryAfterSeconds / 2);
    expect(await guess()).toEqual({ code: 'INVALID_CREDENTIALS' });
  });

  it('a thousand at once are five hashes', async () => {
    const hashes = countHashes();
    const outcomes = await Promise.all(Array.from({ length: 1000 }, () => guess(email, WRONG, from(null))));
    expect(hashes()).toBe(5);
    const by = Map.groupBy(outcomes, ({ code }) => code);
    expect(by.get('INVALID_CREDENTIALS')).toHaveLength(5);
    expect([...by.keys()].sort()).toEqual(['INVALID_CREDENTIALS', 'RATE_LIMITED', 'SERVICE_UNAVAILABLE']);
  });

  it('sixty at once are five hashes, and fifty-five that must wait', async () => {
    const hashes = countHashes();
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => guess(email, WRONG, from(null))));
    expect(hashes()).toBe(5);
    expect(Map.groupBy(outcomes, ({ code }) => code).get('RATE_LIMITED')).toHaveLength(55);
  });

  it('beyond the queue of hashes cost no statement', async () => {
    const busy = await startReplica({ LATCHKEY_ARGON2_CONCURRENCY: '1', LATCHKEY_ARGON2_QUEUE: '0' });
    const release = Promise.withResolvers<undefined>();
    const verify = vi.spyOn(argon2, 'verify').mockImplementation(async () => {
      await release.promise;
      return true;
    });
    try {
      const first = guess(email, PASSWORD, stranger(), busy);
      await expect.poll(() => verify.mock.calls.length).toBe(1);
      const query = vi.spyOn(database, 'query');
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => guess(email, PASSWORD, stranger(), busy)));
      expect(outcomes).toEqual(Array.from({ length: 20 }, () => ({ code: 'SERVICE_UNAVAILABLE' })));
      expect(query).not.toHaveBeenCalled();
      release.resolve(undefined);
      expect(await first).toEqual({ code: 'ok' });
    } finally {
      release.resolve(undefined);
      await busy.close();
    }
  });

  it('are told of in the audit trail when they are not let through, once a minute', async () => {
    await guessUntilLimited();
    for (let i = 0; i < 5; i += 1) expect(await guess()).toEqual(LIMITED);
    const told = await database.query(`SELECT reason FROM audit_event WHERE user_id = $1 AND type = 'SIGN_IN_FAILED' ORDER BY id`, [
      userId,
    ]);
    expect(told).toEqual([...Array.from({ length: 5 }, () => ({ reason: 'WRONG_PASSWORD' })), { reason: 'THROTTLED' }]);
  });

  it('are forgotten when an operator unlocks the user, which the audit trail tells', async () => {
    const operator = { userId: null, ipAddress: null, userAgent: 'test' };
    await guessUntilLimited();
    await server.accounts.unlock(userId, operator);
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
    expect(await database.query(`SELECT 1 FROM audit_event WHERE user_id = $1 AND type = 'USER_UNLOCKED'`, [userId])).toHaveLength(1);
    for (const nobody of ['nobody', '019aa000-0000-7000-8000-00000000000a']) {
      await expect(server.accounts.unlock(nobody, operator)).rejects.toMatchObject({ fault: { code: 'BAD_USER_INPUT' } });
    }
  });

  it('are refused right or wrong, without a hash', async () => {
    await guessUntilLimited();
    const hashes = countHashes();
    expect(await guess(email, PASSWORD)).toEqual(LIMITED);
    expect(hashes()).toBe(0);
  });

  it('count together by e-mail address and by username, however they are written', async () => {
    for (const identifier of [email, nameOf(email), email.toUpperCase(), ` ${nameOf(email)} `, nameOf(email).toUpperCase()]) {
      expect(await guess(identifier)).toEqual({ code: 'INVALID_CREDENTIALS' });
    }
    expect(await guess(email)).toEqual(LIMITED);
    expect(await guess(nameOf(email))).toEqual(LIMITED);
  });

  it('count together by login and by changePassword', async () => {
    const { data } = await signInAt(HOME);
    const { accessToken } = data!.login;
    const input = { currentPassword: WRONG, newPassword: 'nine orange trumpets fall' };
    for (let i = 0; i < 5; i += 1) {
      expect((await call.fault('change-password', { input }, bearer(accessToken))).extensions.code).toBe('INVALID_CREDENTIALS');
    }
    expect(await guess()).toEqual(LIMITED);
  });

  it('are forgotten with the right password', async () => {
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 4; i += 1) expect(await guess()).toEqual({ code: 'INVALID_CREDENTIALS' });
      expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
    }
    expect(await database.query('SELECT 1 FROM throttle WHERE key = $1', [`account:${userId}`])).toEqual([]);
  });

  it('are forgotten with a password that an operator sets', async () => {
    await guessUntilLimited();
    await server.accounts.resetPassword(userId, PASSWORD, { userId: null, ipAddress: null, userAgent: null });
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
  });

  it('are none after a hundred in a row, however long one waits', async () => {
    await guess();
    await setFailures(`account:${userId}`, 99);
    expect(await guess()).toEqual({ code: 'INVALID_CREDENTIALS' });
    for (const years of [0, 1, 10]) {
      await pass(years * 365 * 86_400);
      expect(await guess(email, PASSWORD)).toEqual({ code: 'RATE_LIMITED', retryAfterSeconds: 3600 });
    }
  });

  it('count as pending for half a minute when their server dies', async () => {
    await database.query('INSERT INTO throttle (key, pending) VALUES ($1, 5)', [`account:${userId}`]);
    expect(await guess()).toEqual({ code: 'RATE_LIMITED', retryAfterSeconds: 1 });
    await pass(31);
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
  });
});

describe('the owner of an account that strangers guess at', () => {
  const lockOut = async () => {
    await guess();
    await setFailures(`account:${userId}`, 100);
    await database.query(`UPDATE throttle SET blocked_until = 'infinity' WHERE key = $1`, [`account:${userId}`]);
    expect(await guess(email, PASSWORD)).toMatchObject({ code: 'RATE_LIMITED' });
  };

  it.each<[string, string, () => Caller]>([
    ['signed in', HOME, () => ({ ...stranger(), signedIn: { subject: userId, sessionId: uuidv7() } })],
    ['at the address of a live session', HOME, () => from(HOME)],
    ['in the /64 of a live session', '2001:db8:7::1', () => from('2001:db8:7::ffff:2')],
  ])('gets in, and frees the account for everyone, when %s', async (_how, address, caller) => {
    await signInAt(address);
    await lockOut();
    expect(await guess(email, PASSWORD, caller())).toEqual({ code: 'ok' });
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
  });

  it.each<[string, () => Promise<Caller>]>([
    ['at an address where no session was', async () => from('203.0.113.99')],
    ['in the next /64', async () => from('2001:db8:7:1::1')],
    [
      'signed in as another user',
      async () => {
        const { userId: subject } = await server.accounts.register(newPerson(), from(null));
        return { ...stranger(), signedIn: { subject, sessionId: uuidv7() } };
      },
    ],
    ['from nowhere', async () => from(null)],
    [
      'at the address of a session that has ended',
      async () => {
        const { data } = await signInAt('203.0.113.50');
        await call.answer('logout', { input: { refreshToken: data!.login.refreshToken } });
        return from('203.0.113.50');
      },
    ],
  ])('has to wait when %s', async (_how, caller) => {
    await signInAt('2001:db8:7::1');
    const who = await caller();
    await lockOut();
    expect(await guess(email, PASSWORD, who)).toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('may fail on an own device as often as strangers, and as slowly', async () => {
    await signInAt(HOME);
    await lockOut();
    expect((await guessUntilLimited(email, () => from(HOME))).guesses).toBe(5);
    expect(await guess(email, PASSWORD, from(HOME))).toEqual(LIMITED);
    await pass(16);
    expect(await guess(email, PASSWORD, from(HOME))).toEqual({ code: 'ok' });
    // Nothing of it is left, for the next time that strangers come.
    await lockOut();
    expect((await guessUntilLimited(email, () => from(HOME))).guesses).toBe(5);
  });

  it('is not kept out by whoever guesses in the same network, once signed in', async () => {
    await signInAt(HOME);
    await lockOut();
    expect((await guessUntilLimited(email, () => from(HOME))).guesses).toBe(5);
    expect(await guess(email, PASSWORD, from(HOME))).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, from(HOME, { subject: userId, sessionId: uuidv7() }))).toEqual({ code: 'ok' });
  });

  it('is guessed at by a stolen access token no more often than by one device, whatever networks it comes from', async () => {
    await lockOut();
    const signedIn = { subject: userId, sessionId: uuidv7() };
    expect((await guessUntilLimited(email, () => ({ ...stranger(), signedIn }))).guesses).toBe(5);
    expect(await guess(email, PASSWORD, { ...stranger(), signedIn })).toEqual(LIMITED);
  });

  it('keeps the sessions: they refresh as ever', async () => {
    const { data } = await signInAt(HOME);
    await lockOut();
    expect((await call.answer<Tokens>('refresh', { input: { refreshToken: data!.login.refreshToken } })).user.id).toBe(userId);
  });
});

describe('an identifier that nobody has', () => {
  it('is refused as one that somebody has: as often, as long, after as many hashes', async () => {
    const course = async (identifier: string) => {
      const hashes = countHashes();
      const outcomes: [string, number | undefined][] = [];
      const look = async () => {
        const { code, retryAfterSeconds = 0 } = await guess(identifier);
        outcomes.push([code, delayOf(retryAfterSeconds)]);
      };
      for (let i = 0; i < 7; i += 1) await look();
      await pass(16);
      for (let i = 0; i < 3; i += 1) await look();
      return { outcomes, hashes: hashes() };
    };
    const known = await course(email);
    vi.restoreAllMocks();
    expect(await course(`nobody-${email}`)).toEqual(known);
    vi.restoreAllMocks();
    expect(await course(`nobody-${nameOf(email)}`)).toEqual(known);
    expect(known.hashes).toBe(6);
  });

  it('of another spelling is the same', async () => {
    for (const identifier of ['ghost@example.com', 'GHOST@example.com', ' ghost@example.com', 'ｇhost@example.com', 'ghost@EXAMPLE.com']) {
      expect(await guess(identifier)).toEqual({ code: 'INVALID_CREDENTIALS' });
    }
    expect(await guess('Ghost@Example.com')).toEqual(LIMITED);
  });
});

describe('the counters', () => {
  it('are one for all servers on a database, and are kept when one stops', async () => {
    const other = await startReplica();
    for (let i = 0; i < 5; i += 1) {
      expect(await guess(email, WRONG, stranger(), i % 2 === 0 ? server : other)).toEqual({ code: 'INVALID_CREDENTIALS' });
    }
    expect(await guess(email, PASSWORD, stranger(), server)).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, stranger(), other)).toEqual(LIMITED);
    await other.close();
    const restarted = await startReplica();
    try {
      expect(await guess(email, PASSWORD, stranger(), restarted)).toEqual(LIMITED);
    } finally {
      await restarted.close();
    }
  });

  it('do not count refresh tokens that are refused', async () => {
    const { data } = await signInAt(HOME);
    const before = await database.query('SELECT * FROM throttle ORDER BY key');
    for (const refreshToken of ['garbage', `${data!.login.refreshToken.slice(0, -4)}AAAA`]) {
      for (let i = 0; i < 20; i += 1) await call.fault('refresh', { input: { refreshToken } });
    }
    expect(await database.query('SELECT * FROM throttle ORDER BY key')).toEqual(before);
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
  });
});

describe('one password tried on many accounts', () => {
  const SPRAYER = '192.0.2.66';

  it('is slowed down by network after three hundred failures, and no sooner', async () => {
    await guess('someone@example.com', WRONG, from(SPRAYER));
    await setFailures(`network:${SPRAYER}`, 299);
    expect(await guess('someone1@example.com', WRONG, from(SPRAYER))).toEqual({ code: 'INVALID_CREDENTIALS' });
    expect(await guess('someone2@example.com', WRONG, from(SPRAYER))).toEqual({ code: 'INVALID_CREDENTIALS' });
    const hashes = countHashes();
    expect(await guess('someone3@example.com', WRONG, from(SPRAYER))).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, from(SPRAYER))).toEqual(LIMITED);
    expect(hashes()).toBe(0);
    expect(await guess(email, PASSWORD)).toEqual({ code: 'ok' });
  });

  it('is not forgiven for one that is right', async () => {
    const network = `network:${SPRAYER.replace('66', '67')}`;
    const sprayer = from('192.0.2.67');
    await guess('someone@example.org', WRONG, sprayer);
    await setFailures(network, 300);
    expect(await guess(email, PASSWORD, sprayer)).toEqual({ code: 'ok' });
    expect(await guess('someone1@example.org', WRONG, sprayer)).toEqual({ code: 'INVALID_CREDENTIALS' });
    expect(await guess('someone2@example.org', WRONG, sprayer)).toEqual(LIMITED);
  });

  it('comes from one network whichever of its /64 it comes from', async () => {
    await guess('someone@example.net', WRONG, from('2001:db8:66::1'));
    await setFailures('network:2001:db8:66:0::/64', 300);
    await guess('someone1@example.net', WRONG, from('2001:db8:66::2'));
    expect(await guess(email, PASSWORD, from('2001:db8:66::abcd:3'))).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, from('2001:db8:66:1::3'))).toEqual({ code: 'ok' });
  });

  it('does not hold back who is signed in', async () => {
    await signInAt('192.0.2.69');
    await guess('someone@example.info', WRONG, from('192.0.2.69'));
    await setFailures('network:192.0.2.69', 300);
    await database.query(`UPDATE throttle SET blocked_until = now() + interval '1 hour' WHERE key = 'network:192.0.2.69'`);
    expect(await guess('someone@example.info', WRONG, from('192.0.2.69'))).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, from('192.0.2.69'))).toEqual(LIMITED);
    expect(await guess(email, PASSWORD, from('192.0.2.69', { subject: userId, sessionId: uuidv7() }))).toEqual({ code: 'ok' });
  });

  it('does not slow down anyone where few have failed, however many try at once', async () => {
    const office = from('192.0.2.70');
    const outcomes = await Promise.all(Array.from({ length: 60 }, (_, i) => guess(`someone${i}@example.biz`, WRONG, office)));
    expect(outcomes).toEqual(Array.from({ length: 60 }, () => ({ code: 'INVALID_CREDENTIALS' })));
  });

  it('is forgotten after an hour without', async () => {
    await guess('someone@example.edu', WRONG, from('192.0.2.68'));
    await setFailures('network:192.0.2.68', 301);
    await pass(3601);
    await guess('someone1@example.edu', WRONG, from('192.0.2.68'));
    expect(await database.query('SELECT failures FROM throttle WHERE key = $1', ['network:192.0.2.68'])).toEqual([{ failures: 1 }]);
  });
});

describe('the lid on one address', () => {
  it('holds for all that takes a password, before any hash or statement, each address by itself', async () => {
    const lidded = await startReplica({ LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: '3' });
    const spies = [vi.spyOn(argon2, 'verify'), vi.spyOn(argon2, 'hash')];
    try {
      const calls = createCalls(lidded.graphql);
      const at = { 'x-forwarded-for': '192.0.2.99' };
      const { accessToken } = await calls.answer<Tokens>('register', { input: newPerson() }, at);
      await calls.answer('login', { input: { identifier: email, password: PASSWORD } }, at);
      await calls.fault('login', { input: { identifier: email, password: WRONG } }, at);
      const hashes = () => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
      const before = hashes();
      const change = { currentPassword: PASSWORD, newPassword: 'nine orange trumpets fall' };
      for (const refused of [
        calls.fault('register', { input: newPerson() }, at),
        calls.fault('login', { input: { identifier: email, password: PASSWORD } }, at),
        calls.fault('change-password', { input: change }, { ...at, ...bearer(accessToken) }),
      ]) {
        const { extensions } = await refused;
        expect(extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
        expect(extensions['retryAfterSeconds']).toBeGreaterThanOrEqual(1);
        expect(extensions['retryAfterSeconds']).toBeLessThanOrEqual(60);
      }
      expect(hashes()).toBe(before);
      await calls.answer('login', { input: { identifier: email, password: PASSWORD } }, { 'x-forwarded-for': '192.0.2.98' });
    } finally {
      await lidded.close();
    }
  });
});

describe('a document', () => {
  it.each([
    ['aliases', 'mutation { a: login(input: $i) { scope } b: login(input: $i) { scope } }'],
    [
      'a fragment spread twice',
      'mutation { ...f ...f } fragment f on Mutation { a: login(input: $i) { scope } b: login(input: $i) { scope } }',
    ],
    [
      'two fragments',
      'mutation { ...f ...g } fragment f on Mutation { a: login(input: $i) { scope } } fragment g on Mutation { b: login(input: $i) { scope } }',
    ],
    ['inline fragments', 'mutation { ... { a: login(input: $i) { scope } } ... on Mutation { b: login(input: $i) { scope } } }'],
    [
      'fields that differ',
      'mutation { login(input: $i) { scope } changePassword(input: { currentPassword: "a", newPassword: "b" }) { user { id } } }',
    ],
  ])('cannot hold two guesses, by %s', async (_how, document) => {
    const hashes = countHashes();
    const literal = `{ identifier: "${email}", password: "${WRONG}" }`;
    const { status } = await server.graphql(document.replaceAll('$i', literal));
    expect(status).toBe(400);
    expect(hashes()).toBe(0);
    expect(await database.query('SELECT 1 FROM throttle WHERE key = $1', [`account:${userId}`])).toEqual([]);
  });

  it('is told in how many seconds to come back, over HTTP too', async () => {
    await guessUntilLimited();
    const { extensions } = await call.fault('login', { input: { identifier: email, password: PASSWORD } });
    expect(extensions).toEqual({ code: 'RATE_LIMITED', retryable: true, retryAfterSeconds: expect.any(Number) as number });
    expect(delayOf(Number(extensions['retryAfterSeconds']))).toBe(16);
  });
});
