import { Arg, Ctx, Directive, Extensions, Mutation, Resolver } from 'type-graphql';

import type { Accounts } from '../../accounts/accounts.js';
import { authenticated } from '../../authorization/requirement.js';
import type { Sessions } from '../../sessions/sessions.js';
import type { TokenPair } from '../../sessions/token-pair.js';
import type { LatchkeyContext } from '../context.js';
import { CREDENTIAL_FIELD } from '../limits.js';
import { ChangePasswordInput, LoginInput, LogoutInput, RefreshInput, RegisterInput, SessionSelection } from '../inputs/inputs.js';
import { parseAttemptId, parseDevice, parseScopes } from '../inputs/parse.js';
import { ChangePasswordPayload, LogoutPayload, TokenResponse } from '../types/payloads.type.js';
import { SessionType } from '../types/session.type.js';
import { UserType } from '../types/user.type.js';

/** Signing up, in and out. */
@Resolver()
export class AuthenticationResolver {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
  ) {}

  @Directive('@public')
  @Extensions(CREDENTIAL_FIELD)
  @Mutation(() => TokenResponse, { description: 'Makes an account and signs it in.' })
  async register(
    @Arg('input', () => RegisterInput, { description: 'Who registers.' }) input: RegisterInput,
    @Ctx() context: LatchkeyContext,
  ): Promise<TokenResponse> {
    const device = parseDevice(input.device);
    const user = await this.accounts.register(input, context.caller);
    return respond(context, await this.sessions.start({ ...user, device, scopes: null, client: context.client }));
  }

  @Directive('@public')
  @Extensions(CREDENTIAL_FIELD)
  @Mutation(() => TokenResponse, { description: 'Signs in by e-mail address or username, and starts a session.' })
  async login(
    @Arg('input', () => LoginInput, { description: 'Who signs in.' }) input: LoginInput,
    @Ctx() context: LatchkeyContext,
  ): Promise<TokenResponse> {
    const device = parseDevice(input.device);
    const scopes = parseScopes(input);
    const user = await this.accounts.authenticate(input.identifier, input.password, context.caller);
    return respond(context, await this.sessions.start({ ...user, device, scopes, client: context.client }));
  }

  @Directive('@public')
  @Extensions(CREDENTIAL_FIELD)
  @Mutation(() => TokenResponse, {
    description: 'Trades a refresh token for a new pair. Safe to repeat: a retry gets the same successor. No access token is needed.',
  })
  async refresh(
    @Arg('input', () => RefreshInput, { description: 'The refresh token.' }) input: RefreshInput,
    @Ctx() context: LatchkeyContext,
  ): Promise<TokenResponse> {
    const attemptId = parseAttemptId(input);
    return respond(context, await this.sessions.refresh({ refreshToken: input.refreshToken, attemptId, client: context.client }));
  }

  @Directive('@public')
  @Mutation(() => LogoutPayload, { description: 'Ends sessions. Safe to repeat; what cannot name a session ends none, and succeeds too.' })
  async logout(
    @Arg('input', () => LogoutInput, { nullable: true, description: 'What to end; left out, the session of the bearer token.' })
    input: LogoutInput | null | undefined,
    @Ctx() { principal, actor }: LatchkeyContext,
  ): Promise<LogoutPayload> {
    await this.sessions.logout(principal, actor, input?.refreshToken ?? null, input?.sessions ?? SessionSelection.THIS_SESSION);
    return { success: true };
  }

  @Directive('@authenticated')
  @Extensions(CREDENTIAL_FIELD)
  @Mutation(() => ChangePasswordPayload, {
    description: 'Replaces the password of the caller, and ends every other session unless told otherwise.',
  })
  async changePassword(
    @Arg('input', () => ChangePasswordInput, { description: 'The passwords.' }) input: ChangePasswordInput,
    @Ctx() context: LatchkeyContext,
  ): Promise<ChangePasswordPayload> {
    const { subject, sessionId } = authenticated(context.principal);
    await this.accounts.changePassword({ ...input, userId: subject, sessionId }, context.caller);
    return { user: new UserType(subject) };
  }
}

function respond(context: LatchkeyContext, pair: TokenPair): TokenResponse {
  const { grant, ...tokens } = pair;
  context.signIn(grant);
  return { ...tokens, tokenType: 'Bearer', session: new SessionType(grant.sessionId), user: new UserType(grant.userId) };
}
