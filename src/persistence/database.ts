import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PGlite, types } from '@electric-sql/pglite';
import { dataDir as prepopulatedDataDir } from '@electric-sql/pglite-prepopulatedfs';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM as PgliteORM } from '@mikro-orm/pglite';
import { MikroORM as PostgresORM, type EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';

import type { Config } from '../config/config.js';
import type { Logger } from '../log.js';
import { lockDataFolder } from './data-folder-lock.js';
import { toServiceUnavailable } from './database-errors.js';
import { Credential } from './entities/credential.entity.js';
import { Role } from './entities/role.entity.js';
import { Session } from './entities/session.entity.js';
import { SigningKeyRow } from './entities/signing-key.entity.js';
import { User } from './entities/user.entity.js';

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));

/** "latchkey" in ASCII, cut to fit: the advisory lock that migrations run under. */
const MIGRATION_LOCK = 0x6c61746368;

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
  close(): Promise<void>;
}

type DatabaseConfig = Pick<Config, 'databaseUrl' | 'dataDir' | 'databasePoolMax' | 'databaseTimeoutMs'>;

/** Opens the PostgreSQL of `databaseUrl`, or else the PGlite in `dataDir`. It connects when it is first used. */
export async function openDatabase(config: DatabaseConfig, log: Logger): Promise<Database> {
  const shared = {
    entities: [User, Role, Credential, Session, SigningKeyRow],
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
    const orm = new PgliteORM({ ...shared, dbName: 'latchkey', driverOptions: { pglite: () => pglite } });
    return wrap(orm, {
      withMigrationLock: (work) => work(),
      async onClose() {
        await pglite.close();
        unlock();
      },
    });
  }
  const orm = new PostgresORM({
    ...shared,
    clientUrl: config.databaseUrl,
    driverOptions: {
      application_name: 'latchkey',
      max: config.databasePoolMax,
      keepAlive: true,
      connectionTimeoutMillis: config.databaseTimeoutMs,
      statement_timeout: config.databaseTimeoutMs,
      lock_timeout: config.databaseTimeoutMs,
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
          await connection.executeQuery(
            CompiledQuery.raw("SELECT set_config('lock_timeout', '60s', false), set_config('statement_timeout', '60s', false)"),
          );
          await connection.executeQuery(CompiledQuery.raw('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]));
          try {
            return await work();
          } finally {
            await connection.executeQuery(CompiledQuery.raw('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]));
            await connection.executeQuery(CompiledQuery.raw('RESET ALL'));
          }
        }),
    onClose: () => Promise.resolve(),
  });
}

/** Opens the folder, or fills it from an archive: several times faster than letting PGlite initialise it. */
async function openPglite(folder: string): Promise<PGlite> {
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
  onClose: () => Promise<void>;
}

function wrap(orm: PostgresORM | PgliteORM, { withMigrationLock, onClose }: Variant): Database {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toServiceUnavailable(error);
    }
  };
  const pendingMigrations = async () => (await orm.migrator.getPending()).map(({ name }) => name);
  return {
    query: (sql, parameters = []) =>
      guarded(async () => {
        const result = await orm.em
          .getConnection()
          .getClient()
          .executeQuery(CompiledQuery.raw(sql, [...parameters]));
        return result.rows as never[];
      }),
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
    async close() {
      await orm.close(true);
      await onClose();
    },
  };
}
