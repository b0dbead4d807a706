import type { ApolloServer } from '@apollo/server';
import type { GraphQLFormattedError } from 'graphql';
import { vi } from 'vitest';

import type { Accounts, Authenticated } from '../../src/accounts/accounts.js';
import type { Principal } from '../../src/authorization/principal.js';
import { createApolloServer } from '../../src/graphql/apollo-server.js';
import { LatchkeyContext } from '../../src/graphql/context.js';
import { buildSchema, operationNamesOf, type ResolverInstance } from '../../src/graphql/schema.js';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import type { AuditRecord, AuditStore } from '../../src/persistence/audit.store.js';
import type { SessionRecord, SessionStore } from '../../src/persistence/session.store.js';
import type { UserRecord } from '../../src/persistence/user-record.js';
import type { UserStore } from '../../src/persistence/user.store.js';
import type { Sessions } from '../../src/sessions/sessions.js';
import type { TokenPair } from '../../src/sessions/token-pair.js';
import { recordingLog, type LogLine } from './log.js';

export const ADA = '019aa000-0000-7000-8000-00000000000a';
export const BOB = '019aa000-0000-7000-8000-00000000000b';
export const ADAS_SESSION = '019aa000-0000-7000-8000-0000000000a1';

export const ANYONE: Principal = { kind: 'anonymous' };

/** Ada, signed in with these scopes. */
export function ada(...scopes: string[]): Principal {
  return { kind: 'authenticated', subject: ADA, sessionId: ADAS_SESSION, scopes: new Set(scopes), authTime: 0 };
}

export function userRecord(id: string): UserRecord {
  return { id, email: `${id}@example.com`, username: null, roles: ['user'], disabled: false, createdAt: new Date(0) };
}

export function sessionRecord(id: string, userId: string): SessionRecord {
  const [createdAt, lastSeenAt, expiresAt] = [new Date(0), new Date(0), new Date(0)];
  return { id, userId, deviceName: null, devicePlatform: 'IOS', createdAt, lastSeenAt, expiresAt, ipAddress: null, userAgent: null };
}

function auditRecord(id: string): AuditRecord {
  const nobodyInParticular = { userId: ADA, sessionId: ADAS_SESSION, actorId: ADA, ipAddress: null, userAgent: null };
  return { id, occurredAt: new Date(0), type: 'SIGNED_IN', ...nobodyInParticular, reason: null };
}

const AUTHENTICATED: Authenticated = { userId: ADA, passwordHash: 'of a password' };

export const PAIR: TokenPair = {
  accessToken: 'access',
  expiresIn: 900,
  refreshToken: 'refresh',
  refreshTokenExpiresIn: 1000,
  scope: '',
  grant: {
    sessionId: ADAS_SESSION,
    userId: ADA,
    generation: 1,
    userVersion: 1,
    scopes: [],
    now: 0,
    authTime: 0,
    idleExpiresAt: 0,
    absoluteExpiresAt: 0,
    user: userRecord(ADA),
  },
};

/** What stands behind the schema, each call recorded. */
function createFakes() {
  return {
    accounts: {
      register: vi.fn<Accounts['register']>(async () => AUTHENTICATED),
      authenticate: vi.fn<Accounts['authenticate']>(async () => AUTHENTICATED),
      changePassword: vi.fn<Accounts['changePassword']>(async () => undefined),
      resetPassword: vi.fn<Accounts['resetPassword']>(async () => undefined),
      setRoles: vi.fn<Accounts['setRoles']>(async () => undefined),
      unlock: vi.fn<Accounts['unlock']>(async () => undefined),
      setDisabled: vi.fn<Accounts['setDisabled']>(async () => undefined),
    },
    sessions: {
      start: vi.fn<Sessions['start']>(async () => PAIR),
      refresh: vi.fn<Sessions['refresh']>(async () => PAIR),
      logout: vi.fn<Sessions['logout']>(async () => undefined),
      revoke: vi.fn<Sessions['revoke']>(async (_principal, _actor, id) => sessionRecord(id, ADA)),
    },
    users: {
      byIds: vi.fn<UserStore['byIds']>(async (ids) => ids.map(userRecord)),
      page: vi.fn<UserStore['page']>(async () => ({ users: [userRecord(ADA), userRecord(BOB)], hasMore: false, totalCount: 2 })),
    },
    audit: {
      page: vi.fn<AuditStore['page']>(async () => ({ events: [auditRecord('1')], hasMore: false })),
    },
    sessionStore: {
      byIds: vi.fn<SessionStore['byIds']>(async (ids) => ids.map((id) => sessionRecord(id, ADA))),
      liveByUsers: vi.fn<SessionStore['liveByUsers']>(async (ids) => ids.map((id) => sessionRecord(ADAS_SESSION, id))),
    },
  };
}

export interface Reply {
  data: Record<string, unknown> | null | undefined;
  errors: readonly GraphQLFormattedError[];
  challenge: string | undefined;
}

export interface GraphqlEngine {
  fakes: ReturnType<typeof createFakes>;
  lines: LogLine[];
  metrics: Metrics;
  apollo: ApolloServer<LatchkeyContext>;
  run(query: string, principal?: Principal, variables?: Record<string, unknown>): Promise<Reply>;
}

/** The real schema in the real engine, on fakes. */
export function createGraphqlEngine({
  introspection = true,
  resolvers = [],
}: { introspection?: boolean; resolvers?: readonly ResolverInstance[] } = {}): GraphqlEngine {
  const fakes = createFakes();
  const { log, lines } = recordingLog();
  const grantableScopes = new Set(['users:read', 'users:write', 'audit:read']);
  const { accounts, sessions, users, audit } = fakes;
  const schema = buildSchema({ accounts, sessions, users, audit, grantableScopes, resolvers });
  const metrics = createMetrics();
  const apollo = createApolloServer({ schema, introspection, metrics, operationNames: operationNamesOf(schema), log });
  return {
    fakes,
    lines,
    metrics,
    apollo,
    async run(query, principal = ANYONE, variables = {}) {
      const request = { credentials: { kind: 'none' as const }, client: { ipAddress: null, userAgent: null }, requestId: 'request-1' };
      const contextValue = new LatchkeyContext(principal, request, { users: fakes.users, sessions: fakes.sessionStore });
      const { body, http } = await apollo.executeOperation({ query, variables }, { contextValue });
      if (body.kind !== 'single') throw new Error('The answer came in parts.');
      const { data, errors = [] } = body.singleResult;
      return {
        // Apollo's objects have no prototype.
        data: data === undefined ? undefined : (JSON.parse(JSON.stringify(data)) as Record<string, unknown> | null),
        errors,
        challenge: http.headers.get('www-authenticate'),
      };
    },
  };
}
