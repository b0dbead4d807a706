import type { Logger } from './log.js';

/** Work that is done again and again until it is stopped. */
export interface Periodic {
  /** Does it now, or once more when it is being done. */
  runNow(): Promise<void>;
  /** Stops, and waits for what is under way. */
  stop(): Promise<void>;
}

/** Repeats work, never twice at once. A failure is logged and does not end it; a process is not kept alive by it. */
export function repeat({
  name,
  everyMs,
  work,
  log,
}: {
  name: string;
  everyMs: number;
  work: () => Promise<unknown>;
  log: Logger;
}): Periodic {
  let running: Promise<void> | undefined;
  let isWantedAgain = false;

  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error({ err: error }, `${name} failed, and will be tried again`);
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
      clearInterval(timer);
      isWantedAgain = false;
      await running;
    },
  };
}
