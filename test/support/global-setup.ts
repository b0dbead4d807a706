import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createLogger } from '../../src/log.js';
import { openDatabase } from '../../src/persistence/database.js';
import { testConfig, type Variables } from './config.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import { runAsAdmin, urlOfDatabase } from './postgres-admin.js';

/** Where `createTestDatabase` finds a migrated database to copy. */
export type Template =
  | { kind: 'postgres'; adminUrl: string; name: string }
  | { kind: 'pglite'; dataDir: string; folderForCopies: string; whyNotPostgres: string };

declare module 'vitest' {
  export interface ProvidedContext {
    template: Template;
  }
}

const projectsWithoutDatabase = ['unit'];

/** Makes one migrated database before the first test, for each test file to copy. */
export default async function setup(root: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (root.vitest.projects.every((project) => projectsWithoutDatabase.includes(project.name))) return undefined;
  const cleanups: (() => unknown)[] = [];
  const cleanUp = async () => {
    for (const step of cleanups.splice(0).reverse()) await step();
  };
  try {
    root.provide('template', await makeTemplate((step) => cleanups.push(step)));
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return cleanUp;
}

type Later = (cleanup: () => unknown) => void;

async function makeTemplate(later: Later): Promise<Template> {
  const { LATCHKEY_TEST_DATABASE: choice, TEST_DATABASE_URL: adminUrl } = process.env;
  // A server that a test starts would take it for a misspelt key of the configuration.
  delete process.env['LATCHKEY_TEST_DATABASE'];
  if (choice && choice !== 'pglite') throw new Error(`LATCHKEY_TEST_DATABASE is pglite or absent, not ${choice}`);
  if (adminUrl && choice !== 'pglite') return makePostgresTemplate(adminUrl, later);

  const folder = await makeFolder(later);
  if (choice === 'pglite') return makePgliteTemplate(folder, 'LATCHKEY_TEST_DATABASE=pglite asks for it');
  let server;
  try {
    server = await startEmbeddedPostgres(join(folder, 'postgres'));
  } catch (error) {
    return makePgliteTemplate(folder, error instanceof Error ? error.message : String(error));
  }
  later(server.stop);
  return makePostgresTemplate(server.adminUrl, later);
}

async function makePostgresTemplate(adminUrl: string, later: Later): Promise<Template> {
  const name = `latchkey_template_${process.pid}`;
  const drop = `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`;
  await runAsAdmin(adminUrl, drop, `CREATE DATABASE ${name}`);
  later(() => runAsAdmin(adminUrl, drop));
  await migrate({ DATABASE_URL: urlOfDatabase(adminUrl, name) });
  return { kind: 'postgres', adminUrl, name };
}

async function makePgliteTemplate(folder: string, whyNotPostgres: string): Promise<Template> {
  console.warn(
    [
      '',
      '  ┌─ These tests run on PGlite, not on PostgreSQL.',
      `  │  Why: ${whyNotPostgres}.`,
      '  │  The races of test/postgres cannot show on PGlite and are skipped.',
      '  └─ To use a server of your own: TEST_DATABASE_URL=postgres://admin:password@host:port/postgres',
      '',
    ].join('\n'),
  );
  const dataDir = join(folder, 'template');
  await migrate({ LATCHKEY_DATA_DIR: dataDir });
  return { kind: 'pglite', dataDir, folderForCopies: folder, whyNotPostgres };
}

/** One folder for all that a run writes, which goes when the run ends, interrupted or not. */
async function makeFolder(later: Later): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-tests-'));
  // PostgreSQL may run as another user, who has to get through.
  await chmod(folder, 0o755);
  const remove = () => {
    // An interrupted PostgreSQL writes for a moment longer.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  process.once('exit', remove);
  later(remove);
  return folder;
}

async function migrate(variables: Variables): Promise<void> {
  const config = testConfig(variables);
  const database = await openDatabase(config, createLogger(config));
  try {
    await database.migrate();
  } finally {
    await database.close();
  }
}
