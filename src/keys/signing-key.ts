import { createPrivateKey, sign, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';

import type { CryptoKey, JWK } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { exportJWK } from 'jose/key/export';
import { generateKeyPair } from 'jose/key/generate/keypair';
import { importJWK } from 'jose/key/import';

import { seal, unseal } from '../crypto/seal.js';
import type { SecretRing } from '../crypto/secret-ring.js';

/** The algorithms (RFC 7518, RFC 8037) that we sign and verify with; nothing else is ever tried. */
export const SIGNING_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A signing key as a row keeps it: the private part sealed under the server's secret. */
export interface StoredSigningKey {
  /** The JWK thumbprint of RFC 7638. */
  kid: string;
  algorithm: SigningAlgorithm;
  publicJwk: JWK;
  sealedPrivateJwk: Buffer;
  secretId: number;
  /** Signs from then on; published as soon as it is stored. */
  activatesAt: Date;
  /** Verifies until then; null while it is in use. */
  expiresAt: Date | null;
}

/** A signing key ready for use. */
export interface SigningKey extends Pick<StoredSigningKey, 'kid' | 'algorithm' | 'publicJwk' | 'activatesAt' | 'expiresAt'> {
  publicKey: CryptoKey;
  /** Undefined when no server secret opens it any more: it verifies, and signs no longer. */
  sign: Signer | undefined;
}

/** Gives the JWS signature of a JWS signing input (RFC 7515 section 5.1, https://www.rfc-editor.org/rfc/rfc7515#section-5.1). */
export type Signer = (signingInput: Buffer) => Buffer | Promise<Buffer>;

/**
 * Makes a key pair: Ed25519, P-256 or RSA with 3072 bits, each of 128 bits of security.
 *
 * The kid is the RFC 7638 thumbprint (https://www.rfc-editor.org/rfc/rfc7638#section-3), so it names the key and nothing else can.
 */
export async function generateSigningKey(ring: SecretRing, algorithm: SigningAlgorithm, activatesAt: Date): Promise<StoredSigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true, modulusLength: 3072 });
  const publicMembers = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicMembers);
  const sealed = seal(ring, Buffer.from(JSON.stringify(await exportJWK(privateKey))), kid);
  return {
    kid,
    algorithm,
    publicJwk: { ...publicMembers, kid, alg: algorithm, use: 'sig' },
    sealedPrivateJwk: sealed.bytes,
    secretId: sealed.secretId,
    activatesAt,
    expiresAt: null,
  };
}

/** Opens a stored key. It does not check the time: the key ring does. */
export async function openSigningKey(ring: SecretRing, stored: StoredSigningKey): Promise<SigningKey> {
  const { kid, algorithm, publicJwk, activatesAt, expiresAt } = stored;
  const unsealed = unseal(ring, { secretId: stored.secretId, bytes: stored.sealedPrivateJwk }, kid);
  return {
    kid,
    algorithm,
    publicJwk,
    activatesAt,
    expiresAt,
    publicKey: await importAsymmetric(publicJwk, algorithm),
    sign: unsealed === undefined ? undefined : createSigner(JSON.parse(unsealed.plaintext.toString()) as JsonWebKey, algorithm),
  };
}

/** Seals a key's private part under the active secret; undefined when it is so already, or no secret opens it. */
export function resealSigningKey(
  ring: SecretRing,
  { kid, secretId, sealedPrivateJwk }: StoredSigningKey,
): Pick<StoredSigningKey, 'kid' | 'sealedPrivateJwk' | 'secretId'> | undefined {
  const unsealed = unseal(ring, { secretId, bytes: sealedPrivateJwk }, kid);
  if (unsealed === undefined || unsealed.sealedBy === ring.active) return undefined;
  const sealed = seal(ring, unsealed.plaintext, kid);
  return { kid, sealedPrivateJwk: sealed.bytes, secretId: sealed.secretId };
}

/**
 * A signature on a curve takes less time than handing it over to a thread, where it would wait behind passwords besides. RSA takes milliseconds, and
 * goes there. The key itself is in nobody's hands.
 */
function createSigner(privateJwk: JsonWebKey, algorithm: SigningAlgorithm): Signer {
  const key = { key: createPrivateKey({ key: privateJwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const };
  switch (algorithm) {
    case 'EdDSA':
      return (signingInput) => sign(null, signingInput, key);
    case 'ES256':
      return (signingInput) => sign('sha256', signingInput, key);
    case 'RS256':
      return (signingInput) => signInThread('sha256', signingInput, key);
  }
}

const signInThread = promisify(sign);

async function importAsymmetric(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new Error('A signing key is never symmetric.');
  return key;
}
