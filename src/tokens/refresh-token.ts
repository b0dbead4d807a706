import { timingSafeEqual } from 'node:crypto';

import { parse as uuidToBytes, stringify as bytesToUuid } from 'uuid';

import { decodeBase64url } from '../crypto/base64url.js';
import { hmacSha256 } from '../crypto/digest.js';
import type { SecretRing, ServerSecret } from '../crypto/secret-ring.js';

/*
 * lkr1_ base64url( version 1 | secret id 1 | session id 16 | generation 4 | secret S 32 | tag 16 )
 *
 * The tag is HMAC-SHA256(K_mac, label | everything before the tag), cut to 16 bytes. K_mac and K_next come from the server secret
 * that the secret id hints at.
 */
const PREFIX = 'lkr1_';
const VERSION = 1;
const OFFSET = { secretId: 1, sessionId: 2, generation: 18, secret: 22, tag: 54, end: 70 } as const;
const TOKEN_LENGTH = PREFIX.length + Math.ceil((OFFSET.end * 4) / 3);
const MAX_GENERATION = 0xffff_ffff;

const MAC_LABEL = 'refresh token mac';
const NEXT_LABEL = 'refresh token next';

/** The length of the secret S and of the salt, in bytes. */
export const REFRESH_SECRET_BYTES = 32;

/** What a refresh token says, once its tag has proved that we said it. */
export interface RefreshToken {
  sessionId: string;
  generation: number;
  /** S, 32 bytes: what the session's row keeps a digest of. */
  secret: Buffer;
  /** The server secret that it is sealed with. */
  sealedBy: ServerSecret;
}

/** Writes a refresh token: 99 characters of the URL-safe alphabet. */
export function sealRefreshToken({ sessionId, generation, secret, sealedBy }: RefreshToken): string {
  if (!Number.isInteger(generation) || generation < 0 || generation > MAX_GENERATION)
    throw new RangeError('A generation is an unsigned 32-bit number.');
  const bytes = Buffer.alloc(OFFSET.end);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt8(sealedBy.id, OFFSET.secretId);
  bytes.set(uuidToBytes(sessionId), OFFSET.sessionId);
  bytes.writeUInt32BE(generation, OFFSET.generation);
  bytes.set(secret, OFFSET.secret);
  bytes.set(tagOf(bytes, sealedBy), OFFSET.tag);
  return PREFIX + bytes.toString('base64url');
}

/**
 * Reads a refresh token and proves that this server issued it, without the database.
 *
 * Checks, in order: prefix and length; canonical base64url; version; a server secret with the token's secret id; the tag, in constant
 * time. An authentic tag proves that the token belonged to this session at this generation; it does not say that the session lives, nor
 * that the generation is the current one: `sessions/rotation.ts` does. RFC 9700 section 4.14.2
 * (https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2) asks for this proof where a token names its grant.
 *
 * @returns undefined for anything that we did not issue.
 */
export function openRefreshToken(ring: SecretRing, token: string): RefreshToken | undefined {
  if (token.length !== TOKEN_LENGTH || !token.startsWith(PREFIX)) return undefined;
  const bytes = decodeBase64url(token.slice(PREFIX.length));
  if (bytes?.length !== OFFSET.end || bytes.readUInt8(0) !== VERSION) return undefined;
  const tag = bytes.subarray(OFFSET.tag);
  const sealedBy = ring.withId(bytes.readUInt8(OFFSET.secretId)).find((secret) => timingSafeEqual(tagOf(bytes, secret), tag));
  if (sealedBy === undefined) return undefined;
  return {
    sessionId: bytesToUuid(bytes, OFFSET.sessionId),
    generation: bytes.readUInt32BE(OFFSET.generation),
    secret: Buffer.from(bytes.subarray(OFFSET.secret, OFFSET.tag)),
    sealedBy,
  };
}

/**
 * The one successor of a refresh token under a salt: the same inputs always give the same successor, so a lost reply can be repeated
 * although nothing that could be replayed is stored.
 *
 * It needs the predecessor's secret (which only the client has), the salt (which only the row has) and the server's secret: a leak of any
 * two yields no token.
 *
 * @param salt 32 random bytes, fresh at each rotation.
 * @param sealedBy the server secret to derive and to seal with.
 */
export function succeedRefreshToken(predecessor: RefreshToken, salt: Buffer, sealedBy: ServerSecret): RefreshToken {
  const { sessionId, secret } = predecessor;
  const generation = predecessor.generation + 1;
  const generationBytes = Buffer.alloc(4);
  generationBytes.writeUInt32BE(generation);
  const next = hmacSha256(sealedBy.derive(NEXT_LABEL), NEXT_LABEL, Buffer.from(uuidToBytes(sessionId)), generationBytes, secret, salt);
  return { sessionId, generation, secret: next, sealedBy };
}

function tagOf(bytes: Buffer, secret: ServerSecret): Buffer {
  return hmacSha256(secret.derive(MAC_LABEL), MAC_LABEL, bytes.subarray(0, OFFSET.tag)).subarray(0, OFFSET.end - OFFSET.tag);
}
