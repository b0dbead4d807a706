import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

import { unseal } from '../../src/crypto/seal.js';
import type { SecretRing } from '../../src/crypto/secret-ring.js';
import type { SigningKeyStore } from '../../src/keys/key-ring.js';
import type { StoredSigningKey } from '../../src/keys/signing-key.js';

export interface MemorySigningKeyStore extends SigningKeyStore {
  rows: StoredSigningKey[];
  /** How often it was read. */
  reads: number;
  /** Thrown by every read while it is set. */
  failure: Error | undefined;
}

/** The table of signing keys, kept in memory, with what `signing-key.store.ts` promises. */
export function createMemorySigningKeyStore(rows: StoredSigningKey[] = []): MemorySigningKeyStore {
  return {
    rows: [...rows],
    reads: 0,
    failure: undefined,
    async list() {
      this.reads += 1;
      if (this.failure !== undefined) throw this.failure;
      return [...this.rows];
    },
    async insertUnlessPresent(key, unusableKids) {
      const isPresent = this.rows.some(
        (row) => row.algorithm === key.algorithm && row.expiresAt === null && !unusableKids.includes(row.kid),
      );
      if (!isPresent) this.rows.push(key);
    },
    async succeed(key, { minimumAgeSeconds, publishedForSeconds, verifiesForSeconds, neglectedAfterSeconds }) {
      // The ring's clock says when the key was made; the real table goes by its own.
      const now = key.activatesAt.getTime();
      const isTooSoon = (minimum: number) =>
        this.rows.some(
          (row) => row.algorithm === key.algorithm && row.expiresAt === null && row.activatesAt.getTime() > now - minimum * 1000,
        );
      if (minimumAgeSeconds !== null && isTooSoon(minimumAgeSeconds)) return false;
      const activatesAt = new Date(now + publishedForSeconds * 1000);
      const endOf = (row: StoredSigningKey) =>
        row.activatesAt.getTime() > now ? new Date(now) : new Date(activatesAt.getTime() + verifiesForSeconds * 1000);
      const isRetired = (row: StoredSigningKey) =>
        row.expiresAt === null && (row.algorithm === key.algorithm || row.activatesAt.getTime() < now - neglectedAfterSeconds * 1000);
      this.rows = this.rows.map((row) => (isRetired(row) ? { ...row, expiresAt: endOf(row) } : row));
      this.rows.push({ ...key, activatesAt });
      return true;
    },
    async reseal({ kid, ...seal }) {
      this.rows = this.rows.map((row) => (row.kid === kid ? { ...row, ...seal } : row));
    },
    async revoke(kid) {
      const isPresent = this.rows.some((row) => row.kid === kid);
      this.rows = this.rows.map((row) => (row.kid === kid ? { ...row, expiresAt: new Date(0) } : row));
      return isPresent;
    },
  };
}

/** Both halves of a stored key as Node's own key objects: what tests forge with, apart from jose. */
export function keyPairOf(ring: SecretRing, stored: StoredSigningKey): { privateKey: KeyObject; publicKey: KeyObject } {
  const unsealed = unseal(ring, { secretId: stored.secretId, bytes: stored.sealedPrivateJwk }, stored.kid);
  if (unsealed === undefined) throw new Error('The ring does not open this key.');
  const privateKey = createPrivateKey({ key: JSON.parse(unsealed.plaintext.toString()) as JsonWebKey, format: 'jwk' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
