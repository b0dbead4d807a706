import DataLoader from 'dataloader';

import { ANONYMOUS, type AuthenticatedPrincipal, type Principal } from '../authorization/principal.js';
import type { Caller } from '../accounts/accounts.js';
import type { Logger } from '../log.js';
import type { Actor } from '../persistence/audit.store.js';
import type { ClientAddress } from '../persistence/client-address.js';
import type { SessionGrant, SessionRecord, SessionStore } from '../persistence/session.store.js';
import type { UserRecord } from '../persistence/user-record.js';
import type { UserStore } from '../persistence/user.store.js';
import type { SessionActivity } from '../sessions/activity.js';
import type { RevocationFeed } from '../sessions/revocation-feed.js';
import type { AccessTokens } from '../tokens/access-token.js';
import type { BearerCredentials } from '../tokens/bearer.js';

/** What every resolver is given: who asks, from where, and how to load what is shared. */
export class LatchkeyContext {
  principal: Principal;
  readonly client: ClientAddress;
  readonly requestId: string;
  private readonly dependencies: LoaderDependencies;
  private ownLoaders: Loaders | undefined;

  constructor(principal: Principal, { client, requestId }: IncomingRequest, dependencies: LoaderDependencies) {
    this.principal = principal;
    this.client = client;
    this.requestId = requestId;
    this.dependencies = dependencies;
  }

  /** Made when the first of them is used: most requests need none. */
  get loaders(): Loaders {
    return (this.ownLoaders ??= createLoaders(this.dependencies));
  }

  /** The caller as the domain sees one. */
  get caller(): Caller {
    return { ...this.client, signedIn: this.principal.kind === 'authenticated' ? this.principal : null };
  }

  /** Who makes a change, for the audit trail. */
  get actor(): Actor {
    return { ...this.client, userId: this.caller.signedIn?.subject ?? null };
  }

  /** Makes the rest of this request run as the session that it has just been given tokens of. */
  signIn(grant: SessionGrant): void {
    this.principal = toPrincipal({ ...grant, subject: grant.userId, authTime: Math.floor(grant.authTime) });
    this.loaders.user.prime(grant.userId, grant.user);
  }
}

/** Batched look-ups, remembered for one request. */
export interface Loaders {
  user: DataLoader<string, UserRecord>;
  session: DataLoader<string, SessionRecord>;
  /** The live sessions of a user. */
  sessionsOfUser: DataLoader<string, SessionRecord[]>;
}

export interface IncomingRequest {
  credentials: BearerCredentials;
  client: ClientAddress;
  requestId: string;
}

export type BuildContext = (request: IncomingRequest) => Promise<LatchkeyContext>;

interface LoaderDependencies {
  users: Pick<UserStore, 'byIds'>;
  sessions: Pick<SessionStore, 'byIds' | 'liveByUsers'>;
}

interface ContextDependencies extends LoaderDependencies {
  accessTokens: AccessTokens;
  revocations: Pick<RevocationFeed, 'stateOf'>;
  activity: SessionActivity;
  log: Logger;
}

/**
 * Makes the context builder, which verifies the bearer token once for all resolvers of a request.
 *
 * It never throws for a bad token: `login`, `refresh` and `logout` must work whatever a client still sends along. It reads no database.
 */
export function createContextBuilder(dependencies: ContextDependencies): BuildContext {
  return async (request) => {
    const principal = await authenticate(dependencies, request);
    return new LatchkeyContext(principal, request, dependencies);
  };
}

async function authenticate(
  { accessTokens, revocations, activity, log }: ContextDependencies,
  { credentials, requestId }: IncomingRequest,
): Promise<Principal> {
  if (credentials.kind === 'none') return ANONYMOUS;
  if (credentials.kind === 'malformed') return { kind: 'rejected', reason: 'TOKEN_INVALID' };
  try {
    const verdict = await accessTokens.verify(credentials.token);
    if (verdict.kind === 'rejected') {
      log.debug({ requestId, reason: verdict.reason, detail: verdict.detail }, 'an access token was rejected');
      return { kind: 'rejected', reason: verdict.reason };
    }
    const state = await revocations.stateOf(verdict.claims);
    if (state === 'SESSION_REVOKED') return { kind: 'rejected', reason: state };
    const { subject, sessionId } = verdict.claims;
    if (state === 'TOKEN_STALE') return { kind: 'rejected', reason: state, subject, sessionId };
    activity.see(verdict.claims);
    return toPrincipal(verdict.claims);
  } catch (error) {
    // Neither good nor bad: to call it bad would make a client drop its session.
    log.error({ requestId, err: error }, 'an access token could not be judged');
    return { kind: 'undecided' };
  }
}

function toPrincipal(claims: { subject: string; sessionId: string; scopes: readonly string[]; authTime: number }): AuthenticatedPrincipal {
  const { subject, sessionId, scopes, authTime } = claims;
  return { kind: 'authenticated', subject, sessionId, scopes: new Set(scopes), authTime };
}

function createLoaders({ users, sessions }: LoaderDependencies): Loaders {
  return {
    user: new DataLoader(async (ids: readonly string[]) => inOrder(ids, await users.byIds(ids))),
    session: new DataLoader(async (ids: readonly string[]) => inOrder(ids, await sessions.byIds(ids))),
    sessionsOfUser: new DataLoader(async (userIds: readonly string[]) => {
      const found = await sessions.liveByUsers(userIds);
      const byUser = Map.groupBy(found, (record) => record.userId);
      return userIds.map((userId) => byUser.get(userId) ?? []);
    }),
  };
}

function inOrder<T extends { id: string }>(ids: readonly string[], records: readonly T[]): (T | Error)[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return ids.map((id) => byId.get(id) ?? new Error('A row that was referred to is gone.'));
}
