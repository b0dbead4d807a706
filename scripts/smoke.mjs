// The clean-room smoke: what HEAD holds, unpacked into an empty folder, does what README's first page promises.
// Needs git, tar, curl and npm; no build, no database and no environment of ours.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const INSTALL_LIMIT_MS = 300_000;
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;
const CALL_LIMIT_SECONDS = 20;

const PRINTED_USER = /Sign in as +(\S+@\S+)\s+password +(\S+)/;

const repository = fileURLToPath(new URL('..', import.meta.url));
const started = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'latchkey-smoke-'));
const environment = strangersEnvironment();
let running;

try {
  await smoke();
  console.log(`smoke: passed in ${seconds()} s`);
} catch (error) {
  console.error(`smoke: FAILED after ${seconds()} s: ${error.message}`);
  if (running) console.error(`--- what the server wrote ---\n${running.output}`);
  process.exitCode = 1;
} finally {
  if (running) killGroup(running.child);
  rmSync(folder, { recursive: true, force: true });
}

async function smoke() {
  step('unpack HEAD into an empty folder');
  const archive = execFileSync('git', ['archive', '--format=tar', 'HEAD'], { cwd: repository, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-xf', '-'], { cwd: folder, input: archive });

  step('npm ci');
  run('npm', ['ci'], INSTALL_LIMIT_MS);

  step('npm start');
  const port = await freePort();
  const url = `http://localhost:${port}`;
  let server = await start(url, port);
  check(firstPage(port).test(server.output), 'npm start does not print what README shows');
  const account = developmentUser(server.output);

  step(`login as ${account.email}`);
  const first = call(url, 'login', { input: { identifier: account.email, password: account.password } }).login;

  step('viewer');
  const viewer = call(url, 'viewer', {}, first.accessToken).viewer;
  check(viewer.email === account.email, `viewer answers ${viewer.email}`);

  step('refresh');
  const second = call(url, 'refresh', { input: { refreshToken: first.refreshToken } }).refresh;
  check(call(url, 'viewer', {}, second.accessToken).viewer.id === viewer.id, 'the refreshed token belongs to somebody else');

  step('logout');
  check(call(url, 'logout', { input: { refreshToken: second.refreshToken } }).logout.success, 'logout did not answer success');
  const refused = post(url, 'refresh', { input: { refreshToken: second.refreshToken } });
  check(refused.errors?.[0]?.extensions?.code === 'INVALID_REFRESH_TOKEN', `refresh after logout answers ${JSON.stringify(refused)}`);

  step('stop (SIGTERM to npm)');
  await stop(server, server.child.pid);

  step('npm start again');
  server = await start(url, port);

  step('login with the same password: the data is still there');
  const again = call(url, 'login', { input: { identifier: account.email, password: account.password } }).login;
  check(call(url, 'viewer', {}, again.accessToken).viewer.id === viewer.id, 'the user has another id');

  step('stop (Ctrl-C)');
  await stop(server, -server.child.pid);
}

async function start(url, port) {
  // A process group of its own, so that nothing of it outlives this script.
  const child = spawn('npm', ['start'], {
    cwd: folder,
    env: { ...environment, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const server = { child, output: '', exited: false };
  child.stdout.on('data', (chunk) => (server.output += chunk));
  child.stderr.on('data', (chunk) => (server.output += chunk));
  // Not `exit`, which is npm's own: its output closes when the last process that writes to it has ended.
  child.once('close', () => (server.exited = true));
  running = server;
  await until(`${url}/readyz answers 200 and the first page is printed`, START_LIMIT_MS, async () => {
    if (server.exited) throw new Error('npm start ended before the server was ready');
    return PRINTED_USER.test(server.output) && (await isReady(url));
  });
  return server;
}

/** To npm alone, as `kill` does; or to its whole process group, as a terminal does. */
async function stop(server, target) {
  process.kill(target, target > 0 ? 'SIGTERM' : 'SIGINT');
  await until('the server has ended', STOP_LIMIT_MS, () => server.exited);
  running = undefined;
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function call(url, operation, variables, accessToken) {
  const reply = post(url, operation, variables, accessToken);
  if (reply.errors || !reply.data) throw new Error(`${operation} answers ${JSON.stringify(reply)}`);
  return reply.data;
}

function post(url, operation, variables, accessToken) {
  const query = readFileSync(join(folder, 'schema', 'operations', `${operation}.graphql`), 'utf8');
  const headers = ['content-type: application/json', ...(accessToken ? [`authorization: Bearer ${accessToken}`] : [])];
  const args = ['--silent', '--show-error', '--max-time', String(CALL_LIMIT_SECONDS), '--noproxy', '*', '--data', '@-'];
  const reply = execFileSync('curl', [...args, ...headers.flatMap((header) => ['--header', header]), `${url}/graphql`], {
    input: JSON.stringify({ query, variables }),
    encoding: 'utf8',
  });
  return JSON.parse(reply);
}

async function isReady(url) {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

/** What README says that is printed, where `…` stands for anything. */
function firstPage(port) {
  const [shown] = /^Latchkey is ready\.\n[^`]*/m.exec(readFileSync(join(folder, 'README.md'), 'utf8'));
  const literally = shown.replaceAll('4000', port).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(literally.replaceAll('…', '.+'));
}

/** As a reader of the terminal finds them. */
function developmentUser(output) {
  const [, email, password] = PRINTED_USER.exec(output);
  return { email, password };
}

/** The environment of somebody who has just cloned: npm puts this checkout's own programs and settings into ours. */
function strangersEnvironment() {
  const own = /^(npm_(?!config_registry$)|LATCHKEY_|TEST_|VITEST|(INIT_CWD|NODE|NODE_ENV|NODE_OPTIONS|PORT|HOST|DATABASE_URL)$)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !/node_modules[\\/]\.bin|node-gyp-bin/.test(entry));
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) };
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function until(what, limitMs, holds) {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function run(command, args, limitMs) {
  execFileSync(command, args, { cwd: folder, env: environment, stdio: ['ignore', 'inherit', 'inherit'], timeout: limitMs });
}

function check(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

function step(name) {
  console.log(`smoke: [${seconds().padStart(5)} s] ${name}`);
}

function seconds() {
  return ((performance.now() - started) / 1000).toFixed(1);
}
