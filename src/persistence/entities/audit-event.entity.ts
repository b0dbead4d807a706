import { defineEntity, p } from '@mikro-orm/core';

const AuditEventSchema = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_event',
  indexes: [{ name: 'audit_event_user_id_index', properties: ['userId', 'id'] }],
  properties: {
    id: p.bigint('string').primary().autoincrement().columnType('bigint').generated('identity'),
    occurredAt: p.datetime().length(6).defaultRaw('now()'),
    type: p.text(),
    /** Whom it is about. */
    userId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    /** Who did it; null: someone not signed in, or the command line. */
    actorId: p.uuid().nullable(),
    ipAddress: p.text().nullable(),
    userAgent: p.text().nullable(),
    reason: p.text().nullable(),
  },
});

/** Something that happened to an account. Append-only; it outlives what it is about, so it refers to nothing. */
export class AuditEvent extends AuditEventSchema.class {}
AuditEventSchema.setClass(AuditEvent);
