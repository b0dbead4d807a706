import { LRUCache } from 'lru-cache';

import type { Clock } from '../clock.js';
import { AuthError } from '../errors.js';
import type { Logger } from '../log.js';
import {
  BEGINNING,
  REVOCATION_MARGIN_SECONDS,
  type RevocationEntry,
  type RevocationPoll,
  type RevocationReceiver,
  type RevocationStore,
  type SessionState,
} from '../persistence/revocation.store.js';
import type { AccessTokenClaims } from '../tokens/access-token.js';
import { createWorkQueue } from '../work-queue.js';
import { ALL_VERSIONS, createRevocationIndex, type RevocationIndex } from './revocation-index.js';

const POLL_INTERVAL_MS = 1000;
const PURGE_INTERVAL_MS = 60_000;
/** An older feed is not to be trusted: the session's row is read instead. */
const STALE_AFTER_MS = 10_000;
/** How long what that row said is believed: the bound that revocation promises. */
const FALLBACK_BOUND_MS = 1000;
const FALLBACK_SESSIONS = 50_000;
/** Rows read at once: the next poll, which ends the need for them, must not wait behind them for a connection. */
export const FALLBACK_READS = 4;
/** Who waits behind so many is told at once. */
const FALLBACK_QUEUE = 2000;

export type TokenState = 'live' | 'SESSION_REVOKED' | 'TOKEN_STALE';

/** What every replica knows of revocations, held in memory. */
export interface RevocationFeed {
  /** Loads every live entry: nothing may be served before. Then polls each second. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Polls as soon as it can: someone hinted that there is something. */
  hint(): void;
  /** Hints to the other replicas to poll, or waits for a hint that is under way. Never rejects. */
  notify(): Promise<void>;
  /** Applies what this replica itself has just revoked, at once, and hints to the others. */
  announce(entries: readonly RevocationEntry[]): void;
  /**
   * Whether a verified token is still to be believed.
   *
   * Reads memory alone while the feed is fresh. When it is older than 10 s, the session's row decides, with what concerns everyone, read once for
   * all who ask at the same time and believed for a second.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE, as a rejection, when the feed is stale and the database does not answer: never a verdict.
   */
  stateOf(claims: AccessTokenClaims): TokenState | Promise<TokenState>;
  /**
   * Whether every live entry was loaded, and from this incarnation of the database if one is named: not before the first load, and not while there
   * is in memory what another one knew.
   */
  isLoadedFrom(incarnation?: string): boolean;
  /** How long ago the database last said what is revoked. */
  readonly ageMs: number;
  readonly size: number;
}

interface RevocationFeedOptions {
  store: RevocationStore;
  clock: Clock;
  log: Logger;
  /** Called when the signing keys must be loaded again. */
  onKeysChanged: () => void;
}

export function createRevocationFeed({ store, clock, log, onKeysChanged }: RevocationFeedOptions): RevocationFeed {
  let index = createRevocationIndex();
  /** What takes its place when another database has been read. */
  let successor: RevocationIndex | undefined;
  /** Tokens issued before it are dead, whosesoever. */
  let globalMinimum = 0;
  /** The entries of changed keys that were seen, by their expiry. */
  const keyChanges = new Set<number>();
  let cursor = BEGINNING;
  let incarnation: string | undefined;
  /** When the last poll that was answered was begun, by the monotonic clock. */
  let freshAt: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let purgeTimer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let pollAgain = false;
  let notifying: Promise<void> | undefined;
  const fallbackReads = createWorkQueue({ concurrency: FALLBACK_READS, queueLimit: FALLBACK_QUEUE });
  const fallback = new LRUCache<string, Promise<SessionState | undefined>>({
    max: FALLBACK_SESSIONS,
    ttl: FALLBACK_BOUND_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() },
  });

  const ageMs = () => (freshAt === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() - freshAt);

  const apply = ({ kind, key, minimumVersion, expiresAt }: RevocationEntry): void => {
    switch (kind) {
      case 'session':
      case 'user':
        if (key !== null) for (const known of [index, successor]) known?.raise(key, minimumVersion ?? ALL_VERSIONS, expiresAt);
        return;
      case 'global':
        globalMinimum = Math.max(globalMinimum, minimumVersion ?? 0);
        return;
      case 'keys':
        // Each such entry is seen by several polls, and counts once.
        if (keyChanges.has(expiresAt)) return;
        keyChanges.add(expiresAt);
        onKeysChanged();
    }
  };

  const into = (target: RevocationIndex): RevocationReceiver => ({
    packed: (entries) => {
      target.raisePacked(entries);
    },
    forEveryone: apply,
  });

  /**
   * Reads everything of another server, or of one whose transactions went back: what it lost or gained may lie before the cursor. A session that has
   * ended stays so, whatever it says; a user's version that it never reached does not, or its tokens would be stale however often they are refreshed.
   */
  const readAnew = async (): Promise<RevocationPoll> => {
    successor = createRevocationIndex();
    try {
      successor.raisePacked(index.packedEndings());
      const poll = await store.poll(BEGINNING, into(successor));
      index = successor;
      return poll;
    } finally {
      successor = undefined;
    }
  };

  const readOnce = async (): Promise<void> => {
    const begunAt = clock.monotonic();
    let poll = await store.poll(cursor, into(index));
    if (incarnation !== undefined && (poll.incarnation !== incarnation || BigInt(poll.cursor) < BigInt(cursor))) {
      log.warn('the database restarted or was replaced: every revocation is loaded again');
      poll = await readAnew();
    }
    ({ cursor, incarnation } = poll);
    freshAt = begunAt;
  };

  const poll = (): Promise<void> => {
    if (polling !== undefined) {
      pollAgain = true;
      return polling;
    }
    polling = readOnce().finally(() => {
      polling = undefined;
      if (!pollAgain) return;
      pollAgain = false;
      pollAndLog();
    });
    return polling;
  };

  let failing = false;
  const pollAndLog = (): void => {
    poll().then(
      () => {
        if (failing) log.info('revocations are read again');
        failing = false;
      },
      (error: unknown) => {
        if (!failing) log.error({ err: error }, 'revocations cannot be read: sessions are checked one by one when that lasts');
        failing = true;
      },
    );
  };

  const notify = (): Promise<void> =>
    (notifying ??= store
      .notify()
      .catch((error: unknown) => {
        log.warn({ err: error }, 'other replicas could not be notified: they will see it at their next poll');
      })
      .finally(() => (notifying = undefined)));

  const stateFromRow = async ({ sessionId, userVersion, issuedAt }: AccessTokenClaims): Promise<TokenState> => {
    let reading = fallback.get(sessionId);
    if (reading === undefined) {
      reading = fallbackReads.run(() => store.sessionState(sessionId));
      if (reading === undefined)
        throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the revocation feed is stale, and too many sessions are read');
      fallback.set(sessionId, reading);
      reading.catch(() => fallback.delete(sessionId));
    }
    try {
      const state = await reading;
      if (state?.isLive !== true) return 'SESSION_REVOKED';
      state.forEveryone.forEach(apply);
      return userVersion < state.userVersion || issuedAt < globalMinimum ? 'TOKEN_STALE' : 'live';
    } catch (error) {
      throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the revocation feed is stale and the session cannot be read', { cause: error });
    }
  };

  return {
    async start() {
      await poll();
      timer ??= setInterval(pollAndLog, POLL_INTERVAL_MS).unref();
      purgeTimer ??= setInterval(() => {
        // By the clock that the tokens' exp is checked with, and with the margin for what another clock has dated.
        index.purge(clock.now() / 1000 - REVOCATION_MARGIN_SECONDS);
      }, PURGE_INTERVAL_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      clearInterval(purgeTimer);
      timer = purgeTimer = undefined;
      pollAgain = false;
      await polling?.catch(() => undefined);
    },
    hint: pollAndLog,
    notify,
    announce(entries) {
      if (entries.length === 0) return;
      entries.forEach(apply);
      void notify();
    },
    stateOf(claims) {
      // What is known to be revoked stays so, however old the feed is.
      if (index.minimumVersion(claims.sessionId) > 0) return 'SESSION_REVOKED';
      if (claims.userVersion < index.minimumVersion(claims.subject) || claims.issuedAt < globalMinimum) return 'TOKEN_STALE';
      return ageMs() <= STALE_AFTER_MS ? 'live' : stateFromRow(claims);
    },
    isLoadedFrom: (asked = incarnation) => incarnation !== undefined && incarnation === asked,
    get ageMs() {
      return ageMs();
    },
    get size() {
      return index.size;
    },
  };
}
