import { hash, randomUUID } from 'node:crypto';

import type { CryptoKey, JWTHeaderParameters } from 'jose';
import * as joseErrors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';

import type { Clock } from '../clock.js';
import type { Config } from '../config/config.js';
import { decodeBase64url } from '../crypto/base64url.js';
import { SIGNING_ALGORITHMS } from '../keys/signing-key.js';
import type { KeyRing } from '../keys/key-ring.js';
import { formatScope, parseScope } from './scope.js';

/** The media type of an access token (RFC 9068 section 2.1). */
const TYPE = 'at+jwt';

/** Longer than any token of ours, and short enough to parse for anyone. */
const MAX_TOKEN_BYTES = 4096;

/** The only protected header parameters that our tokens carry; a token with another (`jku`, `x5c`, `crit`, …) is not ours. */
const HEADER_PARAMETERS = new Set(['alg', 'typ', 'kid']);

/** What an access token says. Times are seconds since the epoch. */
export interface AccessTokenClaims {
  /** `sub`: the user's id. */
  subject: string;
  /** `sid` */
  sessionId: string;
  /** `gen`: the session's generation when the token was issued. */
  generation: number;
  /** `uv`: the user's security version when the token was issued. */
  userVersion: number;
  /** `scope` */
  scopes: readonly string[];
  /** `auth_time`: when the user last gave a password. */
  authTime: number;
  /** `iat` */
  issuedAt: number;
  /** `exp` */
  expiresAt: number;
}

interface Rejected {
  kind: 'rejected';
  reason: 'TOKEN_INVALID' | 'TOKEN_EXPIRED';
  detail: string;
}

export type AccessTokenVerdict = { kind: 'verified'; claims: AccessTokenClaims } | Rejected;

export interface AccessTokens {
  /**
   * Signs the claims as a JWT after RFC 9068 section 2 (https://www.rfc-editor.org/rfc/rfc9068#section-2); `exp` is the claims' own.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE before the signing keys are loaded.
   */
  issue(claims: AccessTokenClaims): Promise<string>;
  /**
   * Verifies an access token of ours (RFC 9068 section 4, https://www.rfc-editor.org/rfc/rfc9068#section-4).
   *
   * Checks, in order: at most 4 KiB; three segments of canonical base64url; `typ` at+jwt; an algorithm of the fixed list, which must be the
   * key's own; no header parameter but `alg`, `typ` and `kid`; a key of our ring; the signature; `iss`, `aud`, `exp`, `nbf` and `iat`, within
   * the clock tolerance; each claim's type. A token that passed is remembered until its `exp`; that, and whether its key is still in the ring,
   * is checked each time all the same.
   *
   * It does not check whether the session or the user still stand: the revocation feed does.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE when the token names a key that cannot be looked up just now.
   */
  verify(token: string): Promise<AccessTokenVerdict>;
}

/** A token that passed, and the key that it passed with. Tens of thousands of them are kept: what many share, they share in memory. */
interface Verified {
  claims: AccessTokenClaims;
  kid: string;
}

type Settings = Pick<Config, 'issuer' | 'audience' | 'clientId' | 'clockToleranceSeconds' | 'tokenCacheEntries'>;

/** What jose does not check: that our own claims are there, each of its type. */
const payloadSchema = z.object({
  sub: z.uuid(),
  client_id: z.string(),
  jti: z.string(),
  sid: z.uuid(),
  gen: z.int().nonnegative(),
  uv: z.int().nonnegative(),
  scope: z.string(),
  auth_time: z.number(),
  iat: z.number(),
  exp: z.number(),
});

/** Roles grant a handful of scopes in a handful of ways. */
const REMEMBERED_SCOPES = 1000;

interface AccessTokensOptions {
  keys: Pick<KeyRing, 'signingKey' | 'verificationKey'>;
  clock: Clock;
  settings: Settings;
  /** Told how each check went. */
  onCheck?: (result: 'cached' | 'verified' | 'rejected') => void;
}

export function createAccessTokens({ keys, clock, settings, onCheck }: AccessTokensOptions): AccessTokens {
  const { issuer, audience, clientId, clockToleranceSeconds } = settings;
  const remembered = settings.tokenCacheEntries > 0 ? new LRUCache<string, Verified>({ max: settings.tokenCacheEntries }) : undefined;

  const rememberedScopes = new LRUCache<string, readonly string[]>({ max: REMEMBERED_SCOPES });

  const scopesOf = (scope: string): readonly string[] => {
    const known = rememberedScopes.get(scope) ?? parseScope(scope);
    rememberedScopes.set(scope, known);
    return known;
  };

  const toClaims = (payload: z.infer<typeof payloadSchema>): AccessTokenClaims => ({
    subject: payload.sub,
    sessionId: payload.sid,
    generation: payload.gen,
    userVersion: payload.uv,
    scopes: scopesOf(payload.scope),
    authTime: payload.auth_time,
    issuedAt: payload.iat,
    expiresAt: payload.exp,
  });

  const stillStands = async ({ claims, kid }: Verified): Promise<boolean> => {
    if (claims.expiresAt + clockToleranceSeconds <= clock.now() / 1000) return false;
    const key = keys.verificationKey(kid);
    // Nothing is awaited for a key that is known.
    return (key instanceof Promise ? await key : key) !== undefined;
  };

  const verifyAfresh = async (token: string): Promise<Verified | Rejected> => {
    if (!isStrictCompactForm(token)) return invalid('not three segments of canonical base64url');
    let kid: string | undefined;
    const findKey = async (header: JWTHeaderParameters): Promise<CryptoKey> => {
      if (Object.keys(header).some((name) => !HEADER_PARAMETERS.has(name))) throw new joseErrors.JWSInvalid();
      const key = typeof header.kid === 'string' ? await keys.verificationKey(header.kid) : undefined;
      if (key?.algorithm !== header.alg) throw new joseErrors.JWKSNoMatchingKey();
      // The ring's own string, not one for each token.
      kid = key.kid;
      return key.publicKey;
    };
    try {
      const { payload } = await jwtVerify(token, findKey, {
        algorithms: [...SIGNING_ALGORITHMS],
        typ: TYPE,
        issuer,
        audience,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(clock.now()),
        requiredClaims: ['sub', 'client_id', 'iat', 'jti', 'sid'],
      });
      const parsed = payloadSchema.safeParse(payload);
      if (!parsed.success)
        return invalid(`a claim of the wrong type: ${parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')}`);
      if (parsed.data.iat > clock.now() / 1000 + clockToleranceSeconds) return invalid('issued in the future');
      if (kid === undefined) throw new Error('A token passed without a key.');
      return { claims: toClaims(parsed.data), kid };
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired) return expired;
      // Never the error whole: it carries the payload.
      if (error instanceof joseErrors.JOSEError) return invalid(error.code);
      throw error;
    }
  };

  return {
    async issue(claims) {
      const { kid, algorithm, sign } = keys.signingKey();
      const header = { alg: algorithm, typ: TYPE, kid };
      const payload = {
        iss: issuer,
        aud: audience,
        sub: claims.subject,
        client_id: clientId,
        iat: claims.issuedAt,
        exp: claims.expiresAt,
        jti: randomUUID(),
        sid: claims.sessionId,
        gen: claims.generation,
        auth_time: claims.authTime,
        scope: formatScope(claims.scopes),
        uv: claims.userVersion,
      };
      const signingInput = `${encodeSegment(header)}.${encodeSegment(payload)}`;
      return `${signingInput}.${(await sign(Buffer.from(signingInput))).toString('base64url')}`;
    },
    async verify(token) {
      if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return invalid('longer than 4 KiB');
      // The whole token is the key: a token that differs in one bit is another token.
      const cacheKey = hash('sha256', token, 'binary');
      const known = remembered?.get(cacheKey);
      if (known !== undefined && (await stillStands(known))) {
        onCheck?.('cached');
        return { kind: 'verified', claims: known.claims };
      }
      const verdict = await verifyAfresh(token);
      if ('kind' in verdict) {
        onCheck?.('rejected');
        remembered?.delete(cacheKey);
        return verdict;
      }
      onCheck?.('verified');
      remembered?.set(cacheKey, verdict);
      return { kind: 'verified', claims: verdict.claims };
    },
  };
}

const expired: Rejected = { kind: 'rejected', reason: 'TOKEN_EXPIRED', detail: 'past exp' };

function invalid(detail: string): Rejected {
  return { kind: 'rejected', reason: 'TOKEN_INVALID', detail };
}

function encodeSegment(members: object): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url');
}

/** jose skips white space, padding and stray bits inside a segment; then many strings would be one token. */
function isStrictCompactForm(token: string): boolean {
  const segments = token.split('.');
  return segments.length === 3 && segments.every((segment) => segment !== '' && decodeBase64url(segment) !== undefined);
}
