import { createBearerFetch } from './core/bearer-fetch.js';
import { createCurrent } from './core/current.js';
import type { GraphQLErrorLike } from './core/faults.js';
import { createExclusively, webLock, type Lock } from './core/lock.js';
import type { OfflineError } from './core/offline-error.js';
import { defaultRandomId } from './core/random-id.js';
import { createRecordStore } from './core/record-store.js';
import { createRefresh } from './core/refresh.js';
import { createSend } from './core/send.js';
import { createSigning, type LogoutResult, type SignInResult } from './core/signing.js';
import type { AuthState } from './core/state.js';
import { LoginDocument, RegisterDocument, type DeviceInput, type LoginInput, type RegisterInput } from './operations.js';
import type { TokenStorage } from './storage/token-storage.js';

export interface AuthOptions {
  /** The address of the GraphQL API, such as `https://api.example.com/graphql`, or its path in the page. Access tokens go to its origin and nowhere else. */
  readonly endpoint: string;
  /** Where the refresh token is kept: one of the adapters, or your own. One session per storage. */
  readonly storage: TokenStorage;
  /** This device, as its owner will see it in the list of sessions. */
  readonly device?: DeviceInput | undefined;
  /** Used for every call, in place of the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * Keeps apart the processes that share the storage, in place of the storage's own lock and of `navigator.locks`. It has to keep names apart: one is
   * asked for while another is held.
   */
  readonly lock?: Lock | undefined;
  /** Makes an id that nobody can guess. Needed where the platform has no `crypto`, as in React Native: expo-crypto's `randomUUID`, say. */
  readonly randomId?: (() => string) | undefined;
  /** How long to wait for an answer to login, register, refresh and logout: 15,000 by default. */
  readonly requestTimeoutMs?: number | undefined;
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
   * The access token to send now, refreshed first when its time is over; undefined when nobody is signed in, or somebody else by the time that it is
   * there: no request goes out as another user than the one it was made for. Ask for it before each request, and do not keep it.
   *
   * @throws {OfflineError} when a session may be there but no token can be had just now.
   */
  readonly accessToken: () => Promise<string | undefined>;
  /** Refreshes now, or tries to: when the network is back, say. A call while a refresh is under way joins it. Never rejects for being offline. */
  readonly refresh: () => Promise<void>;
  /**
   * Does what the errors of a GraphQL answer call for, and gives the access token to send the operation with once more; undefined when it is not to
   * be sent again, by the same session at least. For transports other than `fetch`. `sent` is the access token that was sent.
   *
   * @throws {OfflineError} when a refresh would help, and cannot be had just now.
   */
  readonly recover: (errors: readonly GraphQLErrorLike[], sent: string | undefined) => Promise<string | undefined>;
  /**
   * `fetch` with the bearer, for requests to the endpoint's origin that carry no Authorization header of their own. Sends once more after a refresh
   * when the answer is UNAUTHENTICATED for a reason that a refresh cures. A `signal` ends the request, and not the wait for an access token before it,
   * which others share and `requestTimeoutMs` bounds.
   *
   * @throws {OfflineError} as `accessToken` does; and what `fetch` throws.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Ends what is under way, with its timers and listeners: for tests, and for apps that come and go. The session stays, and so does a logout that the
   * server has not confirmed, until the program is started again.
   */
  readonly close: () => void;
}

const REQUEST_TIMEOUT_MS = 15_000;

export function createAuth(options: AuthOptions): Auth {
  const { storage } = options;
  const closing = new AbortController();
  const closed = closing.signal;
  const given = {
    ...options,
    fetch: options.fetch ?? ((...request: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...request)),
    exclusively: createExclusively(options.lock ?? storage.lock ?? webLock()),
    randomId: options.randomId ?? defaultRandomId(),
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    closed,
  };
  const send = createSend(given);
  const store = createRecordStore(given);
  const current = createCurrent(() => void refresh(), closed);
  const parts = { ...given, send, store, current };
  const { accessToken, recover, refresh } = createRefresh(parts);
  const { signIn, logout, report } = createSigning(parts);

  const ready = store.change().then(
    (record) => {
      current.settle(record);
      void report(record.revocations);
    },
    (error: unknown) => {
      current.goOffline(error as OfflineError);
      void report();
    },
  );
  const unwatch = storage.watch?.(() => void ready.then(() => store.change()).then(current.settle, () => undefined));

  const whenReady =
    <Given extends unknown[], Answer>(call: (...given: Given) => Promise<Answer>) =>
    async (...given: Given): Promise<Answer> => {
      await ready;
      return call(...given);
    };
  const auth = {
    accessToken: whenReady(accessToken),
    recover: whenReady(recover),
  };

  return {
    get state() {
      return current.state;
    },
    subscribe: current.subscribe,
    ready,
    register: whenReady((input) => signIn(RegisterDocument, input)),
    login: whenReady((input) => signIn(LoginDocument, input)),
    logout: whenReady(logout),
    ...auth,
    refresh: whenReady(async () => {
      await refresh();
    }),
    fetch: createBearerFetch({ ...given, ...auth }),
    close() {
      unwatch?.();
      closing.abort();
    },
  };
}
