import { fileURLToPath } from 'node:url';

import { createAccounts, type Accounts } from './accounts/accounts.js';
import { createPasswordPolicy } from './accounts/password-policy.js';
import { systemClock, type Clock } from './clock.js';
import type { Config } from './config/config.js';
import { createPasswordHasher } from './crypto/password-hasher.js';
import { createSecretRing } from './crypto/secret-ring.js';
import { createApolloServer } from './graphql/apollo-server.js';
import { createContextBuilder } from './graphql/context.js';
import { buildSchema, type ResolverInstance } from './graphql/schema.js';
import { createHttpApp } from './http/app.js';
import { graphiqlRoute } from './http/graphiql-route.js';
import { graphqlRoute } from './http/graphql-route.js';
import { healthRoutes } from './http/health.js';
import { wellKnownRoutes } from './http/well-known.js';
import { createKeyRing } from './keys/key-ring.js';
import { createLogger, type Logger } from './log.js';
import { openDatabase, type Database } from './persistence/database.js';
import { createSessionStore } from './persistence/session.store.js';
import { createSigningKeyStore } from './persistence/signing-key.store.js';
import { createUserStore, type UserStore } from './persistence/user.store.js';
import { createSessionActivity } from './sessions/activity.js';
import { createSessions } from './sessions/sessions.js';
import { createAccessTokens } from './tokens/access-token.js';

const GRAPHIQL_ASSETS = fileURLToPath(new URL('../dist/graphiql', import.meta.url));

/** What a test, or an application that embeds Latchkey, may bring of its own. */
export interface ServerOverrides {
  clock?: Clock;
  log?: Logger;
  database?: Database;
  /** Resolvers of your own fields: type-graphql classes, made with what they need. */
  resolvers?: readonly ResolverInstance[];
}

export interface LatchkeyServer {
  /** Where it listens, as in `http://localhost:4000`. */
  url: string;
  accounts: Accounts;
  users: UserStore;
  /** Stops taking requests, lets those in flight finish, writes what is buffered, and lets go of everything. */
  close(): Promise<void>;
}

/** Makes and wires everything, and listens. The one place where objects are made. */
export async function createServer(config: Config, overrides: ServerOverrides = {}): Promise<LatchkeyServer> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? createLogger(config);
  const database = overrides.database ?? (await openDatabase(config, log));
  try {
    return await start(config, { clock, log, database, resolvers: overrides.resolvers ?? [] });
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function start(config: Config, { clock, log, database, resolvers }: Required<ServerOverrides>): Promise<LatchkeyServer> {
  if (config.environment !== 'production') await database.migrate();
  const pending = await database.pendingMigrations();
  if (pending.length > 0) throw new Error(`The database lacks ${String(pending.length)} migrations. Apply them first: latchkey migrate`);

  const secrets = createSecretRing(config.secrets);
  const users = createUserStore(database);
  const sessionStore = createSessionStore(database);

  const keys = createKeyRing({ store: createSigningKeyStore(database), secrets, algorithm: config.signingAlgorithm, clock, log });
  await keys.load();
  const accessTokens = createAccessTokens({ keys, clock, settings: config });
  const activity = createSessionActivity({ sessions: sessionStore, clock, log });
  activity.start();

  const hasher = await createPasswordHasher(config.argon2);
  const accounts = createAccounts({ users, hasher, policy: createPasswordPolicy({ minLength: config.passwordMinLength }) });
  const sessions = createSessions({ store: sessionStore, secrets, accessTokens, activity, settings: config, log });

  const grantableScopes = new Set((await users.roles()).flatMap((role) => role.scopes));
  const schema = buildSchema({ accounts, sessions, users, grantableScopes, resolvers });
  const apollo = createApolloServer({ schema, introspection: config.introspection, log });
  await apollo.start();
  const buildContext = createContextBuilder({ accessTokens, activity, users, sessions: sessionStore, log });

  let isDraining = false;
  const readiness = async () => ({
    database: await database.query('SELECT 1').then(
      () => true,
      () => false,
    ),
    keys: keys.isLoaded,
    serving: !isDraining,
  });

  const app = await createHttpApp({ settings: config, log });
  await app.register(graphqlRoute({ apollo, buildContext }));
  await app.register(wellKnownRoutes({ keys }));
  await app.register(healthRoutes({ readiness }));
  if (config.graphiql) await app.register(graphiqlRoute({ assetsDir: GRAPHIQL_ASSETS }));
  const url = await app.listen({ host: config.host, port: config.port });

  return {
    url: url.replace(/^http:\/\/(?:127\.0\.0\.1|\[::1\])/, config.host === 'localhost' ? 'http://localhost' : '$&'),
    accounts,
    users,
    async close() {
      isDraining = true;
      const cutOff = setTimeout(() => {
        app.server.closeAllConnections();
      }, config.shutdownTimeoutSeconds * 1000);
      await app.close();
      clearTimeout(cutOff);
      await apollo.stop();
      await activity.stop();
      await database.close();
    },
  };
}
