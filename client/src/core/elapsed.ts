import { platform } from './platform.js';

/** A moment, by every clock that the device has. Means nothing outside this process. */
export interface Moment {
  readonly wall: number;
  /** Zero, always, where there is none. */
  readonly monotonic: number;
}

export function now(): Moment {
  return { wall: Date.now(), monotonic: platform.performance?.now() ?? 0 };
}

/**
 * Milliseconds since a moment: at least as many as have passed, so far as the device can tell.
 *
 * A wall clock can be set back, and a monotonic one stands still on some platforms while the device sleeps: the larger of the two holds. A clock
 * that is wrong but steady makes no difference, because nothing is compared with the time of another machine.
 */
export function elapsedMs(since: Moment): number {
  const { wall, monotonic } = now();
  return Math.max(wall - since.wall, monotonic - since.monotonic);
}
