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

/**
 * Options for graphql-ws's `createClient`, so that a socket is its session's: `createClient({ url, ...createConnectionOptions(auth) })`. Each client
 * needs options of its own.
 *
 * The access token is sent as `authorization` in the connection's parameters, as it is in HTTP's header; nobody signed in, no parameters. A new one is
 * fetched for each connection, and one that the server has closed a socket for (4401, 4403) is not sent again. When the session ends, or another
 * begins, the socket is closed with 4401: graphql-ws gives up on its subscriptions, and nothing of one user goes on as another.
 *
 * While no access token can be had, the socket is closed with 4503, and graphql-ws tries again as often as its `retryAttempts` says. Listeners of your
 * own go to the client: `client.on('connected', …)`.
 */
export function createConnectionOptions(auth: Auth): ConnectionOptions {
  /** The session that the subscriptions of the socket belong to. */
  let owner: string | undefined;
  let sent: string | undefined;
  let opened: WebSocket;
  let stopFollowing = (): void => undefined;

  const isOwners = (state: AuthState): boolean => owner === undefined || owner === sessionIdOf(state);

  return {
    async connectionParams() {
      // Of this attempt, whatever is opened while it waits.
      const socket = opened;
      await auth.ready;
      owner ??= sessionIdOf(auth.state);
      const given = await auth.accessToken().catch(offlineOrThrow);
      // An attempt that fails closes its socket. If it threw, graphql-ws would not wait for the end, and take it for that of the next socket.
      if (given instanceof OfflineError) {
        socket.close(OFFLINE, 'Offline');
        return undefined;
      }
      if (!isOwners(auth.state)) {
        socket.close(UNAUTHORIZED, 'Signed out');
        return undefined;
      }
      if (given === undefined) return undefined;
      // Who it is was not known before, while the storage could not be read.
      owner ??= sessionIdOf(auth.state);
      sent = given;
      return { authorization: `Bearer ${given}` };
    },
    on: {
      connecting(isRetry) {
        if (!isRetry) owner = undefined;
        sent = undefined;
      },
      opened(socket) {
        const its = (opened = socket as WebSocket);
        stopFollowing = auth.subscribe((state) => {
          if (!isOwners(state)) its.close(UNAUTHORIZED, 'Signed out');
        });
      },
      closed(event) {
        stopFollowing();
        const { code } = event as CloseEvent;
        if (code !== UNAUTHORIZED && code !== FORBIDDEN) return;
        // Offline is no news here: the next attempt to connect finds it out.
        void auth.recover([{ extensions: { code: 'UNAUTHENTICATED' } }], sent).catch(() => undefined);
      },
    },
  };
}

function offlineOrThrow(error: unknown): OfflineError {
  if (error instanceof OfflineError) return error;
  throw error;
}

function sessionIdOf(state: AuthState): string | undefined {
  return 'session' in state ? state.session?.id : undefined;
}
