import type { Moment } from './elapsed.js';
import { isJsonObject, isText, objectOrEmpty, type JsonObject } from './json.js';
import { parseUser, type StoredSession } from './record.js';

/** An access token, in memory only. */
export interface HeldToken {
  readonly accessToken: string;
  readonly sessionId: string;
  /** When it was asked for: its life is counted from the question, so that it is never believed to live longer than it does. */
  readonly since: Moment;
  readonly lifetimeMs: number;
}

export interface IssuedTokens {
  readonly held: HeldToken;
  readonly stored: StoredSession;
}

/** Reads the answer to login, register or refresh; undefined when anything in it is missing. */
export function parseTokens(data: JsonObject, since: Moment): IssuedTokens | undefined {
  const [answer] = Object.values(data);
  if (!isJsonObject(answer)) return undefined;
  const { accessToken, expiresIn, refreshToken, refreshTokenExpiresIn, scope } = answer;
  const { id: sessionId } = objectOrEmpty(answer['session']);
  const user = parseUser(answer['user']);
  if (!isText(accessToken) || !isText(refreshToken) || !isText(sessionId) || typeof scope !== 'string' || user === undefined)
    return undefined;
  if (typeof expiresIn !== 'number' || typeof refreshTokenExpiresIn !== 'number') return undefined;
  return {
    held: { accessToken, sessionId, since, lifetimeMs: expiresIn * 1000 },
    stored: {
      id: sessionId,
      user,
      scopes: scope.split(' ').filter(isText),
      expiresAt: since.wall + refreshTokenExpiresIn * 1000,
      refreshToken,
      attemptId: undefined,
    },
  };
}
