import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, inject } from 'vitest';
import type { Variables } from './config.js';
import { runAsAdmin, urlOfDatabase } from './postgres-admin.js';

export interface TestDatabase {
  /** The keys of the configuration that lead to it: `testConfig({ ...database.variables })`. */
  variables: Variables;
  /** Undefined on PGlite, which has no address. */
  url: string | undefined;
  drop(): Promise<void>;
}

/** A migrated, empty database of one's own: one for each test file, in `beforeAll`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('template');
  if (template.kind === 'pglite') {
    const dataDir = await mkdtemp(join(template.folderForCopies, 'copy-'));
    await cp(template.dataDir, dataDir, { recursive: true });
    return { variables: { LATCHKEY_DATA_DIR: dataDir }, url: undefined, drop: () => rm(dataDir, { recursive: true, force: true }) };
  }
  const { adminUrl } = template;
  const name = `latchkey_test_${randomBytes(8).toString('hex')}`;
  await runAsAdmin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template.name}`);
  const url = urlOfDatabase(adminUrl, name);
  return { variables: { DATABASE_URL: url }, url, drop: () => runAsAdmin(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`) };
}

/** `describe` for what only a real PostgreSQL can show: elsewhere it is skipped, with the reason in its name. */
export function describeOnPostgres(name: string, define: () => void): void {
  const template = inject('template');
  if (template.kind === 'postgres') describe(name, define);
  else describe.skip(`${name} (skipped: ${template.whyNotPostgres})`, define);
}
