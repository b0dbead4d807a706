import { Field, GraphQLISODateTime, ID, ObjectType, registerEnumType } from 'type-graphql';

import { AUDIT_EVENT_TYPES, type AuditEventType as StoredType } from '../../persistence/audit.store.js';
import { PageInfo } from './page.type.js';

/** The list of the store, as the object that type-graphql makes an enum of. */
export const AuditEventType = Object.fromEntries(AUDIT_EVENT_TYPES.map((type) => [type, type])) as Record<StoredType, StoredType>;

registerEnumType(AuditEventType, {
  name: 'AuditEventType',
  description: 'What happened.',
  valuesConfig: {
    REGISTERED: { description: 'An account was made.' },
    SIGNED_IN: { description: 'A session began.' },
    SIGN_IN_FAILED: {
      description:
        'A password was wrong, the user unknown or disabled, or the guess was not let through (told once a minute): the reason says which.',
    },
    REFRESH_TOKEN_REUSED: { description: 'A refresh token was used again after it was replaced: its session has ended.' },
    SESSION_REVOKED: { description: 'A session was ended: the reason says how.' },
    SESSIONS_REVOKED: { description: 'All sessions of a user were ended, but for the one named, if one is.' },
    PASSWORD_CHANGED: { description: 'A password was changed.' },
    ROLES_CHANGED: { description: 'The roles of a user were replaced: the reason names the new ones.' },
    USER_DISABLED: { description: 'A user was disabled, and all sessions ended.' },
    USER_ENABLED: { description: 'A user was enabled again.' },
    USER_UNLOCKED: { description: 'An operator forgave a user the failed attempts to sign in.' },
    SIGNING_KEY_MADE: { description: 'A signing key was made, by its age or by an operator: the reason is its key id.' },
    SIGNING_KEY_REVOKED: { description: 'A signing key was revoked by an operator: the reason is its key id.' },
  } satisfies Record<StoredType, { description: string }>,
});

@ObjectType({ description: 'Something that happened to an account.' })
class AuditEvent {
  @Field(() => ID, { description: 'Grows with time.' })
  id!: string;

  @Field(() => GraphQLISODateTime, { description: 'When it happened.' })
  occurredAt!: Date;

  @Field(() => AuditEventType, { description: 'What happened.' })
  type!: StoredType;

  @Field(() => ID, { nullable: true, description: 'The user whom it happened to; null where nobody is called what was tried.' })
  userId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The session that it happened to, or that went on.' })
  sessionId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The user who did it; null for someone not signed in, and for an operator.' })
  actorId!: string | null;

  @Field(() => String, { nullable: true, description: 'The address that it was done from.' })
  ipAddress!: string | null;

  @Field(() => String, { nullable: true, description: 'The user agent that it was done with.' })
  userAgent!: string | null;

  @Field(() => String, { nullable: true, description: 'More about it, in a word.' })
  reason!: string | null;
}

@ObjectType({ description: 'An audit event on a page.' })
class AuditEventEdge {
  @Field(() => String, { description: 'Marks this place in the list.' })
  cursor!: string;

  @Field(() => AuditEvent, { description: 'The event.' })
  node!: AuditEvent;
}

@ObjectType({ description: 'A page of audit events, the newest first.' })
export class AuditEventConnection {
  @Field(() => [AuditEventEdge], { description: 'The events of this page.' })
  edges!: AuditEventEdge[];

  @Field(() => PageInfo, { description: 'Where this page begins and ends.' })
  pageInfo!: PageInfo;
}
