import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Migration } from '@mikro-orm/migrations';
import { afterEach, describe, expect, inject, it } from 'vitest';

import { openDatabase, type Database } from '../../src/persistence/database.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, describeOnPostgres } from '../support/database.js';
import { recordingLog } from '../support/log.js';
import { runAsAdmin, urlOfDatabase } from '../support/postgres-admin.js';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

async function open(variables: Variables): Promise<Database> {
  const database = await openDatabase(testConfig(variables), recordingLog().log);
  cleanups.push(() => database.close());
  return database;
}

/** A database without a single table. */
async function emptyDatabase(): Promise<Variables> {
  const template = inject('template');
  if (template.kind === 'pglite') {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-migrations-'));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    return { LATCHKEY_DATA_DIR: folder };
  }
  const { adminUrl } = template;
  const name = `latchkey_test_${randomBytes(8).toString('hex')}`;
  await runAsAdmin(adminUrl, `CREATE DATABASE ${name}`);
  cleanups.push(() => runAsAdmin(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`));
  return { DATABASE_URL: urlOfDatabase(adminUrl, name) };
}

const tablesOf = async (database: Database) => {
  const rows = await database.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY name`,
  );
  return rows.map(({ name }) => name);
};

describe('the migrations', () => {
  it('leave nothing between the database and the entities', async () => {
    const testDatabase = await createTestDatabase();
    cleanups.push(() => testDatabase.drop());
    const database = await open(testDatabase.variables);
    expect(await database.driftFromEntities()).toBe('');
  });

  it('show a drift where there is one', async () => {
    const testDatabase = await createTestDatabase();
    cleanups.push(() => testDatabase.drop());
    const database = await open(testDatabase.variables);
    await database.query('ALTER TABLE session DROP COLUMN user_agent');
    expect(await database.driftFromEntities()).toContain('user_agent');
  });

  it('are applied once: the first call tells their names, the second has nothing to do', async () => {
    const database = await open(await emptyDatabase());
    const pending = await database.pendingMigrations();
    expect(pending).toContain('Migration20261121000000_initial');
    expect(await database.migrate()).toEqual(pending);
    expect(await database.pendingMigrations()).toEqual([]);
    expect(await database.migrate()).toEqual([]);
    expect(await database.driftFromEntities()).toBe('');
  });

  it('seed the roles that grant scopes', async () => {
    const testDatabase = await createTestDatabase();
    cleanups.push(() => testDatabase.drop());
    const database = await open(testDatabase.variables);
    expect(await database.query('SELECT name, scopes FROM role ORDER BY name')).toEqual([
      { name: 'admin', scopes: ['users:read', 'users:write', 'audit:read'] },
      { name: 'user', scopes: [] },
    ]);
  });

  it('know no user: nobody can sign in to a fresh database', async () => {
    const testDatabase = await createTestDatabase();
    cleanups.push(() => testDatabase.drop());
    const database = await open(testDatabase.variables);
    expect(await database.query('SELECT 1 FROM user_account')).toEqual([]);
  });

  it('keep every index off the columns that rotation touches', async () => {
    const testDatabase = await createTestDatabase();
    cleanups.push(() => testDatabase.drop());
    const database = await open(testDatabase.variables);
    const indexed = await database.query<{ name: string }>(
      `SELECT DISTINCT a.attname::text AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
        WHERE i.indrelid = 'session'::regclass ORDER BY name`,
    );
    expect(indexed.map(({ name }) => name)).toEqual(['id', 'user_id']);
  });
});

describeOnPostgres('the migrations of replicas that start at once', () => {
  it('are applied by one of them, and none fails', async () => {
    const variables = await emptyDatabase();
    const replicas = [await open(variables), await open(variables), await open(variables)];
    const applied = await Promise.all(replicas.map((replica) => replica.migrate()));
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
    for (const replica of replicas) expect(await replica.pendingMigrations()).toEqual([]);
    expect(await replicas[0]!.driftFromEntities()).toBe('');
  });

  it('leave no lock and no setting behind on the connection', async () => {
    const database = await open(await emptyDatabase());
    await database.migrate();
    expect(
      await database.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ),
    ).toEqual([]);
    expect(await database.query('SHOW statement_timeout')).toEqual([{ statement_timeout: '5s' }]);
    expect(await database.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '5s' }]);
  });
});

describe('the migrations undone', () => {
  it('in reverse order take every table away, and can be applied again', async () => {
    const database = await open(await emptyDatabase());
    const names = await database.migrate();
    const before = await tablesOf(database);
    const migrations = await Promise.all(names.map(load));
    for (const migration of migrations.toReversed()) await runAll(database, migration, 'down');
    expect(await tablesOf(database)).toEqual(['migration']);
    for (const migration of migrations) await runAll(database, migration, 'up');
    expect(await tablesOf(database)).toEqual(before);
    expect(await database.driftFromEntities()).toBe('');
  });
});

type MigrationClass = new (...parameters: ConstructorParameters<typeof Migration>) => Migration;

async function load(name: string): Promise<MigrationClass> {
  const file = new URL(`../../migrations/${name}.ts`, import.meta.url).href;
  const exported = (await import(/* @vite-ignore */ file)) as Record<string, MigrationClass>;
  return exported[name]!;
}

/** Runs what a migration would have the migrator run; it only collects statements, so it needs neither driver nor configuration. */
async function runAll(database: Database, migrationClass: MigrationClass, direction: 'up' | 'down'): Promise<void> {
  const [driver, config] = [undefined, undefined] as unknown as ConstructorParameters<typeof Migration>;
  const migration = new migrationClass(driver, config);
  await migration[direction]();
  for (const statement of migration.getQueries()) {
    if (typeof statement !== 'string') throw new TypeError('A migration is plain SQL.');
    await database.query(statement);
  }
}
