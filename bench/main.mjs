// `npm run bench`: sees to it that the bench's packages and the build are there, and runs. `--quick` gives the same table in less than two minutes, and
// `--only throughput,login,refresh,growth,memory,start` some of it (`growth` and `memory` come together for revocations); both leave RESULTS.md as it is.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const bench = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' } } });

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(`The bench needs Node 24, and this is ${process.version}. Start it with: npm run bench`);
  process.exit(1);
}
if (!isInstalled()) step('installing the peers', 'npm', ['ci'], bench);
step('building, if needed', process.execPath, ['scripts/build.mjs', '--if-needed'], root);

const { run } = await import('./run.mjs');
console.log(await run(values.quick ? 'quick' : 'full', values.only.split(',').filter(Boolean)));
process.exit(0);

/** npm writes down what it has installed: what the lockfile asks for must be in it. */
function isInstalled() {
  const written = `${bench}node_modules/.package-lock.json`;
  if (!existsSync(written)) return false;
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const installed = packages(written);
  return Object.entries(packages(`${bench}package-lock.json`)).every(
    ([path, { version, optional }]) => path === '' || optional === true || installed[path]?.version === version,
  );
}

function step(what, command, args, cwd) {
  console.log(`bench: ${what}`);
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
