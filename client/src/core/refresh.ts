import { RefreshDocument } from '../operations.js';
import type { TokenStorage } from '../storage/token-storage.js';
import type { Current, Era } from './current.js';
import { unauthenticatedReason, type GraphQLErrorLike } from './faults.js';
import type { Exclusively } from './lock.js';
import { OfflineError } from './offline-error.js';
import type { RecordStore } from './record-store.js';
import { endsSession, offlineReason, type Send } from './send.js';
import { startStopwatch } from './stopwatch.js';
import { parseTokens, type HeldToken } from './tokens.js';

/** A refresh begins so long before the access token expires, or when three quarters of its life are over, whichever is later. */
const REFRESH_AHEAD_MS = 60_000;
/** An access token is not given out in its last moments: it has to reach the server. */
const TRAVEL_MS = 5000;

interface RefreshOptions {
  current: Current;
  store: RecordStore;
  send: Send;
  storage: Pick<TokenStorage, 'name'>;
  exclusively: Exclusively;
  randomId: () => string;
  requestTimeoutMs: number;
}

/** Fetches access tokens and gives them out. Whoever asks gets one of the session that was there then, or none. */
interface Refresh {
  /** `Auth.accessToken`. */
  readonly accessToken: () => Promise<string | undefined>;
  /** `Auth.recover`. */
  readonly recover: (errors: readonly GraphQLErrorLike[], sent: string | undefined) => Promise<string | undefined>;
  /** Fetches the next access token, or joins who does; undefined when there is none to be had: `state` says why. */
  readonly refresh: () => Promise<HeldToken | undefined>;
}

export function createRefresh({ current, store, send, storage, exclusively, randomId, requestTimeoutMs }: RefreshOptions): Refresh {
  async function accessToken(): Promise<string | undefined> {
    const { era, retry } = current;
    const { held } = era;
    if (held && hasLeft(held, TRAVEL_MS, 10)) {
      if (!hasLeft(held, REFRESH_AHEAD_MS, 4) && !retry.isWaiting) void refresh();
      return held.accessToken;
    }
    const fresh = retry.isWaiting ? undefined : await refresh();
    if (era.signal.aborted) return undefined;
    if (!fresh && current.offline) throw current.offline;
    // However short its life.
    return fresh?.accessToken;
  }

  async function recover(errors: readonly GraphQLErrorLike[], sent: string | undefined): Promise<string | undefined> {
    const { era } = current;
    const { session, held } = era;
    const reason = unauthenticatedReason(errors);
    if (reason === undefined || sent === undefined || !era.accessTokens.includes(sent)) return undefined;
    if (reason === 'SESSION_REVOKED') {
      current.leave('session-ended');
      await store
        .change((record) => (record.session?.id === session?.id ? { ...record, session: undefined } : record))
        .catch(() => undefined);
      return undefined;
    }
    // An answer to an older token says nothing of the one that is held now.
    if (held?.accessToken === sent) era.held = undefined;
    return accessToken();
  }

  async function refresh(): Promise<HeldToken | undefined> {
    const { era } = current;
    // Closed.
    if (era.signal.aborted) return undefined;
    return (era.refreshing ??= begin(era).finally(() => {
      era.refreshing = undefined;
    }));
  }

  async function begin(era: Era): Promise<HeldToken | undefined> {
    const { signal } = era;
    current.retry.stop();
    try {
      // The lock saves calls: the server gives all who refresh at once the same successor.
      return await exclusively(storage.name, 2 * requestTimeoutMs, () => exchange(era), signal);
    } catch (error) {
      if (!(error instanceof OfflineError)) throw error;
      if (!signal.aborted) current.goOffline(error);
      return undefined;
    }
  }

  /**
   * Trades the stored refresh token for a new pair. The order makes every moment safe to be interrupted in: the attempt is stored before the call, so
   * that a repetition is known to be one; the new refresh token is stored before the access token that came with it is used.
   */
  async function exchange(era: Era): Promise<HeldToken | undefined> {
    const { signal } = era;
    // A function: what is true before an await need not be after it.
    const isPast = (): boolean => signal.aborted;
    current.refreshing();
    const attempt = { attemptId: randomId() };
    const record = await store.change((found) =>
      isPast() || !found.session || found.session.attemptId !== undefined ? found : { ...found, session: { ...found.session, ...attempt } },
    );
    if (isPast()) return undefined;
    current.settle(record);
    if (!record.session || isPast()) return undefined;

    const { refreshToken, attemptId } = record.session;
    const elapsedMs = startStopwatch();
    const ask = () => send(RefreshDocument, { input: { refreshToken, attemptId } }, { signal });
    let reply = await ask();
    // A connection that died while the device slept fails at once, and a new one works.
    if (reply.fault?.code === 'NETWORK' && elapsedMs() < requestTimeoutMs && !isPast()) reply = await ask();
    if (isPast()) return undefined;
    const tokens = reply.data && parseTokens(reply.data, elapsedMs);
    if (!tokens && !(reply.fault && endsSession(reply))) {
      current.goOffline({ ...reply.fault, reason: offlineReason(reply.fault) });
      return undefined;
    }

    let isStillOurs = false as boolean;
    const replaced = store.change((found) => {
      isStillOurs = !isPast() && found.session?.refreshToken === refreshToken;
      return isStillOurs ? { ...found, session: tokens?.stored } : found;
    });
    await replaced.catch((error: unknown) => {
      // A verdict stands, whatever the storage says: a record that is left is refused again, and removed then.
      if (tokens || !isStillOurs) throw error;
    });
    if (isPast()) return undefined;
    // Someone has gone on without the lock: their token is at least as new, and no verdict on ours is one on theirs.
    if (!isStillOurs) return exchange(era);
    if (tokens) current.hold(tokens);
    else current.leave('session-ended');
    return tokens?.held;
  }

  return { accessToken, recover, refresh };
}

/** Whether more is left of a token's life than a time, or than one part of so many. */
function hasLeft({ elapsedMs, lifetimeMs }: HeldToken, reserveMs: number, part: number): boolean {
  return elapsedMs() < lifetimeMs - Math.min(reserveMs, lifetimeMs / part);
}
