import { defineEntity, p } from '@mikro-orm/core';
import type { JWK } from 'jose';

import type { SigningAlgorithm } from '../../keys/signing-key.js';

const SigningKeySchema = defineEntity({
  name: 'SigningKeyRow',
  tableName: 'signing_key',
  properties: {
    kid: p.text().primary(),
    algorithm: p.text().$type<SigningAlgorithm>(),
    publicJwk: p.json<JWK>(),
    /** AES-256-GCM under a key derived from the server's secret: `crypto/seal.ts`. */
    sealedPrivateJwk: p.blob(),
    secretId: p.smallint(),
    createdAt: p.datetime().length(6).defaultRaw('now()'),
    activatesAt: p.datetime().length(6),
    expiresAt: p.datetime().length(6).nullable(),
  },
});

/** A key that signs access tokens, or did. */
export class SigningKeyRow extends SigningKeySchema.class {}
SigningKeySchema.setClass(SigningKeyRow);
