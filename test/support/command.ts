import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import type { Variables } from './config.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the built `latchkey` command in a process of its own, and gives what it printed; fails when it ends with a fault. */
export async function latchkey(args: readonly string[], variables: Variables, stdin = ''): Promise<string> {
  const child = spawn(process.execPath, ['dist/cli/main.js', ...args], {
    cwd: root,
    env: { NODE_ENV: 'test', LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else', ...variables },
    stdio: 'pipe',
  });
  child.stdin.end(stdin);
  const exit = once(child, 'exit') as Promise<[code: number | null]>;
  const [printed, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  if (code !== 0) throw new Error(`latchkey ${args.join(' ')} ended with ${String(code)}:\n${complaint}`);
  return printed;
}
