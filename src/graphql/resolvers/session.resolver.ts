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
    @Ctx() { principal, actor, loaders }: LatchkeyContext,
  ): Promise<RevokeSessionPayload> {
    const record = await this.sessions.revoke(authenticated(principal), actor, input.sessionId);
    loaders.session.prime(record.id, record);
    return { session: new SessionType(record.id) };
  }

  @FieldResolver(() => Device, { description: 'The device that signed in.' })
  async device(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<Device> {
    const { deviceName, devicePlatform } = await loaders.session.load(id);
    return { name: deviceName, platform: toDevicePlatform(devicePlatform) };
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When it was started by signing in.' })
  async createdAt(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<Date> {
    return (await loaders.session.load(id)).createdAt;
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When one of its tokens was last used, to about a minute.' })
  async lastSeenAt(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<Date> {
    return (await loaders.session.load(id)).lastSeenAt;
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When it ends if it is not refreshed.' })
  async expiresAt(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<Date> {
    return (await loaders.session.load(id)).expiresAt;
  }

  @FieldResolver(() => Boolean, { description: 'Whether it is the one that asks.' })
  current(@Root() { id }: SessionType, @Ctx() { principal }: LatchkeyContext): boolean {
    return principal.kind === 'authenticated' && principal.sessionId === id;
  }

  @FieldResolver(() => String, { nullable: true, description: 'The address that it last signed in or refreshed from.' })
  async ipAddress(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<string | null> {
    return (await loaders.session.load(id)).ipAddress;
  }

  @FieldResolver(() => String, { nullable: true, description: 'The user agent that it last signed in or refreshed with.' })
  async userAgent(@Root() { id }: SessionType, @Ctx() { loaders }: LatchkeyContext): Promise<string | null> {
    return (await loaders.session.load(id)).userAgent;
  }
}
