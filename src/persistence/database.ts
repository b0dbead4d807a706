import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { PGlite } from '@electric-sql/pglite';
import { Migrator } from '@mikro-orm/migrations';
import type { MikroORM as PgliteORM } from '@mikro-orm/pglite';
import { MikroORM as PostgresORM, type EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';

import type { Config } from '../config/config.js';
import { OperatorError } from '../errors.js';
import type { Logger } from '../log.js';
import { lockDataFolder } from './data-folder-lock.js';
import { toServiceUnavailable } from './database-errors.js';
import { AuditEvent } from './entities/audit-event.entity.js';
import { Credential } from './entities/credential.entity.js';
import { Revocation } from './entities/revocation.entity.js';
import { Role } from './entities/role.entity.js';
import { Session } from './entities/session.entity.js';
import { SigningKeyRow } from './entities/signing-key.entity.js';
import { Throttle } from './entities/throttle.entity.js';
import { User } from './entities/user.entity.js';
import { createPreparedExecutor, endWhenUnanswered, listenOnPostgres, type PostgresPool } from './postgres-connections.js';

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));

/** "latchkey" in ASCII, cut to fit: the advisory lock that migrations run under. */
const MIGRATION_LOCK = 0x6c61746368;
const MIGRATION_LOCK_INTERVAL_MS = 100;
const MIGRATION_LOCK_TRIES = 600;

const ANSWER_MARGIN_MS = 500;

export type SqlValue = string | number | boolean | null | Date | Buffer | readonly string[] | readonly number[];

/** The database: PGlite or PostgreSQL, which nobody above needs to know. */
export interface Database {
  /**
   * Runs one statement with `$1`-style parameters, which never become part of its text. Whatever must be atomic is one statement.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE when the database cannot be reached, or has no time.
   */
  query<Row>(sql: string, parameters?: readonly SqlValue[]): Promise<Row[]>;
  /** Reads entities with an entity manager of its own. Throws as `query` does. */
  read<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  /** Applies the migrations that are missing, one process at a time, and tells their names. */
  migrate(): Promise<string[]>;
  pendingMigrations(): Promise<string[]>;
  /** The statements that would make the database agree with the entities: none, once migrated. */
  driftFromEntities(): Promise<string>;
  /** Calls back at each notification on a channel, and whenever it has connected anew; where there is no one else to notify, never. */
  listen(channel: string, onNotification: () => void): DatabaseListener;
  /** Connections of the pool, in use and idle, and callers that wait for one. */
  poolState(): { total: number; idle: number; waiting: number };
  close(): Promise<void>;
}

export interface DatabaseListener {
  stop(): void;
}

/** However long statements may take: everybody else queues behind a migration that waits for a table. */
const LONGEST_LOCK_WAIT_MS = 5000;

type DatabaseConfig = Pick<Config, 'databaseUrl' | 'dataDir' | 'databasePoolMax' | 'databaseTimeoutMs'>;

/** Opens the PostgreSQL of `databaseUrl`, or else the PGlite in `dataDir`. It connects when it is first used. */
export async function openDatabase(config: DatabaseConfig, log: Logger): Promise<Database> {
  const shared = {
    entities: [User, Role, Credential, Session, SigningKeyRow, Revocation, AuditEvent, Throttle],
    extensions: [Migrator],
    migrations: { path: MIGRATIONS_FOLDER, glob: '*.ts', snapshot: false, tableName: 'migration' },
    logger: (message: string) => {
      log.debug(message);
    },
    colors: false,
    ensureDatabase: false,
  };
  if (config.databaseUrl === undefined) {
    const unlock = lockDataFolder(config.dataDir);
    const pglite = await openPglite(join(config.dataDir, 'pglite'));
    const { MikroORM: PgliteORM } = await import('@mikro-orm/pglite');
    const orm = new PgliteORM({ ...shared, dbName: 'latchkey', driverOptions: { pglite: () => pglite } });
    return wrap(orm, {
      withMigrationLock: (work) => work(),
      // The folder is locked: there is no other process.
      listen: () => ({ stop: () => undefined }),
      poolState: () => ({ total: 1, idle: 0, waiting: 0 }),
      execute: async (sql, parameters) => {
        const result = await orm.em.getConnection().getClient().executeQuery(CompiledQuery.raw(sql, parameters));
        return result.rows;
      },
      async onClose() {
        await pglite.close();
        unlock();
      },
    });
  }
  let pool: PostgresPool | undefined;
  const orm = new PostgresORM({
    ...shared,
    clientUrl: config.databaseUrl,
    driverOptions: {
      // MikroORM reads host, port, user, password and database of it, and drops the rest: sslmode, above all.
      connectionString: config.databaseUrl,
      onPoolCreated: (created: PostgresPool) => {
        pool = created;
        created.on('connect', (client) => {
          endWhenUnanswered(client);
        });
      },
      application_name: 'latchkey',
      max: config.databasePoolMax,
      keepAlive: true,
      connectionTimeoutMillis: config.databaseTimeoutMs,
      statement_timeout: config.databaseTimeoutMs,
      // PostgreSQL itself ends a statement in time. Without an answer after that, nobody is there.
      query_timeout: config.databaseTimeoutMs + ANSWER_MARGIN_MS,
      lock_timeout: Math.min(config.databaseTimeoutMs, LONGEST_LOCK_WAIT_MS),
      idle_in_transaction_session_timeout: config.databaseTimeoutMs,
    },
  });
  return wrap(orm, {
    // A connection of its own holds the lock while the migrator uses others.
    withMigrationLock: (work) =>
      orm.em
        .getConnection()
        .getClient()
        .connection()
        .execute(async (connection) => {
          // Asked for again and again: no single statement may take as long as someone else's migration does.
          const tryLock = CompiledQuery.raw('SELECT pg_try_advisory_lock($1) AS locked', [MIGRATION_LOCK]);
          const isLocked = async () => (await connection.executeQuery<{ locked: boolean }>(tryLock)).rows[0]?.locked === true;
          for (let tries = 0; !(await isLocked()); tries += 1) {
            if (tries === MIGRATION_LOCK_TRIES) throw new Error('Another process has been migrating the database for a minute.');
            await setTimeout(MIGRATION_LOCK_INTERVAL_MS);
          }
          try {
            return await work();
          } finally {
            await connection.executeQuery(CompiledQuery.raw('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]));
          }
        }),
    listen: (channel, onNotification) => listenOnPostgres(() => orm.em.getConnection().getNativeClient(), channel, onNotification),
    poolState: () => ({ total: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 }),
    execute: createPreparedExecutor(() => orm.em.getConnection().getNativeClient()),
    onClose: () => Promise.resolve(),
  });
}

/** @throws {OperatorError} when the database lacks a migration. One that is newer than this program has more, and serves all the same. */
export async function requireMigrated(database: Database): Promise<void> {
  const { length } = await database.pendingMigrations();
  if (length > 0) {
    throw new OperatorError(`The database lacks ${length === 1 ? 'a migration' : `${length} migrations`}. Apply first: latchkey migrate`);
  }
}

/** Opens the folder, or fills it from an archive: several times faster than letting PGlite initialise it. */
async function openPglite(folder: string): Promise<PGlite> {
  // Loaded where it is used: a server on PostgreSQL starts a fifth sooner without it.
  const { PGlite, types } = await import('@electric-sql/pglite');
  const { dataDir: prepopulatedDataDir } = await import('@electric-sql/pglite-prepopulatedfs');
  const isFresh = !existsSync(folder);
  return PGlite.create({
    dataDir: folder,
    ...(isFresh ? { loadDataDir: await prepopulatedDataDir() } : {}),
    // Dates as MikroORM wants them from every driver: as text.
    parsers: Object.fromEntries([types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ].map((oid) => [oid, (text: string) => text])),
  });
}

interface Variant {
  withMigrationLock: <T>(work: () => Promise<T>) => Promise<T>;
  listen: Database['listen'];
  poolState: Database['poolState'];
  execute: (sql: string, parameters: unknown[]) => Promise<unknown[]>;
  onClose: () => Promise<void>;
}

function wrap(orm: PostgresORM | PgliteORM, { withMigrationLock, listen, poolState, execute, onClose }: Variant): Database {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toServiceUnavailable(error);
    }
  };
  const pendingMigrations = async () => (await orm.migrator.getPending()).map(({ name }) => name);
  return {
    query: (sql, parameters = []) => guarded(async () => (await execute(sql, [...parameters])) as never[]),
    read: (work) => guarded(() => work(orm.em.fork() as EntityManager)),
    migrate: () =>
      guarded(() =>
        withMigrationLock(async () => {
          const names = await pendingMigrations();
          if (names.length > 0) await orm.migrator.up();
          return names;
        }),
      ),
    pendingMigrations: () => guarded(pendingMigrations),
    driftFromEntities: () => guarded(() => orm.schema.getUpdateSchemaSQL({ wrap: false })),
    listen,
    poolState,
    async close() {
      await orm.close(true);
      await onClose();
    },
  };
}
