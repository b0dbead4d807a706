import { sql } from '@mikro-orm/core';

import type { SigningKeyStore } from '../keys/key-ring.js';
import { actorParameter, audit, NOBODY, OPERATOR, type AuditEventType } from './audit.store.js';
import type { Database } from './database.js';
import { SigningKeyRow } from './entities/signing-key.entity.js';
import { announce } from './revocation.store.js';

/** How long replicas have to see that the keys have changed: they poll each second. */
const ANNOUNCED_FOR_SECONDS = '600';

/** CTEs that write the entry which makes every replica load the keys again, and the audit event. */
const tell = (type: AuditEventType, from: string, actor: string) =>
  `${announce('keys', from, 'NULL::uuid', 'NULL', ANNOUNCED_FOR_SECONDS)},
   ${audit({ type: `'${type}'`, from, userId: 'NULL::uuid', sessionId: 'NULL::uuid', reason: `${from}.kid`, actor })}`;

export function createSigningKeyStore(db: Database): SigningKeyStore {
  return {
    list: () =>
      db.read(async (em) => {
        const rows = await em.find(SigningKeyRow, { $or: [{ expiresAt: null }, { expiresAt: { $gt: sql.now() } }] });
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
        `WITH inserted AS (
           INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk, secret_id, activates_at, expires_at)
           SELECT $1, $2::text, $3::jsonb, $4, $5, now(), $6
            WHERE NOT EXISTS (SELECT 1 FROM signing_key WHERE algorithm = $2 AND expires_at IS NULL AND kid <> ALL ($7::text[]))
           RETURNING kid
         ), ${tell('SIGNING_KEY_MADE', 'inserted', '$8')}
         SELECT 1`,
        [
          key.kid,
          key.algorithm,
          JSON.stringify(key.publicJwk),
          key.sealedPrivateJwk,
          key.secretId,
          key.expiresAt,
          unusableKids,
          actorParameter(NOBODY),
        ],
      );
    },

    async succeed(key, { minimumAgeSeconds, publishedForSeconds, verifiesForSeconds, neglectedAfterSeconds, isByOperator }) {
      // Replicas that find it due at the same instant may both insert; all choose the same one of the two.
      const rows = await db.query(
        `WITH inserted AS (
           INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk, secret_id, activates_at)
           SELECT $1, $2::text, $3::jsonb, $4, $5, now() + make_interval(secs => $7)
            WHERE $6::float8 IS NULL OR NOT EXISTS (
              SELECT 1 FROM signing_key WHERE algorithm = $2 AND expires_at IS NULL AND activates_at > now() - make_interval(secs => $6)
            )
           RETURNING kid, activates_at
         ), ${tell('SIGNING_KEY_MADE', 'inserted', '$10')}, retired AS (
           -- What has not signed yet is in nobody's way once it is gone. A key of another algorithm may be what another replica signs with, which
           -- sees to it that it does not grow old.
           UPDATE signing_key k
              SET expires_at = CASE WHEN k.activates_at > now() THEN now() ELSE inserted.activates_at + make_interval(secs => $8) END
             FROM inserted
            WHERE k.kid <> inserted.kid AND k.expires_at IS NULL
              AND (k.algorithm = $2 OR k.activates_at < now() - make_interval(secs => $9))
         )
         SELECT 1 FROM inserted`,
        [
          key.kid,
          key.algorithm,
          JSON.stringify(key.publicJwk),
          key.sealedPrivateJwk,
          key.secretId,
          minimumAgeSeconds,
          publishedForSeconds,
          verifiesForSeconds,
          neglectedAfterSeconds,
          actorParameter(isByOperator ? OPERATOR : NOBODY),
        ],
      );
      return rows.length > 0;
    },

    async reseal({ kid, sealedPrivateJwk, secretId }) {
      await db.query('UPDATE signing_key SET sealed_private_jwk = $2, secret_id = $3 WHERE kid = $1', [kid, sealedPrivateJwk, secretId]);
    },

    async revoke(kid) {
      // A day ago: a clock that jumps must not bring it back.
      const rows = await db.query(
        `WITH revoked AS (UPDATE signing_key SET expires_at = now() - interval '1 day' WHERE kid = $1 RETURNING kid),
              ${tell('SIGNING_KEY_REVOKED', 'revoked', '$2')}
         SELECT 1 FROM revoked`,
        [kid, actorParameter(OPERATOR)],
      );
      return rows.length > 0;
    },
  };
}
