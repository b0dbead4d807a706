import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import type { SecretRing, ServerSecret } from './secret-ring.js';

const LABEL = 'seal aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Bytes under AES-256-GCM, and which secret they are sealed with. */
export interface Sealed {
  secretId: number;
  /** Nonce (12 bytes), tag (16 bytes), ciphertext. */
  bytes: Buffer;
}

/**
 * Seals bytes under a key derived from the active secret (AES-256-GCM, NIST SP 800-38D, a random nonce each time).
 *
 * @param context authenticated with the bytes: what is sealed for one row does not open for another.
 */
export function seal(ring: SecretRing, plaintext: Buffer, context: string): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', ring.active.derive(LABEL), nonce).setAAD(Buffer.from(context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { secretId: ring.active.id, bytes: Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]) };
}

/** What was sealed, and the secret that opens it. */
export interface Unsealed {
  plaintext: Buffer;
  sealedBy: ServerSecret;
}

/** Opens what `seal` made; undefined when no secret of the ring opens it, or it was changed. */
export function unseal(ring: SecretRing, { secretId, bytes }: Sealed, context: string): Unsealed | undefined {
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  if (tag.length < TAG_BYTES) return undefined;
  for (const secret of ring.withId(secretId)) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', secret.derive(LABEL), nonce, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(context))
        .setAuthTag(tag);
      return { plaintext: Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]), sealedBy: secret };
    } catch {
      // Not this secret: another may share the id.
    }
  }
  return undefined;
}
