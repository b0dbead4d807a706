import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface InstalledExample {
  /** Where its files are. */
  folder: string;
  remove(): Promise<void>;
}

/** A copy of an example, with the client kit built beside it: another test makes client/dist anew while this one runs. */
export async function installExample(name: string): Promise<InstalledExample> {
  const folder = await mkdtemp(join(tmpdir(), `latchkey-${name}-`));
  const client = join(folder, 'node_modules/@latchkey/client');
  await cp(join(root, 'examples', name), folder, { recursive: true, filter: (source) => !source.endsWith('node_modules') });
  await cp(join(root, 'client/package.json'), join(client, 'package.json'));
  const justCode = ['--noCheck', '--declaration', 'false', '--declarationMap', 'false', '--sourceMap', 'false'];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [
    tsc,
    '-p',
    join(root, 'client/tsconfig.build.json'),
    '--outDir',
    join(client, 'dist'),
    ...justCode,
  ]);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
