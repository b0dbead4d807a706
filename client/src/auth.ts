import { createBackoff } from './core/backoff.js';
import { createBearerFetch } from './core/bearer-fetch.js';
import { elapsedMs, now } from './core/elapsed.js';
import { unauthenticatedReason, type Fault, type FieldFault, type GraphQLErrorLike } from './core/faults.js';
import { createTurns, webLock, type Lock } from './core/lock.js';
import { OfflineError, type OfflineReason } from './core/offline-error.js';
import { defaultRandomId } from './core/random-id.js';
import { EMPTY_RECORD, parseRecord, printRecord, withoutSession, type StoredRecord, type StoredSession } from './core/record.js';
import { createSend, type Reply } from './core/send.js';
import type { AuthState, Session, SignedOutReason } from './core/state.js';
import { parseTokens, type HeldToken, type IssuedTokens } from './core/tokens.js';
import {
  LoginDocument,
  LogoutDocument,
  RefreshDocument,
  RegisterDocument,
  type DeviceInput,
  type LoginInput,
  type RegisterInput,
  type SessionSelection,
} from './operations.js';
import type { TokenStorage } from './storage/token-storage.js';

export interface AuthOptions {
  /** The address of the GraphQL API, such as `https://api.example.com/graphql`. Access tokens go to its origin and nowhere else. */
  readonly endpoint: string;
  /** Where the refresh token is kept: one of the adapters, or your own. One session per storage. */
  readonly storage: TokenStorage;
  /** This device, as its owner will see it in the list of sessions. */
  readonly device?: DeviceInput | undefined;
  /** Used for every call, in place of the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Keeps apart the processes that share the storage, in place of the storage's own lock and of `navigator.locks`. */
  readonly lock?: Lock | undefined;
  /** Makes an id that nobody can guess. Needed where the platform has no `crypto`, as in React Native: expo-crypto's `randomUUID`, say. */
  readonly randomId?: (() => string) | undefined;
  /** How long to wait for an answer to login, register, refresh and logout: 15,000 by default. */
  readonly requestTimeoutMs?: number | undefined;
}

export type SignInResult = { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly error: SignInError };

export interface SignInError {
  /** OFFLINE: no answer came, or the storage failed; the same call can succeed later. UNEXPECTED: client and server do not understand each other. */
  readonly code: 'INVALID_CREDENTIALS' | 'BAD_USER_INPUT' | 'CONFLICT' | 'RATE_LIMITED' | 'OFFLINE' | 'UNEXPECTED';
  /** For people. */
  readonly message: string;
  /** EMAIL_TAKEN or USERNAME_TAKEN with CONFLICT; with OFFLINE, an OfflineReason. */
  readonly reason: string | undefined;
  /** With BAD_USER_INPUT: what was refused. */
  readonly fields: readonly FieldFault[];
  /** With RATE_LIMITED, and perhaps with OFFLINE. */
  readonly retryAfterSeconds: number | undefined;
}

export interface LogoutResult {
  /** Nothing that could sign in is left on this device. False: the storage failed, and the kit goes on trying while the program runs. */
  readonly forgotten: boolean;
  /**
   * The server has confirmed that this session is over; with `everywhere`, the others are too, unless this one had ended before. False: it was not
   * reached, and is told later, if need be when the program starts again.
   */
  readonly revoked: boolean;
}

/**
 * Keeps one user of an app signed in.
 *
 * The refresh token is in the storage only, the access token in memory only, and neither is ever written to a log. Methods need no `this`.
 */
export interface Auth {
  readonly state: AuthState;
  /** Calls `listener` after each change of `state`, and returns what stops it. */
  readonly subscribe: (listener: (state: AuthState) => void) => () => void;
  /** Resolves when the storage was first read, or could not be: `state` is no longer `starting`. */
  readonly ready: Promise<void>;
  /** Makes an account and signs it in. A session that was open before on this device is revoked. */
  readonly register: (input: Omit<RegisterInput, 'device'>) => Promise<SignInResult>;
  /** Signs in by e-mail address or username. A session that was open before on this device is revoked. */
  readonly login: (input: Omit<LoginInput, 'device'>) => Promise<SignInResult>;
  /** Signs out here at once, network or not, and tells the server; `everywhere` ends every session of the user. Never rejects. */
  readonly logout: (options?: { readonly everywhere?: boolean }) => Promise<LogoutResult>;
  /**
   * The access token to send now, refreshed first when its time is over; undefined when nobody is signed in. Ask for it before each request, and do
   * not keep it.
   *
   * @throws {OfflineError} when a session may be there but no token can be had just now.
   */
  readonly accessToken: () => Promise<string | undefined>;
  /** Refreshes now, or tries to: when the network is back, say. A call while a refresh is under way joins it. Never rejects for being offline. */
  readonly refresh: () => Promise<void>;
  /**
   * Does what the errors of a GraphQL answer call for, and tells whether to send the operation once more, with the access token of then. For
   * transports other than `fetch`. `sent` is the access token that was sent.
   *
   * @throws {OfflineError} when a refresh would help, and cannot be had just now.
   */
  readonly recover: (errors: readonly GraphQLErrorLike[], sent: string | undefined) => Promise<boolean>;
  /**
   * `fetch` with the bearer, for requests to the endpoint's origin that carry no Authorization header of their own. Sends once more after a refresh
   * when the answer is UNAUTHENTICATED for a reason that a refresh cures.
   *
   * @throws {OfflineError} as `accessToken` does; and what `fetch` throws.
   */
  readonly fetch: typeof globalThis.fetch;
  /** Stops timers and listeners, for tests and for apps that come and go. The session stays. */
  readonly close: () => void;
}

type LoadedRecord = StoredRecord & { readonly isUnreadable: boolean };

const REQUEST_TIMEOUT_MS = 15_000;

/** A refresh begins so long before the access token expires, or when three quarters of its life are over, whichever is later. */
const REFRESH_AHEAD_MS = 60_000;
/** An access token is not given out in its last moments: it has to reach the server. */
const TRAVEL_MS = 5000;

export function createAuth(options: AuthOptions): Auth {
  const { endpoint, storage, device, requestTimeoutMs: timeoutMs = REQUEST_TIMEOUT_MS } = options;
  const fetch: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const randomId = options.randomId ?? defaultRandomId();
  const send = createSend({ endpoint, fetch, timeoutMs });
  const { inTurn, exclusively } = createTurns({
    name: `latchkey:${storage.name}`,
    lock: options.lock ?? storage.lock ?? webLock(),
    patienceMs: 2 * timeoutMs,
  });

  const listeners = new Set<(state: AuthState) => void>();
  let state: AuthState = { status: 'starting' };
  /** Who is signed in; the storage has more. */
  let session: Session | undefined;
  let held: HeldToken | undefined;
  /** Aborted when somebody else is signed in, or nobody: what is under way for the one before must not count any more. */
  let era = new AbortController();
  let refreshing: Promise<void> | undefined;
  /** What the storage said when it failed last. */
  let offlineCause: unknown;
  /** A logout that the storage has not taken in yet. */
  let unfinished: { readonly sessionId: string | undefined; readonly sessions: SessionSelection } | undefined;

  const retry = createBackoff(() => void refresh());
  const chores = createBackoff(() => void doChores());

  // --- state ---

  function publish(next: AuthState): void {
    state = next;
    for (const listener of listeners) {
      // What a listener throws is the app's fault: reported as any rejection is, and no reason to stop half-way here.
      void new Promise<void>((resolve) => {
        listener(next);
        resolve();
      });
    }
  }

  function newEra(): void {
    era.abort();
    era = new AbortController();
    refreshing = undefined;
    retry.reset();
  }

  /** Takes over who is signed in by the record. */
  function adopt({ id, user, scopes, expiresAt }: StoredSession): Session {
    if (held?.sessionId !== id) held = undefined;
    session = { id, user, scopes, expiresAt };
    return session;
  }

  function leave(reason: SignedOutReason): void {
    newEra();
    held = undefined;
    session = undefined;
    if (state.status !== 'signed-out') publish({ status: 'signed-out', reason });
  }

  function goOffline(reason: OfflineReason, retryAfterSeconds?: number, cause?: unknown): void {
    // Who has signed out is not kept waiting for a keychain.
    if (state.status === 'signed-out') return;
    offlineCause = cause;
    publish({ status: 'offline', session, reason, retryAt: retry.fail(retryAfterSeconds) });
  }

  // --- storage ---

  async function guarded<T>(access: () => Promise<T>): Promise<T> {
    try {
      return await access();
    } catch (cause) {
      throw new OfflineError('storage', 0, { cause });
    }
  }

  async function read(): Promise<LoadedRecord> {
    const text = await guarded(() => storage.read());
    const record = text === undefined ? EMPTY_RECORD : parseRecord(text);
    return { ...(record ?? EMPTY_RECORD), isUnreadable: record === undefined };
  }

  async function write(record: StoredRecord): Promise<void> {
    const text = printRecord(record);
    await guarded(() => (text === undefined ? storage.remove() : storage.write(text)));
  }

  /** Reads the record, after finishing a logout that could not be written when it was asked for. */
  async function load(): Promise<LoadedRecord> {
    const record = await read();
    if (unfinished === undefined) return record;
    const { sessionId, sessions } = unfinished;
    const isMeant = record.session !== undefined && (sessionId === undefined || record.session.id === sessionId);
    const left = isMeant ? withoutSession(record, sessions) : record;
    if (isMeant || record.isUnreadable) await write(left);
    unfinished = undefined;
    return { ...left, isUnreadable: false };
  }

  // --- refresh ---

  function refresh(): Promise<void> {
    if (refreshing !== undefined) return refreshing;
    const mine = refreshOnce().finally(() => {
      if (refreshing === mine) refreshing = undefined;
    });
    return (refreshing = mine);
  }

  async function refreshOnce(): Promise<void> {
    await ready;
    retry.stop();
    const { signal } = era;
    try {
      await exclusively(() => exchange(signal), signal);
    } catch (error) {
      if (!(error instanceof OfflineError)) throw error;
      if (!signal.aborted) goOffline(error.reason, undefined, error.cause);
    }
  }

  /**
   * Trades the stored refresh token for a new pair. The order makes every moment safe to be interrupted in: the attempt is stored before the call, so
   * that a repetition is known to be one; the new refresh token is stored before the access token that came with it is used.
   */
  async function exchange(signal: AbortSignal): Promise<void> {
    // A function: what is true before an await need not be after it.
    const isPast = (): boolean => signal.aborted;
    const record = await load();
    if (isPast()) return;
    const stored = record.session;
    if (stored === undefined) {
      settle(record);
      return;
    }
    const known = adopt(stored);
    // Each try of an offline client would flicker otherwise.
    if (state.status !== 'offline') publish({ status: 'refreshing', session: known });
    const attemptId = stored.attemptId ?? randomId();
    if (stored.attemptId === undefined) await write({ ...record, session: { ...stored, attemptId } });

    const since = now();
    const ask = () => send(RefreshDocument, { input: { refreshToken: stored.refreshToken, attemptId } }, { signal });
    let reply = await ask();
    // A connection that died while the device slept fails at once, and a new one works.
    if (reply.fault?.code === 'NETWORK' && elapsedMs(since) < timeoutMs && !isPast()) reply = await ask();
    if (isPast()) return;
    const tokens = reply.kind === 'data' ? parseTokens(reply.data, since) : undefined;
    if (tokens === undefined && !endsSession(reply)) {
      goOffline(offlineReason(reply.fault), reply.fault?.retryAfterSeconds);
      return;
    }

    const latest = await read();
    if (isPast()) return;
    // Someone has gone on without the lock: their token is at least as new, and no verdict on ours is one on theirs.
    if (latest.session?.refreshToken !== stored.refreshToken) return exchange(signal);
    if (tokens === undefined) {
      // The verdict stands, whatever the storage says: a record that is left is refused again, and removed then.
      await write({ ...latest, session: undefined }).catch(() => undefined);
      if (!isPast()) leave('session-ended');
      return;
    }
    await write({ ...latest, session: tokens.stored });
    if (!isPast()) hold(tokens);
  }

  function hold(tokens: IssuedTokens): Session {
    held = tokens.held;
    retry.reset();
    const current = adopt(tokens.stored);
    publish({ status: 'signed-in', session: current });
    return current;
  }

  // --- signing in and out ---

  async function signIn(document: string, input: object): Promise<SignInResult> {
    await ready;
    const since = now();
    const reply = await send(document, { input: device === undefined ? input : { ...input, device } });
    if (reply.kind !== 'data') return { ok: false, error: toSignInError(reply) };
    const tokens = parseTokens(reply.data, since);
    if (tokens === undefined) return { ok: false, error: { ...NO_FAULT, code: 'UNEXPECTED', message: 'The server gave no tokens.' } };
    try {
      return { ok: true, session: await exclusively(() => begin(tokens)) };
    } catch (error) {
      if (!(error instanceof OfflineError)) throw error;
      // A session that cannot be kept is not left open at the server.
      await send(LogoutDocument, { input: { refreshToken: tokens.stored.refreshToken } });
      return { ok: false, error: { ...NO_FAULT, code: 'OFFLINE', message: 'The session could not be stored.', reason: error.reason } };
    }
  }

  async function begin(tokens: IssuedTokens): Promise<Session> {
    // A record that cannot be read any more must not keep its owner from signing in anew.
    const before = await load().catch(() => EMPTY_RECORD);
    const { revocations } = withoutSession(before, 'THIS_SESSION');
    await write({ session: tokens.stored, revocations });
    unfinished = undefined;
    newEra();
    if (revocations.length > 0) void doChores();
    return hold(tokens);
  }

  async function logout({ everywhere = false }: { readonly everywhere?: boolean } = {}): Promise<LogoutResult> {
    await ready;
    const bearer = held?.accessToken;
    const sessions = everywhere ? 'ALL_SESSIONS' : 'THIS_SESSION';
    unfinished = { sessionId: session?.id, sessions };
    leave('logged-out');
    try {
      // Not under the lock: whoever holds it may be waiting for the network, and this must not.
      return { forgotten: true, revoked: await doChores((await inTurn(load)).revocations) };
    } catch {
      // Unreadable, but perhaps it can be removed. Then only the access token is left to name the session to the server.
      const forgotten = await inTurn(() => storage.remove()).then(
        () => true,
        () => false,
      );
      if (forgotten) unfinished = undefined;
      else chores.fail();
      const reply = bearer === undefined ? undefined : await send(LogoutDocument, { input: { sessions } }, { accessToken: bearer });
      return { forgotten, revoked: reply?.kind === 'data' };
    }
  }

  /**
   * Tells the server of logouts that it does not know of; true when none is left. Of `known`, whatever the storage says: another program that was about
   * to write may have put the session back.
   */
  async function doChores(known: StoredRecord['revocations'] = []): Promise<boolean> {
    try {
      for (;;) {
        const [revocation] = [...known, ...(await inTurn(load)).revocations];
        if (revocation === undefined) break;
        const reply = await send(LogoutDocument, { input: { ...revocation } });
        if (reply.kind === 'unavailable') {
          chores.fail(reply.fault.retryAfterSeconds);
          return false;
        }
        const isLeft = ({ refreshToken }: { refreshToken: string }): boolean => refreshToken !== revocation.refreshToken;
        known = known.filter(isLeft);
        await inTurn(async () => {
          const record = await load();
          await write({ ...record, revocations: record.revocations.filter(isLeft) });
        });
      }
    } catch {
      chores.fail();
      return false;
    }
    chores.reset();
    return true;
  }

  /** The server has ended the session that is held. */
  async function endSession(): Promise<void> {
    const endedId = session?.id;
    leave('session-ended');
    await inTurn(async () => {
      const record = await load();
      if (record.session?.id === endedId) await write({ ...record, session: undefined });
    }).catch(() => undefined);
  }

  // --- using it ---

  /** The token that is held, if so much of its life is left. */
  function alive(reserveMs: (lifetimeMs: number) => number): HeldToken | undefined {
    return held !== undefined && elapsedMs(held.since) < held.lifetimeMs - reserveMs(held.lifetimeMs) ? held : undefined;
  }

  async function accessToken(): Promise<string | undefined> {
    await ready;
    const usable = alive((lifetimeMs) => Math.min(TRAVEL_MS, lifetimeMs / 10));
    if (usable !== undefined) {
      const isDue = alive((lifetimeMs) => Math.min(REFRESH_AHEAD_MS, lifetimeMs / 4)) === undefined;
      if (isDue && !retry.isWaiting) void refresh();
      return usable.accessToken;
    }
    held = undefined;
    if (!retry.isWaiting) await refresh();
    return freshToken();
  }

  /** What a refresh has just brought, however short its life. */
  function freshToken(): Promise<string | undefined> | string | undefined {
    if (held !== undefined) return held.accessToken;
    if (state.status === 'offline') throw new OfflineError(state.reason, state.retryAt, { cause: offlineCause });
    // Someone else was signed in meanwhile.
    return session === undefined ? undefined : accessToken();
  }

  async function recover(errors: readonly GraphQLErrorLike[], sent: string | undefined): Promise<boolean> {
    const reason = unauthenticatedReason(errors);
    if (reason === undefined) return false;
    // An answer to an older token says nothing of the one that is held now.
    const isCurrent = sent !== undefined && sent === held?.accessToken;
    if (reason === 'SESSION_REVOKED') {
      if (isCurrent) await endSession();
      return false;
    }
    if (isCurrent) held = undefined;
    const fresh = await accessToken();
    return fresh !== undefined && fresh !== sent;
  }

  /** Someone who shares the storage has changed it. Not in turn: a refresh that waits for the network must not hide it. */
  async function follow(): Promise<void> {
    const record = await read();
    if (unfinished !== undefined) return;
    if (record.session !== undefined && record.session.id === session?.id) return;
    newEra();
    settle(record);
  }

  function settle(record: LoadedRecord): void {
    if (record.session === undefined) leave(record.isUnreadable ? 'unreadable-record' : 'nobody');
    else publish({ status: 'signed-in', session: adopt(record.session) });
  }

  async function start(): Promise<void> {
    try {
      const record = await read();
      settle(record);
      if (record.revocations.length > 0) void doChores();
    } catch (error) {
      goOffline('storage', undefined, error instanceof OfflineError ? error.cause : error);
    }
  }

  const ready = inTurn(start);
  const unwatch = storage.watch?.(() => void ready.then(follow).catch(() => undefined));

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      // A function of its own, so that one that subscribes twice is called until it has left twice.
      const entry = (next: AuthState): void => {
        listener(next);
      };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    ready,
    register: (input) => signIn(RegisterDocument, input),
    login: (input) => signIn(LoginDocument, input),
    logout,
    accessToken,
    refresh,
    recover,
    fetch: createBearerFetch({ endpoint, fetch, accessToken, recover }),
    close() {
      listeners.clear();
      unwatch?.();
      newEra();
      chores.stop();
    },
  };
}

/** The only two words of the server that end a session. */
function endsSession({ kind, fault }: Reply): boolean {
  return kind === 'refused' && (fault.code === 'INVALID_REFRESH_TOKEN' || fault.reason === 'SESSION_REVOKED');
}

function offlineReason(fault: Fault | undefined): OfflineReason {
  if (fault?.code === 'NETWORK') return 'network';
  return fault?.code === 'RATE_LIMITED' ? 'rate-limited' : 'server';
}

const NO_FAULT = { reason: undefined, fields: [], retryAfterSeconds: undefined } as const;

const REFUSALS = ['INVALID_CREDENTIALS', 'BAD_USER_INPUT', 'CONFLICT', 'RATE_LIMITED'] as const;

function toSignInError({ kind, fault }: Exclude<Reply, { kind: 'data' }>): SignInError {
  const code = REFUSALS.find((known) => known === fault.code);
  if (code !== undefined) return { ...fault, code };
  return kind === 'refused' ? { ...fault, code: 'UNEXPECTED' } : { ...fault, code: 'OFFLINE', reason: offlineReason(fault) };
}
