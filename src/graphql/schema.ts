import 'reflect-metadata';

import { assertValidSchema, specifiedDirectives, type GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';

import type { Accounts } from '../accounts/accounts.js';
import type { AuditStore } from '../persistence/audit.store.js';
import type { UserStore } from '../persistence/user.store.js';
import type { Sessions } from '../sessions/sessions.js';
import { checkSchema } from './directives/check-schema.js';
import { authorizationDirectives } from './directives/definitions.js';
import { enforceDirectives } from './directives/enforce.js';
import { AuditResolver } from './resolvers/audit.resolver.js';
import { AuthenticationResolver } from './resolvers/authentication.resolver.js';
import { SessionResolver } from './resolvers/session.resolver.js';
import { UserResolver } from './resolvers/user.resolver.js';

/** A type-graphql resolver: an instance that was made with what it needs. */
export type ResolverInstance = object;

interface SchemaDependencies {
  accounts: Accounts;
  sessions: Sessions;
  users: Pick<UserStore, 'page'>;
  audit: Pick<AuditStore, 'page'>;
  /** The scopes that some role grants: a directive that names another is a fault. */
  grantableScopes: ReadonlySet<string>;
  /** Resolvers of your own fields. */
  resolvers?: readonly ResolverInstance[];
}

/**
 * Builds the schema, checks that it says who may use each root field, and makes its directives hold.
 *
 * @throws {SchemaError} with every fault; the server must not start then.
 */
export function buildSchema({ accounts, sessions, users, audit, grantableScopes, resolvers = [] }: SchemaDependencies): GraphQLSchema {
  const instances: ResolverInstance[] = [
    new AuthenticationResolver(accounts, sessions),
    new SessionResolver(sessions),
    new UserResolver(accounts, users),
    new AuditResolver(audit),
    ...resolvers,
  ];
  const schema = declareSchema(new Map(instances.map((instance) => [instance.constructor, instance])));
  checkSchema(schema, grantableScopes);
  return enforceDirectives(schema);
}

/** The names that `schema/operations` gives to operations: those of the root fields, with a capital. */
export function operationNamesOf(schema: GraphQLSchema): ReadonlySet<string> {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const names = roots.flatMap((type) => Object.keys(type?.getFields() ?? {}));
  return new Set(names.map((name) => name.charAt(0).toUpperCase() + name.slice(1)));
}

/** The schema of Latchkey alone, for showing: nothing stands behind its fields. */
export function declareCoreSchema(): GraphQLSchema {
  const resolvers = [AuthenticationResolver, SessionResolver, UserResolver, AuditResolver];
  return declareSchema(new Map(resolvers.map((resolverClass) => [resolverClass, undefined])));
}

function declareSchema(instances: ReadonlyMap<unknown, ResolverInstance | undefined>): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [...instances.keys()] as [() => unknown],
    container: { get: (resolverClass: unknown) => instances.get(resolverClass) },
    directives: [...specifiedDirectives, ...authorizationDirectives],
    // Inputs are parsed by the domain: one place, one kind of error, and no value echoed.
    validate: false,
    // It would run the whole introspection to the same end.
    skipCheck: true,
  });
  assertValidSchema(schema);
  return schema;
}
