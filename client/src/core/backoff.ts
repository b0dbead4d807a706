import { startStopwatch, type Stopwatch } from './stopwatch.js';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 60_000;
/** What a server may ask for at most: `setTimeout` fires at once beyond 24 days, and nobody means that much. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface Backoff {
  /** Whether the next try is not due yet. */
  readonly isWaiting: boolean;
  /** Waits longer than the time before, and longer than the server asked for; then tries. Gives the time of that, by this device's clock. */
  fail(retryAfterSeconds?: number): number;
  /** Forgets the next try, but not how many have failed. */
  stop(): void;
  /** Forgets both. */
  reset(): void;
}

/**
 * Calls `run` again after failures: 0.5 s at first, then doubling up to a minute, each with jitter so that clients do not come back as one. Not any more
 * once it is `closed`.
 */
export function createBackoff(run: () => void, closed: AbortSignal): Backoff {
  let backoffMs = FIRST_DELAY_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitedMs: Stopwatch | undefined;
  let delayMs: number;

  const stop = (): void => {
    clearTimeout(timer);
    waitedMs = undefined;
  };

  closed.addEventListener('abort', stop);

  return {
    get isWaiting() {
      return waitedMs !== undefined && waitedMs() < delayMs;
    },
    fail(retryAfterSeconds = 0) {
      stop();
      // The jitter comes on top of what the server asks for: everyone was told the same.
      delayMs = Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS) + backoffMs * (0.5 + Math.random() / 2);
      backoffMs = Math.min(2 * backoffMs, MAX_DELAY_MS);
      waitedMs = startStopwatch();
      if (!closed.aborted) {
        timer = setTimeout(run, delayMs);
        // In Node, a program that has nothing else to do may end.
        if (typeof timer === 'object') timer.unref();
      }
      return Date.now() + delayMs;
    },
    stop,
    reset() {
      stop();
      backoffMs = FIRST_DELAY_MS;
    },
  };
}
