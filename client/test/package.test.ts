import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { build } from 'vite';
import { beforeAll, describe, expect, it } from 'vitest';
import { newPerson } from '../../test/support/calls.js';
import { codeBlocks, section } from '../../test/support/readme.js';
import { startTestServer } from '../../test/support/server.js';
import type * as Client from '../src/index.js';
import { ENDPOINT, type Program } from './support/device.js';
import { FragileStorage } from './support/fragile-storage.js';
import { ModelServer, PASSWORD } from './support/model-server.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

interface Manifest {
  exports: Record<string, { types: string; default: string } | string>;
  dependencies?: unknown;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

let manifest: Manifest;
let buildLog: string;

beforeAll(async () => {
  manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  ({ stdout: buildLog } = await run(process.execPath, [join(root, 'scripts/build.mjs')]));
}, 120_000);

describe('the package', () => {
  it('needs no other package to run', () => {
    expect(manifest.dependencies).toBeUndefined();
    for (const name of Object.keys(manifest.peerDependencies ?? {}))
      expect(manifest.peerDependenciesMeta?.[name]).toEqual({ optional: true });
  });

  it('has a core below 5 kB, and its build says how large it is', () => {
    const [, gzipped] = /core: \d+ bytes minified, (\d+) bytes gzipped/.exec(buildLog) ?? [];
    expect(Number(gzipped)).toBeLessThan(5000);
  });

  it('exports nothing but what is there, for Node and for bundlers (publint)', async () => {
    const { messages, pkg } = await publint({ pkgDir: root, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('has types wherever it has code (attw)', async () => {
    const attw = fileURLToPath(new URL('dist/index.js', import.meta.resolve('@arethetypeswrong/cli/package.json')));
    // It exits with 1, and run rejects, when anything is wrong for Node's ES modules or for bundlers.
    const { stdout } = await run(process.execPath, [attw, '--pack', root, '--profile', 'esm-only', '--format', 'json'], { cwd: root });
    expect(JSON.parse(stdout)).toMatchObject({ problems: {} });
  });

  it('has no `any` in its types', async () => {
    const declarations = (await readdir(join(root, 'dist'), { recursive: true })).filter((name) => name.endsWith('.d.ts'));
    expect(declarations).toContain('auth.d.ts');
    for (const name of declarations) {
      const types = await readFile(join(root, 'dist', name), 'utf8');
      const code = types.replaceAll(/\/\*[\s\S]*?\*\/|'[^'\n]*'/g, '');
      expect(code, name).not.toMatch(/\bany\b/);
    }
  });

  it('lets every subpath be imported by Node', async () => {
    const subpaths = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'));
    const script = `for (const name of ${JSON.stringify(subpaths)}) console.log(Object.keys(await import(name.replace('.', '@latchkey/client'))).length > 0)`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: root });
    expect(stdout.trim().split('\n')).toEqual(subpaths.map(() => 'true'));
  });
});

describe('the core', () => {
  it('runs where there is nothing but the language, timers, Headers and AbortController', async () => {
    const output = await build({
      root,
      configFile: false,
      logLevel: 'silent',
      build: {
        write: false,
        rolldownOptions: {
          input: join(root, 'dist/index.js'),
          output: { format: 'iife', name: 'client' },
          preserveEntrySignatures: 'strict',
        },
      },
    });
    if (!('output' in output)) throw new Error('Nothing was built');
    const bare = { setTimeout, clearTimeout, Headers, AbortController };
    const { createAuth } = runInNewContext(`${output.output[0].code};client`, bare) as typeof Client;

    const server = new ModelServer();
    const storage = new FragileStorage();
    const options = { endpoint: ENDPOINT, storage, fetch: server.fetch, randomId: () => 'an-id' };
    expect(() => createAuth({ ...options, randomId: undefined })).toThrow('pass randomId');
    const auth: Program['auth'] = createAuth(options);
    expect(await auth.login({ identifier: 'ada', password: PASSWORD })).toMatchObject({ ok: true });
    server.expireAccessTokens();
    const response = await auth.fetch(ENDPOINT, { method: 'POST', body: '{"query":"query Viewer { viewer { id } }"}' });
    expect(await response.json()).toEqual({ data: { viewer: { id: 'user-1' } } });
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
  });
});

describe('processes of one device', () => {
  it('share a file and refresh at the same time, and all stay signed in', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-processes-'));
    const server = await startTestServer({ variables: { LATCHKEY_REFRESH_GRACE_SECONDS: '0' } });
    const script = `
      import { createAuth } from '@latchkey/client';
      import { unencryptedFileStorage } from '@latchkey/client/node-file';
      const [endpoint, path, person] = process.argv.slice(1);
      const auth = createAuth({ endpoint, storage: unencryptedFileStorage(path) });
      if (person) await auth.register(JSON.parse(person));
      for (let round = 0; round < 5; round += 1) await auth.refresh();
      console.log(auth.state.status);`;
    const start = async (...more: string[]) => {
      const given = [`${server.url}/graphql`, join(folder, 'session'), ...more];
      return (await run(process.execPath, ['--input-type=module', '--eval', script, ...given], { cwd: root })).stdout.trim();
    };
    try {
      expect(await start(JSON.stringify(newPerson()))).toBe('signed-in');
      expect(await Promise.all([start(), start(), start()])).toEqual(['signed-in', 'signed-in', 'signed-in']);
      expect(await start()).toBe('signed-in');
    } finally {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the examples of README', () => {
  interface Example {
    library: string;
    text: string;
  }
  let examples: Example[];

  beforeAll(async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    examples = codeBlocks(section(readme, '## In your GraphQL library')).map(({ text }) => ({
      library: /from '(?!@latchkey\/client\/operations)([^']+)'/.exec(text)?.[1] ?? '',
      text,
    }));
  });

  it('are one for each library', () => {
    expect(examples.map(({ library }) => library)).toEqual([
      'graphql-request',
      '@apollo/client',
      '@urql/core',
      '@latchkey/client/request',
      'graphql-ws',
    ]);
  });

  it('are right for the compiler, with the types that are shipped', async () => {
    const given = `import type { Auth } from '@latchkey/client';\ndeclare const auth: Auth;\ndeclare const endpoint: string;\n`;
    const shown = new Map(examples.map(({ text }, index) => [join(root, `test/example-${index}.ts`), given + text]));
    const { config } = ts.readConfigFile(join(root, '../tsconfig.json'), ts.sys.readFile) as { config: unknown };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile: readFromDisk } = host;
    host.fileExists = (path) => shown.has(path) || fileExists(path);
    host.readFile = (path) => shown.get(path) ?? readFromDisk(path);
    const program = ts.createProgram([...shown.keys()], options, host);
    const faults = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
    expect(faults).toEqual([]);
  });

  it('run, and answer who is signed in', async () => {
    const server = await startTestServer();
    const given = `
      import { createAuth } from '@latchkey/client';
      import { memoryStorage } from '@latchkey/client/memory';
      const [endpoint, person] = process.argv.slice(1);
      const auth = createAuth({ endpoint, storage: memoryStorage() });
      await auth.register(JSON.parse(person));
    `;
    try {
      for (const { library, text } of examples) {
        const person = newPerson();
        const script = `${given}\n${ts.transpile(text, { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext })}`;
        const shows = library === 'graphql-ws' ? 'console.log(typeof client.subscribe)' : 'console.log(data.viewer.email)';
        const { stdout } = await run(
          process.execPath,
          ['--input-type=module', '--eval', `${script}\n${shows}`, `${server.url}/graphql`, JSON.stringify(person)],
          { cwd: root },
        );
        expect(stdout.trim(), library).toBe(library === 'graphql-ws' ? 'function' : person.email);
      }
    } finally {
      await server.close();
    }
  });
});
