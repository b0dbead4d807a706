import { Arg, Ctx, Directive, FieldResolver, GraphQLISODateTime, Int, Mutation, Query, Resolver, Root } from 'type-graphql';

import type { Accounts } from '../../accounts/accounts.js';
import { authenticated, refusalOf } from '../../authorization/requirement.js';
import type { UserStore } from '../../persistence/user.store.js';
import type { LatchkeyContext } from '../context.js';
import { decodeCursor, encodeCursor, parsePageSize } from '../inputs/page.js';
import { SetUserDisabledInput, SetUserRolesInput } from '../inputs/inputs.js';
import { parseUserId } from '../inputs/parse.js';
import { SessionType } from '../types/session.type.js';
import { pageInfo } from '../types/page.type.js';
import { UserConnection, UserType } from '../types/user.type.js';

/** Users, as they see themselves and as administrators see them. */
@Resolver(() => UserType)
export class UserResolver {
  constructor(
    private readonly accounts: Accounts,
    private readonly users: Pick<UserStore, 'page'>,
  ) {}

  @Directive('@authenticated')
  @Query(() => UserType, { description: 'The user whose access token this is.' })
  viewer(@Ctx() { principal }: LatchkeyContext): UserType {
    return new UserType(authenticated(principal).subject);
  }

  @Directive('@requiresScopes(scopes: [["users:read"]])')
  @Query(() => UserConnection, { name: 'users', description: 'All users, in the order of registration.' })
  async listUsers(
    @Arg('first', () => Int, { nullable: true, defaultValue: 50, description: 'How many, from 1 to 100.' }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: 'The endCursor of the page before.' }) after: string | null | undefined,
    @Ctx() { loaders }: LatchkeyContext,
  ): Promise<UserConnection> {
    const afterId = after == null ? undefined : decodeCursor(after);
    const { users, hasMore, totalCount } = await this.users.page(parsePageSize(first), afterId);
    for (const user of users) loaders.user.prime(user.id, user);
    const edges = users.map(({ id }) => ({ cursor: encodeCursor(id), node: new UserType(id) }));
    return { edges, pageInfo: pageInfo(edges, { hasNextPage: hasMore, hasPreviousPage: afterId !== undefined }), totalCount };
  }

  @Directive('@requiresScopes(scopes: [["users:write"]])')
  @Mutation(() => UserType, {
    description: 'Replaces the roles of a user. It takes effect at once: tokens issued before must be refreshed.',
  })
  async setUserRoles(
    @Arg('input', () => SetUserRolesInput, { description: 'The user and the roles.' }) input: SetUserRolesInput,
    @Ctx() { actor, loaders }: LatchkeyContext,
  ): Promise<UserType> {
    const userId = parseUserId(input.userId, 'userId');
    await this.accounts.setRoles(userId, input.roles, actor);
    loaders.user.clear(userId);
    return new UserType(userId);
  }

  @Directive('@requiresScopes(scopes: [["users:write"]])')
  @Mutation(() => UserType, { description: 'Disables a user, which ends every session, or enables one again.' })
  async setUserDisabled(
    @Arg('input', () => SetUserDisabledInput, { description: 'The user, and whether to disable.' }) input: SetUserDisabledInput,
    @Ctx() { actor, loaders }: LatchkeyContext,
  ): Promise<UserType> {
    const userId = parseUserId(input.userId, 'userId');
    await this.accounts.setDisabled(userId, input.disabled, actor);
    loaders.user.clear(userId);
    return new UserType(userId);
  }

  @FieldResolver(() => String, { description: 'The e-mail address, as it was given.' })
  async email(@Root() { id }: UserType, @Ctx() { loaders }: LatchkeyContext): Promise<string> {
    return (await loaders.user.load(id)).email;
  }

  @FieldResolver(() => String, { nullable: true, description: 'The username, if one was chosen.' })
  async username(@Root() { id }: UserType, @Ctx() { loaders }: LatchkeyContext): Promise<string | null> {
    return (await loaders.user.load(id)).username;
  }

  @FieldResolver(() => [String], { description: 'The names of the roles, sorted.' })
  async roles(@Root() { id }: UserType, @Ctx() { loaders }: LatchkeyContext): Promise<readonly string[]> {
    return (await loaders.user.load(id)).roles;
  }

  @Directive('@requiresScopes(scopes: [["users:read"]])')
  @FieldResolver(() => Boolean, { description: 'Whether signing in is refused.' })
  async disabled(@Root() { id }: UserType, @Ctx() { loaders }: LatchkeyContext): Promise<boolean> {
    return (await loaders.user.load(id)).disabled;
  }

  @FieldResolver(() => GraphQLISODateTime, { description: 'When the account was made.' })
  async createdAt(@Root() { id }: UserType, @Ctx() { loaders }: LatchkeyContext): Promise<Date> {
    return (await loaders.user.load(id)).createdAt;
  }

  @FieldResolver(() => [SessionType], {
    description: 'The live sessions, the last seen first, a hundred at most. Those of another user need the scope users:read.',
  })
  async sessions(@Root() { id }: UserType, @Ctx() { principal, loaders }: LatchkeyContext): Promise<SessionType[]> {
    const refusal = authenticated(principal).subject === id ? undefined : refusalOf({ kind: 'scopes', anyOf: [['users:read']] }, principal);
    if (refusal !== undefined) throw refusal;
    const sessions = await loaders.sessionsOfUser.load(id);
    return sessions.map((session) => new SessionType(session.id, session));
  }
}
