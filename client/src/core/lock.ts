import { platform } from './platform.js';

/** Runs `task` while nobody else who asks for the same name runs one, and gives what it gives. */
export type Lock = <T>(name: string, task: () => Promise<T>) => Promise<T>;

/** The lock that all tabs of one origin share (Web Locks API, https://www.w3.org/TR/web-locks/), where there is one. */
export function webLock(): Lock | undefined {
  const locks = platform.navigator?.locks;
  return locks && (async <T>(name: string, task: () => Promise<T>) => (await locks.request(name, task)) as T);
}

type Task<T> = () => Promise<T>;

interface Turns {
  /** Runs after everything that this process has asked for before. */
  inTurn: <T>(task: Task<T>) => Promise<T>;
  /** The same, while nobody else who shares the storage runs anything. `signal` ends the wait for them, not the task. */
  exclusively: <T>(task: Task<T>, signal?: AbortSignal) => Promise<T>;
}

/** Orders the tasks of one process among themselves, and through `lock` among those of others. */
export function createTurns({ name, lock, patienceMs }: { name: string; lock: Lock | undefined; patienceMs: number }): Turns {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: Task<T>): Promise<T> => {
    const turn = last.then(task);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    inTurn,
    exclusively: (task, signal) => inTurn(() => (lock === undefined ? task() : withPatience(task, { lock, name, patienceMs, signal }))),
  };
}

interface Wait {
  lock: Lock;
  name: string;
  patienceMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Runs `task` under the lock, or without it when the lock cannot be had, or not in time.
 *
 * The lock saves calls: the server gives all who refresh at once the same successor. It does not make reading the record and writing it one step: of
 * two programs that do so within the same milliseconds, one may put back what the other has replaced. A tab that was frozen with the lock in its
 * hands must not stop the rest.
 */
function withPatience<T>(task: Task<T>, { lock, name, patienceMs, signal }: Wait): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let running: Promise<void> | undefined;
    const run = (): Promise<void> => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', waitNoLonger);
      return (running ??= task().then(resolve, reject));
    };
    const waitNoLonger = (): void => void run();
    const timer = setTimeout(waitNoLonger, patienceMs);
    signal?.addEventListener('abort', waitNoLonger);
    void Promise.resolve()
      .then(() => lock(name, run))
      .catch(waitNoLonger);
  });
}
