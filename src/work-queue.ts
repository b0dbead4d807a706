/** At most so many tasks at once, and so many waiting. */
export interface WorkQueue {
  /** Runs the task when there is room; undefined at once, without running it, when the queue is full. */
  run<T>(task: () => Promise<T>): Promise<T> | undefined;
  /** How many run. */
  readonly running: number;
}

/** Bounds how much is done at once of what others pay for: threads that signature checks need too, or connections of the database. */
export function createWorkQueue({ concurrency, queueLimit }: { concurrency: number; queueLimit: number }): WorkQueue {
  const waiting: (() => void)[] = [];
  let running = 0;

  const release = () => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return {
    run(task) {
      if (running < concurrency) {
        running += 1;
        return task().finally(release);
      }
      if (waiting.length >= queueLimit) return undefined;
      return new Promise<void>((resolve) => waiting.push(resolve)).then(task).finally(release);
    },
    get running() {
      return running;
    },
  };
}
