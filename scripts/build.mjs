// Builds dist/: the server with tsc, the exploration page with Vite. `--if-needed` does nothing when dist/ is up to date.
// Plain JavaScript, so that any Node that npm finds can run it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, '.built-from');

/** Whatever changes the outcome of a build. */
const inputs = [
  'src',
  'schema/operations',
  'tsconfig.json',
  'tsconfig.build.json',
  'vite.graphiql.config.ts',
  'package.json',
  'package-lock.json',
  'scripts/build.mjs',
];

const steps = [
  { name: 'server (tsc)', tool: 'typescript/bin/tsc', args: ['-p', 'tsconfig.build.json'] },
  { name: 'GraphiQL page (vite)', tool: 'vite/bin/vite.js', args: ['build', '-c', 'vite.graphiql.config.ts', '--logLevel', 'warn'] },
];

const onlyIfNeeded = process.argv.includes('--if-needed');
const fingerprint = fingerprintOf(inputs);
if (!(onlyIfNeeded && isBuiltFrom(fingerprint))) build();

function build() {
  const missing = ['src', ...steps.map(({ tool }) => `node_modules/${tool}`)].find((path) => !existsSync(join(root, path)));
  if (missing !== undefined) fail(`${missing} is missing. In a full checkout, run: npm ci`);
  // A file whose source is gone must not be left to run.
  rmSync(dist, { recursive: true, force: true });
  for (const step of steps) run(step);
  // npx makes a command executable when it links it, and not again when it is built anew.
  chmodSync(join(dist, 'cli/main.js'), 0o755);
  writeFileSync(stamp, fingerprint);
}

function run({ name, tool, args }) {
  const started = performance.now();
  const { status, error, stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', tool), ...args], {
    cwd: root,
    encoding: 'utf8',
    // Vite bundles React for development unless it is told otherwise.
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (status !== 0) fail(`${name} failed:\n${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`);
  console.log(`build: ${name} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function isBuiltFrom(wanted) {
  return existsSync(join(dist, 'main.js')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** Contents, not times: a clone, a copy or a checkout of another branch and back gives files new times. */
function fingerprintOf(paths) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap((path) => filesIn(join(root, path)))) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
