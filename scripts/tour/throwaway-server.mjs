// A server as `npm start` runs it, on a free port of this machine, with a data folder that goes when it stops.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
const GREETING = /GraphiQL +(\S+)\/graphiql\/[\s\S]*Sign in as +(\S+)\s+password +(\S+)[\s\S]*Secrets/;

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Starts it; `settings` are variables of its environment. It can be stopped before it is ready. */
export function startThrowawayServer(settings) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-tour-'));
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: root,
    env: { ...foreignEnvironment(), HOST: '127.0.0.1', PORT: '0', LATCHKEY_DATA_DIR: folder, LATCHKEY_LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let hasEnded = false;
  const ended = new Promise((resolve) => child.once('close', resolve)).then(() => {
    hasEnded = true;
  });
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  const lastResort = () => {
    if (!hasEnded) child.kill('SIGKILL');
    removeFolder();
  };
  process.once('exit', lastResort);

  const ready = new Promise((resolve, reject) => {
    const tooLate = setTimeout(
      () => reject(new Error(`The server was not ready within ${START_LIMIT_MS / 1000} s:\n${output}`)),
      START_LIMIT_MS,
    );
    const look = (chunk) => {
      output += chunk;
      const [, url, email, password] = GREETING.exec(output) ?? [];
      if (url !== undefined) resolve({ url, administrator: { identifier: email, password } });
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    void ended.then(() => reject(new Error(`The server ended before it was ready:\n${output}`)));
    child.once('error', reject);
    void ended.finally(() => clearTimeout(tooLate));
  });
  // Whoever stops it before it is ready does not wait for it.
  ready.catch(() => undefined);

  let stopping;
  async function stop() {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(force);
    removeFolder();
    process.off('exit', lastResort);
  }

  return {
    folder,
    ready,
    /** What it has logged: warnings and errors, a line of JSON each. */
    get log() {
      return output.split('\n').filter((line) => line.startsWith('{'));
    },
    stop: () => (stopping ??= stop()),
  };
}

/** Ours without the settings of another server. */
function foreignEnvironment() {
  const own = /^(LATCHKEY_|(NODE_ENV|NODE_OPTIONS|PORT|HOST|DATABASE_URL)$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
