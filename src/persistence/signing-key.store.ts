import type { SigningKeyStore } from '../keys/key-ring.js';
import type { Database } from './database.js';
import { SigningKeyRow } from './entities/signing-key.entity.js';

export function createSigningKeyStore(db: Database): SigningKeyStore {
  return {
    list: () =>
      db.read(async (em) => {
        const rows = await em.find(SigningKeyRow, {});
        return rows.map(({ kid, algorithm, publicJwk, sealedPrivateJwk, secretId, activatesAt, expiresAt }) => ({
          kid,
          algorithm,
          publicJwk,
          // PGlite gives bytes as Uint8Array.
          sealedPrivateJwk: Buffer.from(sealedPrivateJwk),
          secretId,
          activatesAt,
          expiresAt: expiresAt ?? null,
        }));
      }),

    async insertUnlessPresent(key, unusableKids) {
      // Replicas that start at the same instant may both insert: each then signs with its own choice, and both verify both.
      await db.query(
        `INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk, secret_id, activates_at, expires_at)
         SELECT $1, $2::text, $3::jsonb, $4, $5, now(), $6
          WHERE NOT EXISTS (SELECT 1 FROM signing_key WHERE algorithm = $2 AND expires_at IS NULL AND kid <> ALL ($7::text[]))`,
        [key.kid, key.algorithm, JSON.stringify(key.publicJwk), key.sealedPrivateJwk, key.secretId, key.expiresAt, unusableKids],
      );
    },
  };
}
