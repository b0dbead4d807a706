import { platform } from './platform.js';

/** Milliseconds since it was started: at least as many as have passed, so far as the device can tell. */
export type Stopwatch = () => number;

/**
 * A wall clock can be set back, and a monotonic one stands still on some platforms while the device sleeps: the larger of the two holds. A clock
 * that is wrong but steady makes no difference, because nothing is compared with the time of another machine.
 */
export function startStopwatch(): Stopwatch {
  const wall = Date.now();
  const monotonic = ticks();
  return () => Math.max(Date.now() - wall, ticks() - monotonic);
}

/** Of the monotonic clock; zero, always, where there is none. */
function ticks(): number {
  return platform.performance?.now() ?? 0;
}
