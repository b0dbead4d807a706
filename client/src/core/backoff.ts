import { elapsedMs, now, type Moment } from './elapsed.js';

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

/** Calls `run` again after failures: 0.5 s at first, then doubling up to a minute, each with jitter so that clients do not come back as one. */
export function createBackoff(run: () => void): Backoff {
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait: { since: Moment; delayMs: number } | undefined;

  const stop = (): void => {
    clearTimeout(timer);
    wait = undefined;
  };

  return {
    get isWaiting() {
      return wait !== undefined && elapsedMs(wait.since) < wait.delayMs;
    },
    fail(retryAfterSeconds = 0) {
      stop();
      const backoffMs = Math.min(FIRST_DELAY_MS * 2 ** failures, MAX_DELAY_MS) * (0.5 + Math.random() / 2);
      // The jitter comes on top of what the server asks for: everyone was told the same.
      const delayMs = Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS) + backoffMs;
      failures += 1;
      wait = { since: now(), delayMs };
      timer = setTimeout(() => {
        stop();
        run();
      }, delayMs);
      // In Node, a program that has nothing else to do may end.
      if (typeof timer === 'object') timer.unref();
      return wait.since.wall + delayMs;
    },
    stop,
    reset() {
      stop();
      failures = 0;
    },
  };
}
