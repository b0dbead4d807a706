import { platform } from './platform.js';

/**
 * Runs `task` while nobody else who asks for the same name runs one, and gives what it gives.
 *
 * Names are to be kept apart: while a refresh has the one of the storage, reading and writing the record asks for `<that>.record`. A lock that ignores
 * the name has each of these wait for a second in vain.
 */
export type Lock = <T>(name: string, task: () => Promise<T>) => Promise<T>;

/** The lock that all tabs of one origin share (Web Locks API, https://www.w3.org/TR/web-locks/), where there is one. */
export function webLock(): Lock | undefined {
  const locks = platform.navigator?.locks;
  return locks && (async <T>(name: string, task: () => Promise<T>) => (await locks.request(`latchkey:${name}`, task)) as T);
}

/** A lock for those who have this very one: each runs after all who have asked before. */
export function createQueue(): Lock {
  const last = new Map<string, Promise<unknown>>();
  return (name, task) => {
    const turn = Promise.resolve(last.get(name)).then(task);
    last.set(
      name,
      turn.catch(() => undefined),
    );
    return turn;
  };
}

/**
 * Runs a task after all of this process that go by the same name, and under the lock; without it when the lock cannot be had, or not in time: a tab that
 * was frozen with the lock in its hands must not stop the rest. `signal` ends the wait, not the task.
 */
export type Exclusively = <T>(name: string, patienceMs: number, task: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export function createExclusively(lock: Lock | undefined): Exclusively {
  const queue = createQueue();
  return (name, patienceMs, task, signal) =>
    queue(name, () => {
      if (!lock) return task();
      return new Promise((resolve, reject) => {
        let running: Promise<void> | undefined;
        const run = (): Promise<void> => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', waitNoLonger);
          return (running ??= task().then(resolve, reject));
        };
        const waitNoLonger = (): void => void run();
        const timer = setTimeout(waitNoLonger, patienceMs);
        signal?.addEventListener('abort', waitNoLonger);
        (async () => lock(name, run))().catch(waitNoLonger);
      });
    });
}
