import type { Config } from '../config/config.js';
import type { ServerSecret } from '../crypto/secret-ring.js';
import type { SessionGrant } from '../persistence/session.store.js';
import type { AccessTokens } from '../tokens/access-token.js';
import { sealRefreshToken } from '../tokens/refresh-token.js';
import { formatScope } from '../tokens/scope.js';

/** What a client is given: after RFC 6749 section 5.1, lifetimes in whole seconds from now. */
export interface TokenPair {
  accessToken: string;
  expiresIn: number;
  refreshToken: string;
  refreshTokenExpiresIn: number;
  scope: string;
  grant: SessionGrant;
}

/** Issues both tokens of a session, whose refresh token of this generation has this secret. Times are the database's. */
export async function issueTokenPair(
  accessTokens: AccessTokens,
  { accessTokenLifetimeSeconds }: Pick<Config, 'accessTokenLifetimeSeconds'>,
  grant: SessionGrant,
  refresh: { generation: number; secret: Buffer; sealedBy: ServerSecret },
): Promise<TokenPair> {
  const issuedAt = Math.floor(grant.now);
  // Never past the end of the session.
  const expiresAt = Math.min(issuedAt + accessTokenLifetimeSeconds, Math.floor(grant.absoluteExpiresAt));
  const accessToken = await accessTokens.issue({
    subject: grant.userId,
    sessionId: grant.sessionId,
    generation: grant.generation,
    userVersion: grant.userVersion,
    scopes: grant.scopes,
    authTime: Math.floor(grant.authTime),
    issuedAt,
    expiresAt,
  });
  return {
    accessToken,
    expiresIn: expiresAt - issuedAt,
    refreshToken: sealRefreshToken({ sessionId: grant.sessionId, ...refresh }),
    refreshTokenExpiresIn: Math.floor(Math.min(grant.idleExpiresAt, grant.absoluteExpiresAt) - grant.now),
    scope: formatScope(grant.scopes),
    grant,
  };
}
