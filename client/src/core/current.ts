import { createBackoff, type Backoff } from './backoff.js';
import { OfflineError, type OfflineReason } from './offline-error.js';
import { UNREADABLE_RECORD, type StoredRecord, type StoredSession } from './record.js';
import type { AuthState, Session, SignedOutReason } from './state.js';
import type { HeldToken, IssuedTokens } from './tokens.js';

/** Of how many refreshes the access tokens are remembered: an answer to an older one comes too late for anybody. */
const MAX_REMEMBERED = 5;

/** The time of one session on this device, or of nobody. All that is known of it goes with it. */
export interface Era {
  /** Aborted when somebody else is signed in, or nobody: what is under way for the one before must not count any more. */
  readonly signal: AbortSignal;
  session?: Session;
  /** The access token to give out. */
  held?: HeldToken | undefined;
  /** The last access tokens of this session, by which an answer is known to be to one of them. */
  accessTokens: readonly string[];
  /** The refresh that is under way. */
  refreshing?: Promise<HeldToken | undefined> | undefined;
}

/** Why there is no access token just now. An OfflineError is one. */
interface Failure {
  readonly reason: OfflineReason;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** Who is signed in here, so far as this process knows, and who wants to be told. */
export interface Current {
  readonly era: Era;
  readonly state: AuthState;
  /** The next try after a fault. */
  readonly retry: Backoff;
  /** Calls `listener` after each change of `state`, and returns what stops it. */
  readonly subscribe: (listener: (state: AuthState) => void) => () => void;
  /** Takes over who is signed in by the record, if that is news. */
  readonly settle: (record: StoredRecord) => void;
  /** Says that a refresh is under way. */
  readonly refreshing: () => void;
  /** Takes over tokens, and whose they are. */
  readonly hold: (tokens: IssuedTokens) => Session;
  readonly leave: (reason: SignedOutReason) => void;
  readonly goOffline: (failure: Failure) => void;
  /** While `state` is offline: why. */
  readonly offline: OfflineError | undefined;
}

/** @param tryAgain is called when the next try after a fault is due. */
export function createCurrent(tryAgain: () => void, closed: AbortSignal): Current {
  const listeners = new Set<readonly [(state: AuthState) => void]>();
  const retry = createBackoff(tryAgain, closed);
  let state: AuthState = { status: 'starting' };
  let end = new AbortController();
  let era: Era = { signal: end.signal, accessTokens: [] };
  let offline: OfflineError | undefined;

  closed.addEventListener('abort', () => {
    listeners.clear();
    end.abort();
  });

  function publish(next: AuthState, why?: OfflineError): void {
    state = next;
    offline = why;
    for (const [listener] of listeners) {
      // What a listener throws is the app's fault: reported as any rejection is, and no reason to stop half-way here.
      void new Promise<void>((resolve) => {
        listener(next);
        resolve();
      });
    }
  }

  function beginEra(): void {
    end.abort();
    end = new AbortController();
    era = { signal: end.signal, accessTokens: [] };
    retry.reset();
  }

  function signedIn({ id, user, scopes, expiresAt }: StoredSession): Session {
    const session = { id, user, scopes, expiresAt };
    era.session = session;
    publish({ status: 'signed-in', session });
    return session;
  }

  function leave(reason: SignedOutReason): void {
    beginEra();
    if (state.status !== 'signed-out') publish({ status: 'signed-out', reason });
  }

  return {
    get era() {
      return era;
    },
    get state() {
      return state;
    },
    get offline() {
      return offline;
    },
    retry,
    subscribe(listener) {
      // Its own, so that one that subscribes twice is called until it has left twice.
      const entry = [listener] as const;
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    settle(record) {
      const { session } = record;
      if (!session) {
        leave(record === UNREADABLE_RECORD ? 'unreadable-record' : 'nobody');
        return;
      }
      if (session.id === era.session?.id) return;
      // While the storage could not be read, it has been theirs all the time.
      if (era.session || state.status === 'signed-out') beginEra();
      signedIn(session);
    },
    refreshing() {
      // From nowhere else: each try of an offline client would flicker otherwise.
      if (state.status === 'signed-in') publish({ status: 'refreshing', session: state.session });
    },
    hold({ held, stored }) {
      if (era.session?.id !== stored.id) beginEra();
      era.held = held;
      era.accessTokens = [held.accessToken, ...era.accessTokens].slice(0, MAX_REMEMBERED);
      retry.reset();
      return signedIn(stored);
    },
    leave,
    goOffline({ reason, retryAfterSeconds, cause }) {
      // Who has signed out is not kept waiting for a keychain.
      if (state.status === 'signed-out') return;
      const retryAt = retry.fail(retryAfterSeconds);
      publish({ status: 'offline', session: era.session, reason, retryAt }, new OfflineError(reason, retryAt, { cause }));
    },
  };
}
