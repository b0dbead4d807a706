import type { Auth } from '../auth.js';
import { OfflineError } from '../core/offline-error.js';
import type { AuthState } from '../core/state.js';

/** The part of graphql-ws's `ClientOptions` that is about who connects. */
export interface ConnectionOptions {
  readonly connectionParams: () => Promise<{ authorization: string } | undefined>;
  readonly on: {
    readonly connecting: (isRetry: boolean) => void;
    readonly opened: (socket: unknown) => void;
    readonly closed: (event: unknown) => void;
  };
}

/** Close codes of graphql-transport-ws. Its client gives up after the first, and connects again after the second. */
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;
/** Ours, of those that RFC 6455 section 7.4.2 leaves to applications: graphql-ws connects again after it. */
const OFFLINE = 4503;
const OVER = 'Not signed in as before';

/** Whose a socket is: a session's, or nobody's. */
type Owner = string | typeof NOBODY;
const NOBODY = Symbol('nobody');

/**
 * Options for graphql-ws's `createClient`, so that a socket is its session's: `createClient({ url, ...createConnectionOptions(auth) })`. Each client
 * needs options of its own.
 *
 * The access token is sent as `authorization` in the connection's parameters, as it is in HTTP's header; nobody signed in, no parameters. A new one is
 * fetched for each connection, and one that the server has closed a socket for (4401, 4403) is not sent again. When the session ends, or another
 * begins, the socket is closed with 4401: graphql-ws gives up on its subscriptions, and nothing of one user goes on as another, or as nobody.
 *
 * While no access token can be had, the socket is closed with 4503, and graphql-ws tries again as often as its `retryAttempts` says. Listeners of your
 * own go to the client: `client.on('connected', …)`.
 */
export function createConnectionOptions(auth: Auth): ConnectionOptions {
  /** Whose the subscriptions are; undefined while that cannot be known. */
  let owner: Owner | undefined;
  let sent: string | undefined;
  let opened: WebSocket;
  let stopFollowing = (): void => undefined;

  /** Whether the subscriptions may go on. Where it was not known yet whose they are, it is whoever is there first. */
  const isOwners = (state: AuthState): boolean => {
    const now = ownerBy(state);
    owner ??= now;
    return owner === now || now === undefined;
  };

  return {
    async connectionParams() {
      // Of this attempt, whatever is opened while it waits.
      const socket = opened;
      await auth.ready;
      const token = isOwners(auth.state) ? await auth.accessToken().catch(offlineOrThrow) : undefined;
      // An attempt that fails closes its socket. If it threw, graphql-ws would not wait for the end, and take it for that of the next socket.
      if (token instanceof OfflineError) socket.close(OFFLINE, 'Offline');
      else if (!isOwners(auth.state)) socket.close(UNAUTHORIZED, OVER);
      else if (token !== undefined) {
        sent = token;
        return { authorization: `Bearer ${token}` };
      }
      return undefined;
    },
    on: {
      connecting(isRetry) {
        sent = undefined;
        if (!isRetry) owner = undefined;
        owner ??= ownerBy(auth.state);
      },
      opened(socket) {
        const its = (opened = socket as WebSocket);
        stopFollowing = auth.subscribe((state) => {
          if (!isOwners(state)) its.close(UNAUTHORIZED, OVER);
        });
      },
      closed(event) {
        stopFollowing();
        const { code } = event as CloseEvent;
        // Given up: whoever subscribes next may be somebody else, although graphql-ws calls that a retry too.
        if (code === UNAUTHORIZED) owner = undefined;
        if (code !== UNAUTHORIZED && code !== FORBIDDEN) return;
        // Offline is no news here: the next attempt to connect finds it out.
        void auth.recover([{ extensions: { code: 'UNAUTHENTICATED' } }], sent).catch(() => undefined);
      },
    },
  };
}

function ownerBy(state: AuthState): Owner | undefined {
  if (state.status === 'signed-out') return NOBODY;
  return 'session' in state ? state.session?.id : undefined;
}

function offlineOrThrow(error: unknown): OfflineError {
  if (error instanceof OfflineError) return error;
  throw error;
}
