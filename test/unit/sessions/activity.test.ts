import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { SessionStore, Sighting } from '../../../src/persistence/session.store.js';
import { createSessionActivity } from '../../../src/sessions/activity.js';
import { recordingLog } from '../../support/log.js';

type Write = SessionStore['recordSightings'];

function setUp() {
  const clock = { time: 0, setBack: 0, now: () => clock.time - clock.setBack, monotonic: () => clock.time };
  const writes: (readonly Sighting[])[] = [];
  const recordSightings = vi.fn<Write>(async (sightings) => {
    writes.push(sightings);
    return [];
  });
  const { log, lines } = recordingLog();
  const activity = createSessionActivity({ sessions: { recordSightings } as Partial<SessionStore> as SessionStore, clock, log });
  return { clock, writes, recordSightings, activity, lines };
}

const saw = (sessionId: string, generation: number): Sighting => ({ sessionId, generation });

describe('sightings of sessions', () => {
  it('are written together at the next write', async () => {
    const { activity, writes } = setUp();
    activity.see(saw('a', 1));
    activity.see(saw('b', 7));
    await activity.flush();
    expect(writes).toEqual([[saw('a', 1), saw('b', 7)]]);
  });

  it('cost no write when there are none', async () => {
    const { activity, writes } = setUp();
    await activity.flush();
    expect(writes).toEqual([]);
  });

  it('of one generation are written once a minute, however many', async () => {
    const { activity, writes, clock } = setUp();
    for (const time of [0, 1, 30_000, 59_999]) {
      clock.time = time;
      activity.see(saw('a', 1));
      await activity.flush();
    }
    expect(writes).toHaveLength(1);
    clock.time = 60_000;
    activity.see(saw('a', 1));
    await activity.flush();
    expect(writes).toEqual([[saw('a', 1)], [saw('a', 1)]]);
  });

  it('are written after a minute although the clock was set back', async () => {
    const { activity, writes, clock } = setUp();
    activity.see(saw('a', 1));
    await activity.flush();
    clock.time = 60_000;
    clock.setBack = 3_600_000;
    activity.see(saw('a', 1));
    await activity.flush();
    expect(writes).toHaveLength(2);
  });

  it('of a new generation are written at the next write', async () => {
    const { activity, writes } = setUp();
    activity.see(saw('a', 1));
    await activity.flush();
    activity.see(saw('a', 2));
    await activity.flush();
    expect(writes).toEqual([[saw('a', 1)], [saw('a', 2)]]);
  });

  it('of an earlier generation never take back a later one', async () => {
    const { activity, writes } = setUp();
    activity.see(saw('a', 2));
    activity.see(saw('a', 1));
    await activity.flush();
    expect(writes).toEqual([[saw('a', 2)]]);
  });

  it('of two generations in turn are written once a minute together', async () => {
    const { activity, writes, clock } = setUp();
    activity.see(saw('a', 2));
    await activity.flush();
    clock.time = 60_000;
    activity.see(saw('a', 1));
    await activity.flush();
    activity.see(saw('a', 2));
    await activity.flush();
    expect(writes).toHaveLength(2);
  });

  it('stay noted while they cannot be written, and the failure is logged', async () => {
    const { activity, writes, recordSightings, lines } = setUp();
    recordSightings.mockRejectedValueOnce(new Error('no database'));
    activity.see(saw('a', 1));
    await activity.flush();
    expect(writes).toEqual([]);
    expect(lines).toMatchObject([{ level: 'warn', sightings: 1 }]);
    await activity.flush();
    expect(writes).toEqual([[saw('a', 1)]]);
  });

  it('that failed do not take back what was seen meanwhile', async () => {
    const { activity, writes, recordSightings } = setUp();
    recordSightings.mockImplementationOnce(async () => {
      activity.see(saw('a', 3));
      throw new Error('no database');
    });
    activity.see(saw('a', 2));
    await activity.flush();
    await activity.flush();
    expect(writes).toEqual([[saw('a', 3)]]);
  });

  it('whose rows were locked are tried again at the next write', async () => {
    const { activity, writes, recordSightings } = setUp();
    recordSightings.mockResolvedValueOnce([saw('b', 1)]);
    activity.see(saw('a', 1));
    activity.see(saw('b', 1));
    await activity.flush();
    await activity.flush();
    expect(writes).toEqual([[saw('b', 1)]]);
  });

  it('are written in batches that one statement can hold', async () => {
    const { activity, writes } = setUp();
    for (let i = 0; i < 12_000; i += 1) activity.see(saw(String(i), 1));
    await activity.flush();
    expect(writes.map((batch) => batch.length)).toEqual([5000, 5000, 2000]);
    expect(new Set(writes.flat().map(({ sessionId }) => sessionId)).size).toBe(12_000);
  });

  it('are written by one writer at a time', async () => {
    const { activity, writes, recordSightings } = setUp();
    const { promise: isReleased, resolve: release } = Promise.withResolvers<undefined>();
    recordSightings.mockImplementationOnce(async (sightings) => {
      await isReleased;
      writes.push(sightings);
      return [];
    });
    activity.see(saw('a', 1));
    const first = activity.flush();
    const second = activity.flush();
    expect(recordSightings).toHaveBeenCalledTimes(1);
    release(undefined);
    await Promise.all([first, second]);
    expect(writes).toEqual([[saw('a', 1)]]);
  });
});

describe('the writer of sightings', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('writes once a second from start to stop', async () => {
    const { activity, writes } = setUp();
    activity.see(saw('a', 1));
    activity.start();
    activity.start();
    await vi.advanceTimersByTimeAsync(999);
    expect(writes).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(writes).toHaveLength(1);
    await activity.stop();
    activity.see(saw('b', 1));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writes).toHaveLength(1);
  });

  it('writes what is left when it stops, what was seen during the last write included', async () => {
    const { activity, writes, recordSightings } = setUp();
    recordSightings.mockImplementationOnce(async (sightings) => {
      activity.see(saw('b', 1));
      writes.push(sightings);
      return [];
    });
    activity.see(saw('a', 1));
    await activity.stop();
    expect(writes).toEqual([[saw('a', 1)], [saw('b', 1)]]);
  });

  it('stops although nothing can be written', async () => {
    const { activity, recordSightings } = setUp();
    recordSightings.mockRejectedValue(new Error('no database'));
    activity.see(saw('a', 1));
    await activity.stop();
    expect(recordSightings).toHaveBeenCalledTimes(2);
  });
});
