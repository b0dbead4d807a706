import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { preview } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ExamplePage {
  /** Like `http://127.0.0.1:49152/`. */
  url: string;
  close(): Promise<void>;
}

/** Builds an example for production and serves it as files; what it asks the API goes on to `apiUrl`, as it would behind one proxy. */
export async function serveExample(name: string, apiUrl: string): Promise<ExamplePage> {
  const folder = join(root, 'examples', name);
  const outDir = await mkdtemp(join(tmpdir(), `latchkey-${name}-`));
  // In a process of its own: in this one, NODE_ENV would make it a build for tests.
  await runTool('vite', ['build', '--outDir', outDir, '--emptyOutDir'], name);
  const server = await preview({
    root: folder,
    logLevel: 'error',
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0, proxy: { '/graphql': apiUrl } },
  });
  return {
    url: server.resolvedUrls!.local[0]!,
    close: async () => {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** Runs a command that npm has installed in the folder of an example; fails when it does, with what it wrote. */
export async function runTool(tool: string, args: readonly string[], example: string): Promise<void> {
  const env = { ...process.env, NODE_ENV: 'production' };
  await promisify(execFile)(process.execPath, [join(root, 'node_modules/.bin', tool), ...args], {
    cwd: join(root, 'examples', example),
    env,
  });
}
