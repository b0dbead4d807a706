import { isJsonObject, objectOrEmpty, stringOrUndefined, type JsonObject } from './json.js';

export interface SessionUser {
  email: string;
  roles: readonly string[];
}

/** The part of a `TokenResponse` that the page needs. */
export interface TokenResponse {
  accessToken: string;
  refreshToken: string;
  expiresInSeconds: number;
  /** Undefined when the operation did not ask for the user. */
  user: SessionUser | undefined;
}

/** Reads a `TokenResponse`; undefined when it is anything else, or was asked without a field that the page needs. */
function parseTokenResponse(value: unknown): TokenResponse | undefined {
  const { accessToken, refreshToken, expiresIn, user } = objectOrEmpty(value);
  if (typeof accessToken !== 'string' || typeof refreshToken !== 'string' || typeof expiresIn !== 'number') return undefined;
  return { accessToken, refreshToken, expiresInSeconds: expiresIn, user: parseUser(user) };
}

/** The token response in the data of any operation, whatever alias its field has. */
export function findTokenResponse(data: JsonObject): TokenResponse | undefined {
  for (const value of Object.values(data)) {
    const found = parseTokenResponse(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function parseUser(value: unknown): SessionUser | undefined {
  if (!isJsonObject(value)) return undefined;
  const email = stringOrUndefined(value['email']);
  const roles = value['roles'];
  if (email === undefined || !Array.isArray(roles)) return undefined;
  return { email, roles: roles.filter((role) => typeof role === 'string') };
}
