import { fileURLToPath } from 'node:url';

import type { Accounts } from './accounts/accounts.js';
import { systemClock, type Clock } from './clock.js';
import type { Config } from './config/config.js';
import { createCore, type Core } from './core.js';
import { createApolloServer } from './graphql/apollo-server.js';
import { createContextBuilder } from './graphql/context.js';
import { buildSchema, operationNamesOf, type ResolverInstance } from './graphql/schema.js';
import { createHttpApp } from './http/app.js';
import { graphqlRoute } from './http/graphql-route.js';
import { healthRoutes } from './http/health.js';
import { explainListenFault } from './http/listen-fault.js';
import { listenForMetrics } from './http/metrics-server.js';
import { wellKnownRoutes } from './http/well-known.js';
import { createLogger, type Logger } from './log.js';
import { repeat } from './periodic.js';
import { openDatabase, requireMigrated, type Database } from './persistence/database.js';
import { INCARNATION, REVOCATION_CHANNEL } from './persistence/revocation.store.js';
import { FALLBACK_READS } from './sessions/revocation-feed.js';

const GRAPHIQL_ASSETS = fileURLToPath(new URL('../dist/graphiql', import.meta.url));
/** For polling revocations and reading keys, for listening, for notifying, and for looking up sessions when the feed is stale. */
const RESERVED_CONNECTIONS = 3 + FALLBACK_READS;
/** A poll that is not answered by then is lost, and the next one is wanted: revocations must hold again soon after a network has healed. */
const RESERVED_TIMEOUT_MS = 2000;
const HOUSEKEEPING_INTERVAL_MS = 60_000;

/** What a test, or an application that embeds Latchkey, may bring of its own. */
export interface ServerOverrides {
  clock?: Clock;
  log?: Logger;
  database?: Database;
  /** Resolvers of your own fields: type-graphql classes, made with what they need. */
  resolvers?: readonly ResolverInstance[];
  /** Done before anything is served: accounts that must be there, say. */
  prepare?: (accounts: Accounts) => Promise<void>;
}

export interface LatchkeyServer {
  /** Where it listens, as in `http://localhost:4000`. */
  url: string;
  /** Where metrics are served, if they are. */
  metricsUrl: string | undefined;
  accounts: Accounts;
  /** Stops taking requests, lets those in flight finish, writes what is buffered, and lets go of everything. */
  close(): Promise<void>;
}

/** Makes and wires everything, and listens. */
export async function createServer(config: Config, overrides: ServerOverrides = {}): Promise<LatchkeyServer> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? createLogger(config);
  const database = overrides.database ?? (await openDatabase(config, log));
  // PGlite has one connection, and whoever brings a database brings all of it.
  const isShared = config.databaseUrl === undefined || overrides.database !== undefined;
  const reserved = { databasePoolMax: RESERVED_CONNECTIONS, databaseTimeoutMs: Math.min(config.databaseTimeoutMs, RESERVED_TIMEOUT_MS) };
  const reservedDatabase = isShared ? database : await openDatabase({ ...config, ...reserved }, log);
  const closeDatabases = async () => {
    if (!isShared) await reservedDatabase.close();
    await database.close();
  };
  try {
    if (config.environment !== 'production') await database.migrate();
    await requireMigrated(database);
    const core = await createCore({ config, clock, log, database, reservedDatabase });
    const work = startWork({ core, reservedDatabase, log });
    try {
      return await serve({ config, log, database, core, work, overrides, closeDatabases });
    } catch (error) {
      await work.stop();
      throw error;
    }
  } catch (error) {
    await closeDatabases();
    throw error;
  }
}

interface ServeOptions {
  config: Config;
  log: Logger;
  database: Database;
  core: Core;
  work: Work;
  overrides: ServerOverrides;
  closeDatabases: () => Promise<void>;
}

async function serve({ config, log, database, core, work, overrides, closeDatabases }: ServeOptions): Promise<LatchkeyServer> {
  const { accounts, sessions, accessTokens, keys, revocations, activity, metrics, stores } = core;
  await keys.maintain();
  // Nothing is served before every live revocation is known.
  await revocations.start();

  const grantableScopes = new Set((await stores.users.roles()).flatMap((role) => role.scopes));
  const { resolvers = [], prepare } = overrides;
  const schema = buildSchema({ accounts, sessions, users: stores.users, audit: stores.audit, grantableScopes, resolvers });
  const apollo = createApolloServer({
    schema,
    introspection: config.introspection,
    metrics,
    operationNames: operationNamesOf(schema),
    log,
  });
  await apollo.start();
  const buildContext = createContextBuilder({
    accessTokens,
    revocations,
    activity,
    users: stores.users,
    sessions: stores.sessions,
    log,
  });

  let isDraining = false;
  let asking: Promise<string | undefined> | undefined;
  /** One question at a time, whoever asks: it must not take the connections of those who sign in. */
  const askIncarnation = () =>
    (asking ??= database
      .query<{ incarnation: string }>(`SELECT ${INCARNATION} AS incarnation`)
      .then(
        ([server]) => server?.incarnation,
        () => undefined,
      )
      .finally(() => (asking = undefined)));
  const readiness = async () => {
    const incarnation = await askIncarnation();
    return {
      database: incarnation !== undefined,
      keys: keys.isLoaded,
      revocations: revocations.isLoadedFrom(incarnation),
      serving: !isDraining,
    };
  };

  const app = await createHttpApp({ settings: config, log });
  await app.register(graphqlRoute({ apollo, buildContext }));
  await app.register(wellKnownRoutes({ keys }));
  await app.register(healthRoutes({ readiness }));
  if (config.graphiql) {
    // Where no page is served, nothing that serves one is loaded.
    const { graphiqlRoute } = await import('./http/graphiql-route.js');
    await app.register(graphiqlRoute({ assetsDir: GRAPHIQL_ASSETS }));
  }

  metrics.watch(
    'latchkey_revocation_feed_age_seconds',
    'How long ago the database last said what is revoked',
    () => revocations.ageMs / 1000,
  );
  metrics.watch('latchkey_revocations_live', 'Revocations held in memory', () => revocations.size);
  metrics.watch(
    'latchkey_argon2_waiting',
    'Logins, and whatever else hashes a password, that wait for their turn',
    () => core.hasher.waiting,
  );
  metrics.watch('latchkey_database_connections', 'Connections of the pool', () => database.poolState().total);
  metrics.watch('latchkey_database_connections_idle', 'Connections of the pool that nobody uses', () => database.poolState().idle);
  metrics.watch('latchkey_database_waiting', 'Callers that wait for a connection', () => database.poolState().waiting);

  await prepare?.(accounts);

  const metricsServer = await listenForMetrics(metrics, { host: config.host, port: config.metricsPort });
  const closeMetricsServer = () => {
    metricsServer?.close();
    metricsServer?.closeAllConnections();
  };
  const url = await app.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    closeMetricsServer();
    throw explainListenFault(error, { host: config.host, port: config.port, variable: 'PORT' });
  });
  const metricsAddress = metricsServer?.address();

  return {
    url: config.host === 'localhost' ? url.replace(/^http:\/\/(?:127\.0\.0\.1|\[::1\])/, 'http://localhost') : url,
    metricsUrl:
      typeof metricsAddress === 'object' && metricsAddress !== null
        ? `http://${config.host}:${String(metricsAddress.port)}/metrics`
        : undefined,
    accounts,
    async close() {
      isDraining = true;
      const cutOff = setTimeout(() => {
        app.server.closeAllConnections();
      }, config.shutdownTimeoutSeconds * 1000);
      await app.close();
      clearTimeout(cutOff);
      closeMetricsServer();
      await apollo.stop();
      await work.stop();
      await closeDatabases();
    },
  };
}

interface Work {
  /** Ends it all, and writes what is buffered. */
  stop(): Promise<void>;
}

/** Starts what runs by itself beside the requests. */
function startWork({ core, reservedDatabase, log }: { core: Core; reservedDatabase: Database; log: Logger }): Work {
  const { activity, keyMaintenance, revocations } = core;
  const listener = reservedDatabase.listen(REVOCATION_CHANNEL, () => {
    revocations.hint();
  });
  activity.start();
  const housekeeping = repeat({
    name: 'housekeeping',
    everyMs: HOUSEKEEPING_INTERVAL_MS,
    work: () => core.housekeeping.run(),
    log,
  });
  return {
    async stop() {
      // It holds a connection, which the database would wait for when it is closed.
      listener.stop();
      await housekeeping.stop();
      // The feed may still ask for the keys to be loaded.
      await revocations.stop();
      await keyMaintenance.stop();
      await activity.stop();
    },
  };
}
