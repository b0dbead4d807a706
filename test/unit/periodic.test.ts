import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { repeat, type Periodic } from '../../src/periodic.js';
import { recordingLog } from '../support/log.js';

let periodic: Periodic;
let runs: { end: () => void; fail: (error: Error) => void }[];
let lines: ReturnType<typeof recordingLog>['lines'];

beforeEach(() => {
  vi.useFakeTimers();
  runs = [];
  const recorded = recordingLog();
  ({ lines } = recorded);
  const work = () => new Promise<void>((end, fail) => runs.push({ end, fail }));
  periodic = repeat({ name: 'the work', everyMs: 1000, work, log: recorded.log });
});

afterEach(async () => {
  const stopped = periodic.stop();
  for (const run of runs) run.end();
  await stopped;
  vi.useRealTimers();
});

describe('work that is repeated', () => {
  it('begins after the first interval, not before', async () => {
    await vi.advanceTimersByTimeAsync(999);
    expect(runs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(runs).toHaveLength(1);
  });

  it('is never done twice at once', async () => {
    await vi.advanceTimersByTimeAsync(5000);
    expect(runs).toHaveLength(1);
  });

  it('is done once more, and no more, when it was wanted while it was being done', async () => {
    const first = periodic.runNow();
    const others = [periodic.runNow(), periodic.runNow()];
    runs[0]!.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(runs).toHaveLength(2);
    runs[1]!.end();
    await Promise.all([first, ...others]);
    expect(runs).toHaveLength(2);
  });

  it('goes on after a failure, which is logged', async () => {
    const run = periodic.runNow();
    runs[0]!.fail(new Error('not now'));
    await run;
    expect(lines).toEqual([expect.objectContaining({ level: 'error', msg: 'the work failed, and will be tried again' })]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(runs).toHaveLength(2);
  });

  describe('and may not wait for its turn after a failure', () => {
    beforeEach(async () => {
      await periodic.stop();
      const recorded = recordingLog();
      ({ lines } = recorded);
      const work = () => new Promise<void>((end, fail) => runs.push({ end, fail }));
      periodic = repeat({ name: 'the work', everyMs: 60_000, retryAfterMs: 1000, work, log: recorded.log });
    });

    it('is tried again until it succeeds, and tells of the first failure and the end of them', async () => {
      const run = periodic.runNow();
      runs[0]!.fail(new Error('not now'));
      await run;
      await vi.advanceTimersByTimeAsync(1000);
      runs[1]!.fail(new Error('nor now'));
      await vi.advanceTimersByTimeAsync(1000);
      runs[2]!.end();
      await vi.advanceTimersByTimeAsync(50_000);
      expect(runs).toHaveLength(3);
      expect(lines.map(({ msg }) => msg)).toEqual(['the work failed, and will be tried again', 'the work works again']);
    });

    it('is not tried again once it is stopped, before or after it has failed', async () => {
      const run = periodic.runNow();
      const stopped = periodic.stop();
      runs[0]!.fail(new Error('not now'));
      await Promise.all([run, stopped]);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(runs).toHaveLength(1);
    });
  });

  it('is waited for when it is stopped, and not done again', async () => {
    const run = periodic.runNow();
    void periodic.runNow();
    let isStopped = false;
    const stopped = periodic.stop().then(() => (isStopped = true));
    await vi.advanceTimersByTimeAsync(5000);
    expect(isStopped).toBe(false);
    runs[0]!.end();
    await Promise.all([run, stopped]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(runs).toHaveLength(1);
  });
});
