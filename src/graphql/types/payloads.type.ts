import { Field, Int, ObjectType } from 'type-graphql';

import { SessionType } from './session.type.js';
import { UserType } from './user.type.js';

@ObjectType({ description: 'The tokens of a session, after RFC 6749 section 5.1. Lifetimes are whole seconds from now.' })
export class TokenResponse {
  @Field(() => String, { description: 'A JWT (RFC 9068): send it as "Authorization: Bearer <accessToken>". Keep it in memory only.' })
  accessToken!: string;

  @Field(() => String, { description: 'Bearer, always (RFC 6750).' })
  tokenType!: string;

  @Field(() => Int, { description: 'The seconds until the access token expires.' })
  expiresIn!: number;

  @Field(() => String, {
    description: 'Trade it for a new pair before or after the access token expires. Keep it in the secure storage of the platform.',
  })
  refreshToken!: string;

  @Field(() => Int, { description: 'The seconds until the refresh token expires if it is not used.' })
  refreshTokenExpiresIn!: number;

  @Field(() => String, { description: 'The scopes granted, separated by spaces (RFC 6749 section 3.3).' })
  scope!: string;

  @Field(() => SessionType, { description: 'The session that the tokens belong to.' })
  session!: SessionType;

  @Field(() => UserType, { description: 'The user who signed in.' })
  user!: UserType;
}

@ObjectType({ description: 'The answer to logout.' })
export class LogoutPayload {
  @Field(() => Boolean, {
    description:
      'True, always: the session that was named has ended, now or before. What names none, such as an expired access token alone, ends none.',
  })
  success!: boolean;
}

@ObjectType({ description: 'The answer to revokeSession.' })
export class RevokeSessionPayload {
  @Field(() => SessionType, { description: 'The session that has ended.' })
  session!: SessionType;
}

@ObjectType({ description: 'The answer to changePassword.' })
export class ChangePasswordPayload {
  @Field(() => UserType, { description: 'The user whose password was changed.' })
  user!: UserType;
}
