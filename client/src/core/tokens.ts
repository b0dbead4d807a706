import { isText, objectOrEmpty, type JsonObject } from './json.js';
import { isUser, type StoredSession } from './record.js';
import type { Stopwatch } from './stopwatch.js';

/** An access token, in memory only. */
export interface HeldToken {
  readonly accessToken: string;
  /** When it was asked for: its life is counted from the question, so that it is never believed to live longer than it does. */
  readonly elapsedMs: Stopwatch;
  readonly lifetimeMs: number;
}

export interface IssuedTokens {
  readonly held: HeldToken;
  readonly stored: StoredSession;
}

/** Reads the answer to login, register or refresh; undefined when anything in it is missing. */
export function parseTokens(data: JsonObject, elapsedMs: Stopwatch): IssuedTokens | undefined {
  const { accessToken, expiresIn, refreshToken, refreshTokenExpiresIn, scope, session, user } = objectOrEmpty(Object.values(data)[0]);
  const { id } = objectOrEmpty(session);
  if (!isText(accessToken) || !isText(refreshToken) || !isText(id) || typeof scope !== 'string' || !isUser(user)) return undefined;
  if (typeof expiresIn !== 'number' || typeof refreshTokenExpiresIn !== 'number') return undefined;
  return {
    held: { accessToken, elapsedMs, lifetimeMs: expiresIn * 1000 },
    stored: {
      id,
      user,
      scopes: scope.split(' ').filter(isText),
      expiresAt: Date.now() - elapsedMs() + refreshTokenExpiresIn * 1000,
      refreshToken,
    },
  };
}
