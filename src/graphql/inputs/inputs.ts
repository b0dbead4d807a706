import { Field, ID, InputType, registerEnumType } from 'type-graphql';

import type { AuditEventType as StoredType } from '../../persistence/audit.store.js';
import type { SessionSelection as Selection } from '../../sessions/sessions.js';
import { AuditEventType } from '../types/audit.type.js';
import { DevicePlatform } from '../types/session.type.js';

@InputType({ description: 'The device that signs in, as its owner will see it in the list of sessions.' })
export class DeviceInput {
  @Field(() => String, { nullable: true, description: 'What its owner calls it; at most 128 characters.' })
  name?: string | null;

  @Field(() => DevicePlatform, { nullable: true, description: 'What it runs; OTHER if left out.' })
  platform?: DevicePlatform | null;
}

@InputType({ description: 'Who registers.' })
export class RegisterInput {
  @Field(() => String, { description: 'The e-mail address; letter case does not count.' })
  email!: string;

  @Field(() => String, {
    nullable: true,
    description: 'A name to sign in with beside the e-mail address: 3 to 32 letters, digits, dots, hyphens or underscores.',
  })
  username?: string | null;

  @Field(() => String, { description: 'At least 15 characters unless configured otherwise; a few words do well.' })
  password!: string;

  @Field(() => DeviceInput, { nullable: true, description: 'The device that signs in.' })
  device?: DeviceInput | null;
}

@InputType({ description: 'Who signs in.' })
export class LoginInput {
  @Field(() => String, { description: 'The e-mail address or the username.' })
  identifier!: string;

  @Field(() => String, { description: 'The password.' })
  password!: string;

  @Field(() => DeviceInput, { nullable: true, description: 'The device that signs in.' })
  device?: DeviceInput | null;

  @Field(() => [String], { nullable: true, description: 'Narrows the session to these scopes; never widens it.' })
  scopes?: string[] | null;
}

@InputType({ description: 'A refresh token to trade for a new pair.' })
export class RefreshInput {
  @Field(() => String, { description: 'The refresh token that was received last.' })
  refreshToken!: string;

  @Field(() => String, {
    nullable: true,
    description: '1 to 128 characters, chosen by the client, the same on every retry of one refresh.',
  })
  attemptId?: string | null;
}

export enum SessionSelection {
  THIS_SESSION = 'THIS_SESSION',
  OTHER_SESSIONS = 'OTHER_SESSIONS',
  ALL_SESSIONS = 'ALL_SESSIONS',
}

registerEnumType(SessionSelection, {
  name: 'SessionSelection',
  description: 'Which sessions of the user.',
  valuesConfig: {
    THIS_SESSION: { description: 'The one that the token belongs to.' },
    OTHER_SESSIONS: { description: 'Every one but that.' },
    ALL_SESSIONS: { description: 'Every one.' },
  },
});

@InputType({
  description: 'What to end. With a refresh token, no access token is needed. Without one, the bearer token names the session.',
})
export class LogoutInput {
  @Field(() => String, { nullable: true, description: 'The refresh token of the session; it may have been replaced already.' })
  refreshToken?: string | null;

  @Field(() => SessionSelection, { defaultValue: SessionSelection.THIS_SESSION, description: 'Which sessions to end.' })
  sessions!: Selection;
}

@InputType({ description: 'A session to end.' })
export class RevokeSessionInput {
  @Field(() => ID, { description: "The id of one of the caller's own sessions." })
  sessionId!: string;
}

@InputType({ description: 'A password to replace.' })
export class ChangePasswordInput {
  @Field(() => String, { description: 'The password that holds now.' })
  currentPassword!: string;

  @Field(() => String, { description: 'The password to hold from now on.' })
  newPassword!: string;

  @Field(() => Boolean, { defaultValue: false, description: 'Every other session ends unless this is true.' })
  keepOtherSessions!: boolean;
}

@InputType({ description: 'Roles to give to a user.' })
export class SetUserRolesInput {
  @Field(() => ID, { description: 'The user.' })
  userId!: string;

  @Field(() => [String], { description: 'All the roles that the user is to have; any other is taken away.' })
  roles!: string[];
}

@InputType({ description: 'Whether a user may sign in.' })
export class SetUserDisabledInput {
  @Field(() => ID, { description: 'The user.' })
  userId!: string;

  @Field(() => Boolean, { description: 'True ends every session of the user and refuses new ones; false allows them again.' })
  disabled!: boolean;
}

@InputType({ description: 'Which audit events; all conditions hold together.' })
export class AuditFilterInput {
  @Field(() => ID, { nullable: true, description: 'Those that happened to this user.' })
  userId?: string | null;

  @Field(() => [AuditEventType], { nullable: true, description: 'Those of these types.' })
  types?: StoredType[] | null;
}
