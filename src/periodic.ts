import type { Logger } from './log.js';

/** Work that is done again and again until it is stopped. */
export interface Periodic {
  /** Does it now, or once more when it is being done. */
  runNow(): Promise<void>;
  /** Stops, and waits for what is under way. */
  stop(): Promise<void>;
}

/** Repeats work, never twice at once. Of failures in a row the first is logged, and none ends it; a process is not kept alive by it. */
export function repeat({
  name,
  everyMs,
  retryAfterMs,
  work,
  log,
}: {
  name: string;
  everyMs: number;
  /** How soon after a failure it is tried again; left out, at its next turn. */
  retryAfterMs?: number;
  work: () => Promise<unknown>;
  log: Logger;
}): Periodic {
  let running: Promise<void> | undefined;
  let isWantedAgain = false;
  let isStopped = false;
  let isFailing = false;
  let retryTimer: NodeJS.Timeout | undefined;

  const run = async (): Promise<void> => {
    clearTimeout(retryTimer);
    try {
      await work();
      if (isFailing) log.info(`${name} works again`);
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.error({ err: error }, `${name} failed, and will be tried again`);
      isFailing = true;
      if (retryAfterMs !== undefined && !isStopped) retryTimer = setTimeout(() => void runNow(), retryAfterMs).unref();
    }
    running = undefined;
    if (!isWantedAgain) return;
    isWantedAgain = false;
    await runNow();
  };
  const runNow = (): Promise<void> => {
    if (running === undefined) running = run();
    else isWantedAgain = true;
    return running;
  };
  const timer = setInterval(() => void runNow(), everyMs).unref();
  return {
    runNow,
    async stop() {
      isStopped = true;
      clearInterval(timer);
      clearTimeout(retryTimer);
      isWantedAgain = false;
      await running;
    },
  };
}
