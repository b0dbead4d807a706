import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A server in a process of its own, as `npm start` runs it. */
export interface ServerProcess {
  /** Everything that it has written so far, errors too. */
  readonly output: string;
  /** Resolves when it ends, however it ends: its exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
  /** Resolves with the match once it has written what is looked for; fails when it ends before. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void;
  /** What it has in memory just now. */
  residentMib(): number;
}

/** Brings dist/ up to date. */
export async function build(): Promise<void> {
  const builder = run(['scripts/build.mjs', '--if-needed'], {});
  if ((await builder.ended) !== 0) throw new Error(`The build failed:\n${builder.output}`);
}

/** Starts `node dist/main.js` with nothing in its environment but what is given; `command` runs it, if it is to be run by another one. */
export function startProcess(variables: Record<string, string>, command: readonly string[] = []): ServerProcess {
  return run(['dist/main.js'], variables, command);
}

function run(args: readonly string[], variables: Record<string, string>, command: readonly string[] = []): ServerProcess {
  const { PATH = '', HOME = '' } = process.env;
  const [program = process.execPath, ...words] = [...command, process.execPath, ...args];
  const child: ChildProcess = spawn(program, words, {
    cwd: root,
    env: { PATH, HOME, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const listeners = new Set<() => void>();
  const written = (chunk: unknown) => {
    output += String(chunk);
    for (const listener of listeners) listener();
  };
  child.stdout?.on('data', written);
  child.stderr?.on('data', written);
  // `close` and not `exit`: only then everything that it wrote has been read.
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));

  return {
    get output() {
      return output;
    },
    ended,
    wrote: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(output);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        void ended.then((code) => reject(new Error(`It ended (${String(code)}) before it wrote ${String(pattern)}:\n${output}`)));
      }),
    kill: (signal) => void child.kill(signal),
    residentMib: () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024,
  };
}
