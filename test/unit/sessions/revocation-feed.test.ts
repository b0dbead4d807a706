import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';

import type { Clock } from '../../../src/clock.js';
import { AuthError } from '../../../src/errors.js';
import type { RevocationEntry, RevocationStore, SessionState } from '../../../src/persistence/revocation.store.js';
import { createRevocationFeed, FALLBACK_READS, type RevocationFeed } from '../../../src/sessions/revocation-feed.js';
import { ALL_VERSIONS } from '../../../src/sessions/revocation-index.js';
import type { AccessTokenClaims } from '../../../src/tokens/access-token.js';
import { recordingLog } from '../../support/log.js';
import { packEntry } from '../../support/packed-entries.js';

const SESSION = '019aa000-0000-7000-8000-0000000000a1';
const OTHER_SESSION = '019aa000-0000-7000-8000-0000000000a2';
const USER = '019aa000-0000-7000-8000-00000000000a';
const OTHER_USER = '019aa000-0000-7000-8000-00000000000b';
const NOW = 1_800_000_000;

const token = (claims: Partial<AccessTokenClaims> = {}): AccessTokenClaims => ({
  subject: USER,
  sessionId: SESSION,
  generation: 1,
  userVersion: 1,
  scopes: [],
  authTime: NOW,
  issuedAt: NOW,
  expiresAt: NOW + 900,
  ...claims,
});

const row = (state: Partial<SessionState> = {}): SessionState => ({ isLive: true, userVersion: 1, forEveryone: [], ...state });

const ofSession = (key = SESSION): RevocationEntry => ({ kind: 'session', key, minimumVersion: null, expiresAt: NOW + 935 });
const ofUser = (minimumVersion: number, key = USER): RevocationEntry => ({ kind: 'user', key, minimumVersion, expiresAt: NOW + 935 });
const ofEveryone = (before: number): RevocationEntry => ({ kind: 'global', key: null, minimumVersion: before, expiresAt: NOW + 935 });
const ofKeys = (expiresAt: number): RevocationEntry => ({ kind: 'keys', key: null, minimumVersion: null, expiresAt });

/** The table of revocations, as transactions write it: each row is seen once its transaction has committed. */
interface FakeStore extends RevocationStore {
  incarnation: string;
  /** Thrown by every read while it is set. */
  failure: Error | undefined;
  sessions: Map<string, SessionState>;
  /** Writes entries in a transaction that stays open until it is told to commit. */
  begin(...entries: RevocationEntry[]): () => void;
  write(...entries: RevocationEntry[]): void;
  /** Another server, or this one restored from a backup: its transactions begin where they did at first. */
  goBack(): void;
  poll: Mock<RevocationStore['poll']>;
  sessionState: Mock<RevocationStore['sessionState']>;
  notify: Mock<RevocationStore['notify']>;
}

function createFakeStore(): FakeStore {
  const rows: { entry: RevocationEntry; xid: number; isCommitted: boolean }[] = [];
  let nextXid = 100;
  const fake: FakeStore = {
    incarnation: 'first',
    failure: undefined,
    sessions: new Map([[SESSION, row()]]),
    begin(...entries) {
      const xid = (nextXid += 1);
      const written = entries.map((entry) => ({ entry, xid, isCommitted: false }));
      rows.push(...written);
      return () => {
        for (const row of written) row.isCommitted = true;
      };
    },
    write(...entries) {
      fake.begin(...entries)();
    },
    goBack() {
      rows.length = 0;
      nextXid = 0;
    },
    poll: vi.fn<RevocationStore['poll']>(async (cursor, receiver) => {
      if (fake.failure !== undefined) throw fake.failure;
      const oldestOpen = rows.filter((row) => !row.isCommitted).map((row) => row.xid);
      for (const { entry, xid, isCommitted } of rows) {
        if (!isCommitted || xid < Number(cursor)) continue;
        if (entry.key === null) receiver.forEveryone(entry);
        else receiver.packed(packEntry(entry.key, entry.minimumVersion ?? ALL_VERSIONS, entry.expiresAt));
      }
      return {
        cursor: String(Math.min(...oldestOpen, nextXid + 1)),
        incarnation: fake.incarnation,
      };
    }),
    sessionState: vi.fn<RevocationStore['sessionState']>(async (sessionId) => {
      if (fake.failure !== undefined) throw fake.failure;
      return fake.sessions.get(sessionId);
    }),
    notify: vi.fn<RevocationStore['notify']>(async () => undefined),
    revokeGlobally: async () => [],
  };
  return fake;
}

let store: FakeStore;
let clock: Clock & { seconds: number };
let logged: ReturnType<typeof recordingLog>;
let onKeysChanged: Mock<() => void>;
let feed: RevocationFeed;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  store = createFakeStore();
  clock = { seconds: 1, now: () => (NOW + clock.seconds) * 1000, monotonic: () => clock.seconds * 1000 };
  logged = recordingLog();
  onKeysChanged = vi.fn<() => void>();
  feed = createRevocationFeed({ store, clock, log: logged.log, onKeysChanged });
});

afterEach(async () => {
  await feed.stop();
  vi.useRealTimers();
});

/** Lets the polls under way end. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  await new Promise((resolve) => setImmediate(resolve));
}

async function poll(): Promise<void> {
  feed.hint();
  await settle();
}

/** Nothing is read any more, and what is known gets so old. */
function letItAge(seconds: number): void {
  store.failure = new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'gone');
  clock.seconds += seconds;
}

describe('a feed that is made', () => {
  it('is not loaded, and infinitely old, before its first poll', async () => {
    expect([feed.isLoadedFrom(), feed.isLoadedFrom('first')]).toEqual([false, false]);
    expect(feed.ageMs).toBe(Number.POSITIVE_INFINITY);
    await feed.start();
    expect([feed.isLoadedFrom(), feed.isLoadedFrom('first'), feed.isLoadedFrom('second')]).toEqual([true, true, false]);
    expect(feed.ageMs).toBe(0);
  });

  it('does not start when the database does not answer', async () => {
    store.failure = new Error('gone');
    await expect(feed.start()).rejects.toThrow('gone');
    expect(feed.isLoadedFrom()).toBe(false);
  });

  it('loads every live entry from the beginning of time', async () => {
    store.write(ofSession(), ofUser(3, OTHER_USER));
    await feed.start();
    expect(store.poll.mock.calls).toEqual([['0', expect.anything()]]);
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    expect(feed.size).toBe(2);
  });
});

describe('a fresh feed', () => {
  beforeEach(() => feed.start());

  it.each<[string, RevocationEntry | undefined, Partial<AccessTokenClaims>, string]>([
    ['nothing', undefined, {}, 'live'],
    ['its session', ofSession(), {}, 'SESSION_REVOKED'],
    ['another session', ofSession(OTHER_SESSION), {}, 'live'],
    ['its user, from its own version on', ofUser(1), {}, 'live'],
    ['its user, from the next version on', ofUser(2), {}, 'TOKEN_STALE'],
    ['its user, whose version it has', ofUser(2), { userVersion: 2 }, 'live'],
    ['another user', ofUser(2, OTHER_USER), {}, 'live'],
    ['everyone, before it was issued', ofEveryone(NOW), {}, 'live'],
    ['everyone, after it was issued', ofEveryone(NOW + 1), {}, 'TOKEN_STALE'],
  ])('judges a token by memory alone when what was revoked is %s', async (_what, entry, claims, expected) => {
    if (entry !== undefined) store.write(entry);
    await poll();
    expect(feed.stateOf(token(claims))).toBe(expected);
    expect(store.sessionState).not.toHaveBeenCalled();
  });

  it('says that the session has ended where the user has changed too: refreshing would not help', async () => {
    store.write(ofUser(2), ofSession());
    await poll();
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
  });

  it('does not lower what everyone was told by an older entry', async () => {
    store.write(ofEveryone(NOW + 9), ofEveryone(NOW + 1));
    await poll();
    expect(feed.stateOf(token({ issuedAt: NOW + 8 }))).toBe('TOKEN_STALE');
  });

  it('polls once a second by itself', async () => {
    store.write(ofSession());
    await vi.advanceTimersByTimeAsync(1000);
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    await vi.advanceTimersByTimeAsync(3000);
    expect(store.poll).toHaveBeenCalledTimes(5);
  });

  it('applies what its own replica has revoked at once, and notifies the others', () => {
    feed.announce([ofSession()]);
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    expect(store.notify).toHaveBeenCalledOnce();
    expect(store.poll).toHaveBeenCalledOnce();
  });

  it('notifies nobody of nothing', () => {
    feed.announce([]);
    expect(store.notify).not.toHaveBeenCalled();
  });

  it('does not mind that nobody can be notified', async () => {
    store.notify.mockRejectedValue(new Error('the queue is full'));
    feed.announce([ofSession()]);
    await settle();
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    expect(logged.lines.map((line) => line.level)).toEqual(['warn']);
    feed.announce([ofSession(OTHER_SESSION)]);
    expect(store.notify).toHaveBeenCalledTimes(2);
  });

  it('is the same however often it reads the same rows', async () => {
    const commit = store.begin(ofSession(OTHER_SESSION));
    store.write(ofUser(2));
    for (let i = 0; i < 3; i += 1) await poll();
    expect(feed.size).toBe(1);
    commit();
    for (let i = 0; i < 3; i += 1) await poll();
    expect(feed.size).toBe(2);
    expect(feed.stateOf(token())).toBe('TOKEN_STALE');
  });

  it('sees a transaction that began before another and commits after it was read', async () => {
    const commit = store.begin(ofSession());
    store.write(ofUser(2, OTHER_USER));
    await poll();
    expect(feed.stateOf(token({ subject: OTHER_USER, sessionId: OTHER_SESSION }))).toBe('TOKEN_STALE');
    expect(feed.stateOf(token())).toBe('live');
    commit();
    await poll();
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
  });

  it('polls once more, and no more, for all hints that come while it polls', async () => {
    for (let i = 0; i < 10; i += 1) feed.hint();
    await settle();
    expect(store.poll).toHaveBeenCalledTimes(3);
  });

  it('stops to poll when it is told to', async () => {
    await feed.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(store.poll).toHaveBeenCalledOnce();
  });
});

describe('a database that is not the one of before', () => {
  it.each<[string, () => void]>([
    ['it has restarted, or another took its place', () => (store.incarnation = 'second')],
    ['its transactions have gone back', () => store.goBack()],
  ])('is read from the beginning: %s', async (_how, change) => {
    await feed.start();
    await poll();
    change();
    store.write(ofSession(), ofUser(2, OTHER_USER));
    store.poll.mockClear();
    await poll();
    expect(store.poll.mock.calls.map(([cursor]) => cursor === '0')).toEqual([false, true]);
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    expect(feed.stateOf(token({ subject: OTHER_USER, sessionId: OTHER_SESSION }))).toBe('TOKEN_STALE');
    expect(logged.lines.map((line) => line.level)).toEqual(['warn']);
  });

  it('cannot bring back a session whose end it has forgotten', async () => {
    await feed.start();
    store.write(ofSession());
    await poll();
    store.goBack();
    await poll();
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
  });

  it('makes no token stale by a version of a user that it never reached', async () => {
    await feed.start();
    store.write(ofUser(2), ofUser(2, OTHER_USER));
    await poll();
    store.goBack();
    store.write(ofUser(2, OTHER_USER));
    await poll();
    expect(feed.stateOf(token())).toBe('live');
    expect(feed.stateOf(token({ subject: OTHER_USER, sessionId: OTHER_SESSION }))).toBe('TOKEN_STALE');
  });

  it('takes away nothing before all of it is read, nor when that fails, nor what was announced meanwhile', async () => {
    await feed.start();
    store.write(ofUser(2));
    await poll();
    store.goBack();
    const { promise, reject } = Promise.withResolvers<undefined>();
    const read = store.poll.getMockImplementation()!;
    store.poll.mockImplementation(async (cursor, receiver) => {
      if (cursor === '0') await promise;
      return read(cursor, receiver);
    });
    await poll();
    expect(feed.stateOf(token())).toBe('TOKEN_STALE');
    reject(new Error('gone'));
    await settle();
    expect(feed.stateOf(token())).toBe('TOKEN_STALE');

    const second = Promise.withResolvers<undefined>();
    store.poll.mockImplementation(async (cursor, receiver) => {
      if (cursor === '0') await second.promise;
      return read(cursor, receiver);
    });
    await poll();
    feed.announce([ofSession(OTHER_SESSION)]);
    expect(feed.stateOf(token({ subject: OTHER_USER, sessionId: OTHER_SESSION }))).toBe('SESSION_REVOKED');
    second.resolve(undefined);
    await settle();
    expect(feed.stateOf(token())).toBe('live');
    expect(feed.stateOf(token({ subject: OTHER_USER, sessionId: OTHER_SESSION }))).toBe('SESSION_REVOKED');
  });

  it('is not what the feed is loaded from, until the last of its entries has been read', async () => {
    await feed.start();
    store.incarnation = 'second';
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const read = store.poll.getMockImplementation()!;
    store.poll.mockImplementation(async (cursor, receiver) => {
      if (cursor === '0') await promise;
      return read(cursor, receiver);
    });
    await poll();
    expect([feed.isLoadedFrom('first'), feed.isLoadedFrom('second')]).toEqual([true, false]);
    resolve(undefined);
    await settle();
    expect([feed.isLoadedFrom('first'), feed.isLoadedFrom('second')]).toEqual([false, true]);
  });

  it('is read from the beginning once, and then as before', async () => {
    await feed.start();
    store.incarnation = 'second';
    await poll();
    store.poll.mockClear();
    await poll();
    expect(store.poll).toHaveBeenCalledOnce();
    expect(store.poll.mock.calls[0]?.[0]).not.toBe('0');
  });
});

describe('a feed that is stale', () => {
  beforeEach(() => feed.start());

  it.each([
    [10, false],
    [10.001, true],
  ])('after %d s without an answer reads the row of the session: %s', async (seconds, isStale) => {
    clock.seconds += seconds;
    expect(await feed.stateOf(token())).toBe('live');
    expect(store.sessionState).toHaveBeenCalledTimes(isStale ? 1 : 0);
  });

  it.each<[string, SessionState | undefined, string]>([
    ['lives', row(), 'live'],
    ['lives, of a user who has changed', row({ userVersion: 2 }), 'TOKEN_STALE'],
    ['lives, when every access token was ended', row({ forEveryone: [ofEveryone(NOW + 1)] }), 'TOKEN_STALE'],
    ['lives, when every access token before this one was ended', row({ forEveryone: [ofEveryone(NOW)] }), 'live'],
    ['has ended', row({ isLive: false }), 'SESSION_REVOKED'],
    ['is gone', undefined, 'SESSION_REVOKED'],
  ])('believes the row of a session that %s', async (_what, state, expected) => {
    if (state === undefined) store.sessions.clear();
    else store.sessions.set(SESSION, state);
    clock.seconds += 11;
    expect(await feed.stateOf(token())).toBe(expected);
  });

  it('reads the row once for all who ask at the same time', async () => {
    clock.seconds += 11;
    const states = await Promise.all(Array.from({ length: 50 }, async () => feed.stateOf(token())));
    expect(new Set(states)).toEqual(new Set(['live']));
    expect(store.sessionState).toHaveBeenCalledOnce();
  });

  it('reads a few rows at once, so that the next poll finds a connection, and sends away who would wait too long', async () => {
    clock.seconds += 11;
    const answer = Promise.withResolvers<SessionState>();
    store.sessionState.mockImplementation(() => answer.promise);
    const ask = (count: number, from = 0) =>
      Array.from({ length: count }, async (_, index) =>
        feed.stateOf(token({ sessionId: `019aa000-0000-7000-8000-${(from + index).toString(16).padStart(12, '0')}` })),
      );
    const asked = ask(FALLBACK_READS + 2000);
    expect(store.sessionState).toHaveBeenCalledTimes(FALLBACK_READS);
    await expect(ask(1, 5000)[0]).rejects.toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' } });
    answer.resolve(row());
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['live']));
    expect(store.sessionState).toHaveBeenCalledTimes(FALLBACK_READS + 2000);
  });

  it('believes the row for a second, and no longer', async () => {
    clock.seconds += 11;
    await feed.stateOf(token());
    store.sessions.set(SESSION, row({ isLive: false }));
    clock.seconds += 0.999;
    expect(await feed.stateOf(token())).toBe('live');
    clock.seconds += 0.002;
    expect(await feed.stateOf(token())).toBe('SESSION_REVOKED');
    expect(store.sessionState).toHaveBeenCalledTimes(2);
  });

  it('has the signing keys loaded again when the row tells that they have changed', async () => {
    store.sessions.set(SESSION, row({ forEveryone: [ofKeys(NOW + 600)] }));
    clock.seconds += 11;
    for (let i = 0; i < 3; i += 1) await feed.stateOf(token());
    expect(onKeysChanged).toHaveBeenCalledOnce();
  });

  it('gives no verdict when the database is gone: SERVICE_UNAVAILABLE', async () => {
    letItAge(11);
    await expect(feed.stateOf(token())).rejects.toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' } });
    store.failure = undefined;
    expect(await feed.stateOf(token())).toBe('live');
  });

  it.each<[string, RevocationEntry, string]>([
    ['session', ofSession(), 'SESSION_REVOKED'],
    ['user', ofUser(2), 'TOKEN_STALE'],
    ['everyone', ofEveryone(NOW + 1), 'TOKEN_STALE'],
  ])('still knows what was revoked, without the database: %s', async (_what, entry, expected) => {
    store.write(entry);
    await poll();
    letItAge(3600);
    expect(feed.stateOf(token())).toBe(expected);
    expect(store.sessionState).not.toHaveBeenCalled();
  });

  it('counts its age from when the poll was begun, for that is what its answer tells of', async () => {
    store.poll.mockImplementationOnce(async () => {
      clock.seconds += 7;
      return { cursor: '200', incarnation: 'first' };
    });
    await poll();
    expect(feed.ageMs).toBe(7000);
  });

  it('is fresh again with the next poll that is answered', async () => {
    clock.seconds += 11;
    await poll();
    expect(feed.stateOf(token())).toBe('live');
    expect(store.sessionState).not.toHaveBeenCalled();
  });

  it('logs that it cannot read once, and that it can again', async () => {
    letItAge(0);
    for (let i = 0; i < 5; i += 1) await poll();
    expect(logged.lines.map((line) => line.level)).toEqual(['error']);
    store.failure = undefined;
    for (let i = 0; i < 3; i += 1) await poll();
    expect(logged.lines.map((line) => line.level)).toEqual(['error', 'info']);
  });
});

describe('signing keys that have changed', () => {
  it('are loaded once for each time, however often it is read', async () => {
    store.write(ofKeys(NOW + 600));
    await feed.start();
    // A transaction that stays open makes every poll read what came after it.
    store.begin(ofSession(OTHER_SESSION));
    store.write(ofKeys(NOW + 601));
    for (let i = 0; i < 4; i += 1) await poll();
    expect(onKeysChanged).toHaveBeenCalledTimes(2);
    feed.announce([ofKeys(NOW + 602)]);
    await poll();
    expect(onKeysChanged).toHaveBeenCalledTimes(3);
    // Written after the database's clock was set back.
    feed.announce([ofKeys(NOW + 602 - 3600)]);
    await poll();
    expect(onKeysChanged).toHaveBeenCalledTimes(4);
  });
});

describe('what has expired', () => {
  it('is forgotten after a while, when none of its tokens is believed any more', async () => {
    await feed.start();
    feed.announce([ofSession()]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(feed.size).toBe(1);
    // Three hours more, for what a clock that jumped has dated: an hour too early, or an hour too late.
    clock.seconds = 935 + 3 * 3600 - 1;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(feed.stateOf(token())).toBe('SESSION_REVOKED');
    clock.seconds += 1;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(feed.size).toBe(0);
  });
});
