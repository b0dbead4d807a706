import loginDocument from '../../schema/operations/login.graphql?raw';
import logoutDocument from '../../schema/operations/logout.graphql?raw';
import refreshDocument from '../../schema/operations/refresh.graphql?raw';
import registerDocument from '../../schema/operations/register.graphql?raw';
import type { FieldFault, Reply, Send } from './api.js';
import { isJsonObject, objectOrEmpty } from './json.js';
import { findTokenResponse, type SessionUser, type TokenResponse } from './token-response.js';

export type SessionState =
  | { status: 'signed-out'; notice: string | undefined }
  | {
      status: 'signed-in';
      /** Undefined when an operation in the editor signed in without asking for the user. */
      user: SessionUser | undefined;
      accessToken: string;
      refreshToken: string;
      /** By this machine's clock, in milliseconds since 1970. */
      accessTokenExpiresAt: number;
      /** Why the last refresh got no verdict; undefined once one succeeds. The session goes on meanwhile. */
      trouble: string | undefined;
    };

export type Outcome = { ok: true } | { ok: false; message: string; fields: readonly FieldFault[] };

export interface Session {
  readonly getState: () => SessionState;
  /** Calls `listener` after each change, and returns what stops it. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly signIn: (input: { identifier: string; password: string }) => Promise<Outcome>;
  readonly register: (input: { email: string; username: string | undefined; password: string }) => Promise<Outcome>;
  /** Forgets the tokens at once, then tells the server. */
  readonly signOut: () => Promise<void>;
  /** Refreshes now; a call while a refresh is under way joins it. */
  readonly refresh: () => Promise<void>;
  /** The access token to send now, refreshed first when its time is over; undefined when nobody is signed in. */
  readonly accessToken: () => Promise<string | undefined>;
  /** Learns from what an operation in the editor was answered: new tokens are taken over, a revoked session ends. */
  readonly observe: (result: unknown, sentAccessToken: string | undefined) => void;
}

/** What is known of the session while it lives; never written anywhere but here. */
interface Held {
  user: SessionUser | undefined;
  accessToken: string;
  refreshToken: string;
  accessTokenExpiresAt: number;
  trouble: string | undefined;
  /** The refresh that has no verdict yet: retries carry the same id, so a lost reply is answered with the same successor. */
  attempt: { id: string; failures: number } | undefined;
  exchange: Promise<void> | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const DEVICE = { name: 'GraphiQL', platform: 'WEB' };

const REFRESH_MARGIN_SECONDS = 30;
const MIN_REFRESH_DELAY_SECONDS = 1;
const MAX_RETRY_DELAY_SECONDS = 30;

/**
 * The page's session: signed out, or signed in with tokens that are kept in memory only and refreshed before they expire.
 *
 * Only the server's verdict ends a session. A lost reply, a full queue or a server that is restarting keeps it.
 */
export function createSession(options: { send: Send; randomId: () => string }): Session {
  const { send, randomId } = options;
  const listeners = new Set<() => void>();
  let held: Held | undefined;
  let state: SessionState = { status: 'signed-out', notice: undefined };

  function publish(next: SessionState): void {
    state = next;
    for (const listener of listeners) listener();
  }

  function publishHeld(session: Held): void {
    const { user, accessToken, refreshToken, accessTokenExpiresAt, trouble } = session;
    publish({ status: 'signed-in', user, accessToken, refreshToken, accessTokenExpiresAt, trouble });
  }

  function begin(tokens: TokenResponse, askedAt: number): void {
    clearTimeout(held?.timer);
    held = { ...issued(tokens, askedAt), user: tokens.user, attempt: undefined, exchange: undefined, timer: undefined };
    schedule(held, refreshDelaySeconds(tokens.expiresInSeconds));
    publishHeld(held);
  }

  function end(notice: string): void {
    clearTimeout(held?.timer);
    held = undefined;
    publish({ status: 'signed-out', notice });
  }

  function schedule(session: Held, delaySeconds: number): void {
    clearTimeout(session.timer);
    session.timer = setTimeout(() => void exchange(session), delaySeconds * 1000);
  }

  /** One request at a time: a second caller waits for the same one. */
  function exchange(session: Held): Promise<void> {
    session.exchange ??= exchangeOnce(session).finally(() => {
      session.exchange = undefined;
    });
    return session.exchange;
  }

  async function exchangeOnce(session: Held): Promise<void> {
    clearTimeout(session.timer);
    const attempt = (session.attempt ??= { id: randomId(), failures: 0 });
    const askedAt = Date.now();
    const reply = await send(refreshDocument, { input: { refreshToken: session.refreshToken, attemptId: attempt.id } });
    const tokens = reply.kind === 'data' ? findTokenResponse(reply.data) : undefined;
    if (tokens !== undefined) {
      // Also when the user has signed out meanwhile: logout then presents the newest token.
      Object.assign(session, issued(tokens, askedAt), { user: tokens.user ?? session.user, attempt: undefined });
      if (held !== session) return;
      schedule(session, refreshDelaySeconds(tokens.expiresInSeconds));
      publishHeld(session);
      return;
    }
    if (held !== session) return;
    if (endsSession(reply)) {
      end('Your session has ended. Log in again.');
      return;
    }
    const retryAfterSeconds = reply.kind === 'unavailable' ? reply.retryAfterSeconds : undefined;
    schedule(session, Math.max(retryAfterSeconds ?? 0, Math.min(2 ** attempt.failures, MAX_RETRY_DELAY_SECONDS)));
    attempt.failures += 1;
    session.trouble = reply.kind === 'data' ? 'The server gave no tokens.' : reply.message;
    publishHeld(session);
  }

  async function open(document: string, input: Readonly<Record<string, unknown>>): Promise<Outcome> {
    const askedAt = Date.now();
    const reply = await send(document, { input: { ...input, device: DEVICE } });
    if (reply.kind === 'refused') return { ok: false, message: reply.message, fields: reply.fields };
    if (reply.kind === 'unavailable') return { ok: false, message: reply.message, fields: [] };
    const tokens = findTokenResponse(reply.data);
    if (tokens === undefined) return { ok: false, message: 'The server gave no tokens.', fields: [] };
    begin(tokens, askedAt);
    return { ok: true };
  }

  return {
    getState: () => state,

    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    signIn: (input) => open(loginDocument, input),

    register: ({ email, username, password }) =>
      open(registerDocument, { email, password, ...(username === undefined ? {} : { username }) }),

    async signOut() {
      const session = held;
      if (session === undefined) return;
      end('Logged out.');
      await session.exchange;
      const reply = await send(logoutDocument, { input: { refreshToken: session.refreshToken } });
      // Somebody may have signed in meanwhile; then the old session is no longer what the panel is about.
      if (reply.kind === 'unavailable' && held === undefined) {
        publish({
          status: 'signed-out',
          notice: `Logged out on this page, but the server does not know: ${reply.message} The session stays open there until it is revoked or expires.`,
        });
      }
    },

    async refresh() {
      if (held !== undefined) await exchange(held);
    },

    async accessToken() {
      // A timer does not run while the machine sleeps, so a token can be found expired here.
      if (held !== undefined && held.accessTokenExpiresAt <= Date.now()) await exchange(held);
      return held?.accessToken;
    },

    observe(result, sentAccessToken) {
      const { data, errors } = objectOrEmpty(result);
      const tokens = isJsonObject(data) ? findTokenResponse(data) : undefined;
      if (tokens !== undefined) {
        begin(tokens, Date.now());
        return;
      }
      // An answer to an older token, or to one that the user typed, says nothing of the token held now.
      if (held === undefined || sentAccessToken !== held.accessToken || !Array.isArray(errors)) return;
      const refusal = errors
        .map((error) => objectOrEmpty(objectOrEmpty(error)['extensions']))
        .find(({ code }) => code === 'UNAUTHENTICATED');
      if (refusal === undefined) return;
      if (refusal['reason'] === 'SESSION_REVOKED') end('This session was revoked. Log in again.');
      else void exchange(held);
    },
  };
}

function issued(tokens: TokenResponse, askedAt: number): Pick<Held, 'accessToken' | 'refreshToken' | 'accessTokenExpiresAt' | 'trouble'> {
  return {
    accessToken: tokens.accessToken,
    refreshToken: tokens.refreshToken,
    // Counted from the question, not the answer, so the token is never believed to live longer than it does.
    accessTokenExpiresAt: askedAt + tokens.expiresInSeconds * 1000,
    trouble: undefined,
  };
}

function refreshDelaySeconds(lifetimeSeconds: number): number {
  const margin = Math.min(REFRESH_MARGIN_SECONDS, lifetimeSeconds / 2);
  return Math.max(lifetimeSeconds - margin, MIN_REFRESH_DELAY_SECONDS);
}

function endsSession(reply: Reply): boolean {
  if (reply.kind !== 'refused') return false;
  return reply.code === 'INVALID_REFRESH_TOKEN' || reply.code === 'SESSION_REVOKED' || reply.reason === 'SESSION_REVOKED';
}
