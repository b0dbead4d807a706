import { defineEntity, p } from '@mikro-orm/core';

const RevocationSchema = defineEntity({
  name: 'Revocation',
  tableName: 'revocation',
  // What concerns everyone, among a million entries that concern somebody.
  indexes: [{ name: 'revocation_for_everyone_index', properties: ['id'], where: '"key" is null' }],
  properties: {
    id: p.bigint('string').primary().autoincrement().columnType('bigint').generated('identity'),
    /** `session`, `user`, `global` or `keys`. */
    kind: p.text(),
    /** The session's or the user's id. */
    key: p.uuid().nullable(),
    /** Access tokens of an older version die; null: all of them. */
    minimumVersion: p.bigint('number').nullable(),
    /** The transaction that wrote it: replicas poll by it. */
    xid: p.string().columnType('xid8').defaultRaw('pg_current_xact_id()').index('revocation_xid_index'),
    /** When the last access token that it concerns has expired. */
    expiresAt: p.datetime().length(6),
  },
});

/** Tells every replica that access tokens must not be believed any more. Append-only. */
export class Revocation extends RevocationSchema.class {}
RevocationSchema.setClass(Revocation);
