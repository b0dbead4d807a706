// Builds client/dist with tsc, and says how large the core is for a browser. Plain JavaScript, so that any Node that npm finds can run it.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const MAX_CORE_BYTES = 5000;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// A file whose source is gone must not be left to be shipped.
rmSync(path('../dist'), { recursive: true, force: true });
const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const { status } = spawnSync(process.execPath, [tsc, '-p', path('../tsconfig.build.json')], { stdio: 'inherit' });
if (status !== 0) fail('tsc failed');

const { code, gzipped } = await measure('../dist/index.js');
console.log(`build: @latchkey/client, core: ${code} bytes minified, ${gzipped} bytes gzipped`);
if (gzipped > MAX_CORE_BYTES) fail(`The core is larger than ${MAX_CORE_BYTES} bytes`);

/** As an app's bundler would take it in: everything that the entry needs, minified. */
async function measure(entry) {
  const { output } = await build({
    root: path('..'),
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      target: 'es2022',
      modulePreload: { polyfill: false },
      rolldownOptions: { input: path(entry), preserveEntrySignatures: 'strict' },
    },
  });
  const code = output.map((chunk) => chunk.code ?? '').join('');
  return { code: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
