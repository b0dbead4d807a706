import { vi } from 'vitest';
import { createAuth, type Auth, type AuthOptions } from '../../src/auth.js';
import type { Lock } from '../../src/core/lock.js';
import { FragileStorage, type Disk } from './fragile-storage.js';
import { ModelServer, PASSWORD } from './model-server.js';

export const ENDPOINT = 'https://api.example.com/graphql';

/** A program on a device, with its server. */
export interface Program {
  server: ModelServer;
  storage: FragileStorage;
  auth: Auth;
  /** Every status since it was started, the first one aside. */
  statuses: string[];
}

/** Starts a program; with the server and the disk of another, it is that one restarted, or a second process beside it. */
export function startProgram({
  server = new ModelServer(),
  disk,
  storage = new FragileStorage(disk),
  ...options
}: { server?: ModelServer; disk?: Disk; storage?: FragileStorage } & Partial<AuthOptions> = {}): Program {
  // The lock of a program that died is free again; Node's own would be held by those that tests leave hanging.
  const alone: Lock = (_name, task) => task();
  const auth = createAuth({ endpoint: ENDPOINT, fetch: server.fetch, lock: alone, ...options, storage });
  const statuses: string[] = [];
  auth.subscribe(({ status }) => statuses.push(status));
  return { server, storage, auth, statuses };
}

export async function startSignedIn(options: Parameters<typeof startProgram>[0] = {}): Promise<Program> {
  const program = startProgram(options);
  const result = await program.auth.login({ identifier: 'ada', password: PASSWORD });
  if (!result.ok) throw new Error(result.error.message);
  program.statuses.length = 0;
  return program;
}

export const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

/** The record as it lies on the disk. */
export function stored({ record }: Disk): { session: Record<string, unknown> | null; revocations: unknown[] } | undefined {
  return record === undefined ? undefined : (JSON.parse(record) as ReturnType<typeof stored>);
}
