import type { Clock } from '../../src/clock.js';

export interface FakeClock extends Clock {
  /** Seconds since the epoch, as tokens count. */
  readonly seconds: number;
  setSeconds(seconds: number): void;
  advanceSeconds(seconds: number): void;
}

/** A clock that stands still until a test moves it. */
export function createFakeClock(startSeconds = 1_800_000_000): FakeClock {
  let milliseconds = startSeconds * 1000;
  return {
    now: () => milliseconds,
    monotonic: () => milliseconds,
    get seconds() {
      return milliseconds / 1000;
    },
    setSeconds(seconds) {
      milliseconds = seconds * 1000;
    },
    advanceSeconds(seconds) {
      milliseconds += seconds * 1000;
    },
  };
}
