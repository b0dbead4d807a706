import { setTimeout as pause } from 'node:timers/promises';

import type { Variables } from './config.js';
import { freePort } from './free-port.js';
import type { LogLine } from './log.js';
import { startProcess, type ServerProcess } from './process.js';

const PATIENCE_MS = 30_000;

/** A server in a process of its own, on an address that survives its restarts. */
export interface Replica {
  readonly url: string;
  /** What it has logged since it was last started. */
  readonly log: readonly LogLine[];
  /** Starts it; with other keys of the configuration than before, if any are given. */
  launch(variables?: Variables): void;
  /** Resolves when it is ready; fails when it ends before, or takes too long. */
  ready(): Promise<void>;
  /** Whether it says that it is ready. */
  isReady(): Promise<boolean>;
  /** `launch`, and again when it finds no database, until it is `ready`. */
  start(variables?: Variables): Promise<void>;
  /** SIGKILL: it has no time for anything. */
  kill(): Promise<void>;
  /** SIGTERM: it finishes what it does. */
  stop(): Promise<void>;
  /** What it has in memory just now. */
  residentMib(): number;
}

/** Cheap passwords, a log that tells what went wrong, and no limit that a hundred clients on one address would meet. */
const defaults: Variables = {
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_ITERATIONS: '1',
  LATCHKEY_LOG_LEVEL: 'warn',
  LATCHKEY_GRAPHIQL: 'false',
  LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: '1000000',
};

/** Makes a replica that is not started yet. `extra` goes to the process as it is, past the configuration; `command` runs it, if one is given. */
export async function createReplica(
  variables: Variables,
  extra: Readonly<Record<string, string>> = {},
  command: readonly string[] = [],
): Promise<Replica> {
  const port = await freePort();
  let current: Variables = { ...defaults, PORT: String(port), ...variables };
  const url = `http://${current.HOST ?? ''}:${port}`;
  let running: ServerProcess | undefined;
  let hasEnded = true;

  process.once('exit', () => running?.kill('SIGKILL'));

  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    running?.kill(signal);
    await running?.ended;
  };

  const replica: Replica = {
    url,
    get log() {
      return (running?.output ?? '')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine);
    },
    launch(others = {}) {
      current = { ...current, ...others };
      const started = startProcess({ ...(current as Record<string, string>), ...extra }, command);
      running = started;
      hasEnded = false;
      void started.ended.then(() => {
        if (running === started) hasEnded = true;
      });
    },
    async isReady() {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    },
    async ready() {
      const deadline = Date.now() + PATIENCE_MS;
      while (!(await replica.isReady())) {
        if (hasEnded) throw new Error(`The server ended:\n${running?.output ?? ''}`);
        if (Date.now() > deadline) throw new Error(`The server is not ready:\n${running?.output ?? ''}`);
        await pause(20);
      }
    },
    async start(others) {
      for (let attempt = 1; ; attempt += 1) {
        replica.launch(others);
        try {
          await replica.ready();
          return;
        } catch (error) {
          if (attempt === 5) throw error;
          await end('SIGKILL');
        }
      }
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    residentMib: () => running?.residentMib() ?? 0,
  };
  return replica;
}
