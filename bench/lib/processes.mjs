import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { clearTimeout, setTimeout as setTimer } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PATIENCE_MS = 60_000;
const bench = fileURLToPath(new URL('..', import.meta.url));

/** Servers get a core of their own where there are two and `taskset` can give them out; the load and PostgreSQL share the other. */
export const cores = allowedCores();

function allowedCores() {
  try {
    const [, list] = /:\s*([\d,-]+)\s*$/.exec(execFileSync('taskset', ['-pc', String(process.pid)], { encoding: 'utf8' }));
    const allowed = list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
    if (allowed.length >= 2)
      return { server: String(allowed.at(-1)), load: String(allowed[0]), postgres: String(allowed.at(-3) ?? allowed[0]) };
  } catch {
    // No taskset, or none of this kind.
  }
  return undefined;
}

export function describeCores() {
  return cores === undefined
    ? `${availableParallelism()} cores, nothing pinned`
    : `servers on core ${cores.server}, load on core ${cores.load}, PostgreSQL on core ${cores.postgres}`;
}

/** Keeps processes, with all their threads, to the core of a role; those that have ended meanwhile are let go. */
export function pin(role, pids) {
  if (cores === undefined) return;
  for (const pid of pids) {
    const { status, stderr } = spawnSync('taskset', ['-apc', cores[role], String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    if (status !== 0 && !stderr.includes('No such process')) throw new Error(`Process ${pid} could not be pinned: ${stderr}`);
  }
}

const running = new Set();
let isOver = false;

/** Ends every child that was started here and still runs; none is started any more. */
export async function endAll() {
  isOver = true;
  await Promise.all([...running].map(end));
}

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimer(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}

/**
 * Starts a Node program, on the core of a role if one is given, with a channel to talk through. What it prints is read here, or goes to a file while it runs.
 */
export function start(file, { role, env = {}, nodeArgs = [], cwd = bench, isLogKept = false } = {}) {
  if (isOver) throw new Error(`The bench is over: ${file} is not started.`);
  const command = [process.execPath, ...nodeArgs, file];
  const [program, ...args] = role === undefined || cores === undefined ? command : ['taskset', '-c', cores[role], ...command];
  const folder = isLogKept ? mkdtempSync(join(tmpdir(), 'latchkey-bench-log-')) : undefined;
  const log = folder === undefined ? 'pipe' : openSync(join(folder, 'stdout'), 'w');
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', log, 'pipe', 'ipc'],
  });
  if (log !== 'pipe') closeSync(log);
  running.add(child);
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => (child.output = `${child.output}${chunk}`.slice(-4000)));
  }
  child.on('exit', () => {
    running.delete(child);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  child.name = file;
  return child;
}

/** The next message of a child. It fails when the child ends, or says nothing for too long. */
export async function answer(child, message, patienceMs = PATIENCE_MS) {
  const over = new AbortController();
  const { signal } = over;
  if (message !== undefined) child.send(message);
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([reply]) => reply),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`${child.name} ended with ${code}:\n${child.output}`);
      }),
      pause(patienceMs, undefined, { signal, ref: false }).then(() => {
        throw new Error(`${child.name} said nothing for ${patienceMs} ms:\n${child.output}`);
      }),
    ]);
  } finally {
    over.abort();
  }
}

/** The processor time that a peer has used, in microseconds. */
export async function cpuOf(peer) {
  const { user, system } = await answer(peer.child, 'cpu');
  return user + system;
}

/** Starts a peer wherever there is room, waits until it listens, and gives it the core of the servers. */
export async function startPeer(name, env, options) {
  const child = start(`peers/${name}.mjs`, { env, ...options });
  const { port, tokens } = await answer(child);
  pin('server', [child.pid]);
  return { child, origin: `http://127.0.0.1:${port}`, tokens };
}

export async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
