import { defineEntity, p } from '@mikro-orm/core';

import { User } from './user.entity.js';

const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: p.uuid().primary(),
    user: () => p.manyToOne(User).joinColumn('user_id').deleteRule('cascade').index('session_user_id_index'),
    /** The user's security version when it began. */
    userVersion: p.integer().default(1),
    /** Counts the refresh tokens that the session has had. */
    generation: p.integer(),
    /** SHA-256 of the secret S of the current refresh token. */
    currentHash: p.blob(),
    previousHash: p.blob().nullable(),
    /** What the current generation was derived with from the one before. */
    salt: p.blob().nullable(),
    /** The server secret that the current generation was derived and sealed with. */
    secretId: p.smallint(),
    /** SHA-256 of the `attemptId` of the last rotation. */
    attemptHash: p.blob().nullable(),
    rotatedAt: p.datetime().length(6).nullable(),
    /** The newest generation that has come back to us, in an access token or a refresh token. */
    seenGeneration: p.integer().default(0),
    /** What the session was narrowed to at sign-in; null: whatever the roles grant. */
    scopes: p.array().nullable(),
    authTime: p.datetime().length(6).defaultRaw('now()'),
    createdAt: p.datetime().length(6).defaultRaw('now()'),
    lastSeenAt: p.datetime().length(6).defaultRaw('now()'),
    idleExpiresAt: p.datetime().length(6),
    absoluteExpiresAt: p.datetime().length(6),
    revokedAt: p.datetime().length(6).nullable(),
    revokedReason: p.text().nullable(),
    deviceName: p.text().nullable(),
    devicePlatform: p.text(),
    ipAddress: p.text().nullable(),
    userAgent: p.text().nullable(),
  },
});

/** One sign-in on one device. No index on a column that rotation touches, so that rotation stays a heap-only update. */
export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);
