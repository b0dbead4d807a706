import { Arg, Ctx, Directive, FieldResolver, GraphQLISODateTime, Mutation, Resolver, Root } from 'type-graphql';

import { authenticated } from '../../authorization/requirement.js';
import type { Sessions } from '../../sessions/sessions.js';
import type { LatchkeyContext } from '../context.js';
import { RevokeSessionInput } from '../inputs/inputs.js';
import { RevokeSessionPayload } from '../types/payloads.type.js';
import { Device, toDevicePlatform, SessionType } from '../types/session.type.js';

/** What a session tells of itself, and how its user ends it. */
@Resolver(() => SessionType)
export class SessionResolver {
  constructor(private readonly sessions: Sessions) {}

  @Directive('@authenticated')
  @Mutation(() => RevokeSessionPayload, { description: "Ends one of the caller's sessions: a lost phone, say." })
  async revokeSession(
    @Arg('input', () => RevokeSessionInput, { description: 'The session.' }) input: RevokeSessionInput,
    @Ctx() { principal, actor }: LatchkeyContext,
  ): Promise<RevokeSessionPayload> {
    const record = await this.sessions.revoke(authenticated(principal), actor, input.sessionId);
    return { session: new SessionType(record.id, record) };
  }

  @FieldResolver(() => Device, { description: 'The device that signed in.' })
  device(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): Device | Promise<Device> {
    return session.read(loaders, (record) => ({ name: record.deviceName, platform: toDevicePlatform(record.devicePlatform) }));
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When it was started by signing in.' })
  createdAt(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): Date | Promise<Date> {
    return session.read(loaders, (record) => record.createdAt);
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When one of its tokens was last used, to about a minute.' })
  lastSeenAt(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): Date | Promise<Date> {
    return session.read(loaders, (record) => record.lastSeenAt);
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When it ends if it is not refreshed.' })
  expiresAt(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): Date | Promise<Date> {
    return session.read(loaders, (record) => record.expiresAt);
  }

  @FieldResolver(() => Boolean, { description: 'Whether it is the one that asks.' })
  current(@Root() { id }: SessionType, @Ctx() { principal }: LatchkeyContext): boolean {
    return principal.kind === 'authenticated' && principal.sessionId === id;
  }

  @FieldResolver(() => String, { nullable: true, description: 'The address that it last signed in or refreshed from.' })
  ipAddress(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): string | null | Promise<string | null> {
    return session.read(loaders, (record) => record.ipAddress);
  }

  @FieldResolver(() => String, { nullable: true, description: 'The user agent that it last signed in or refreshed with.' })
  userAgent(@Root() session: SessionType, @Ctx() { loaders }: LatchkeyContext): string | null | Promise<string | null> {
    return session.read(loaders, (record) => record.userAgent);
  }
}
