import { describe, expect, it } from 'vitest';

import { createWorkQueue, type WorkQueue } from '../../src/work-queue.js';

/** Tasks that end when the test says so, and the names of those that have begun. */
function createTasks() {
  const begun: string[] = [];
  const ends = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  const task = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
  };
  return {
    begun,
    task,
    end: (name: string) => ends.get(name)!.resolve(name),
    fail: (name: string, error: Error) => ends.get(name)!.reject(error),
  };
}

/** Runs a task that there is room for. */
function enqueue<T>(queue: WorkQueue, task: () => Promise<T>): Promise<T> {
  const running = queue.run(task);
  if (running === undefined) throw new Error('The queue is full.');
  return running;
}

describe('a work queue', () => {
  it('begins a task at once while there is room, and lets the rest wait', () => {
    const { begun, task } = createTasks();
    const queue = createWorkQueue({ concurrency: 2, queueLimit: 2 });
    for (const name of ['a', 'b', 'c', 'd']) void queue.run(task(name));
    expect(begun).toEqual(['a', 'b']);
    expect(queue.running).toBe(2);
  });

  it('refuses at once, and never runs, what is too much', () => {
    const { begun, task } = createTasks();
    const queue = createWorkQueue({ concurrency: 1, queueLimit: 1 });
    void queue.run(task('a'));
    void queue.run(task('b'));
    expect(queue.run(task('c'))).toBeUndefined();
    expect(begun).toEqual(['a']);
    expect(queue.running).toBe(1);
  });

  it('lets nobody wait when nobody may', () => {
    const { task } = createTasks();
    const queue = createWorkQueue({ concurrency: 1, queueLimit: 0 });
    expect(queue.run(task('a'))).toBeInstanceOf(Promise);
    expect(queue.run(task('b'))).toBeUndefined();
  });

  it('takes those who wait in the order in which they came', async () => {
    const { begun, task, end } = createTasks();
    const queue = createWorkQueue({ concurrency: 1, queueLimit: 2 });
    const running = ['a', 'b', 'c'].map((name) => enqueue(queue, task(name)));
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      await expect.poll(() => begun).toContain(name);
      expect(begun).toHaveLength(index + 1);
      end(name);
    }
    expect(await Promise.all(running)).toEqual(['a', 'b', 'c']);
    await expect.poll(() => queue.running).toBe(0);
  });

  it('gives the task its room back when it fails, and tells the failure', async () => {
    const { begun, task, fail, end } = createTasks();
    const queue = createWorkQueue({ concurrency: 1, queueLimit: 1 });
    const [first, second] = [enqueue(queue, task('a')), enqueue(queue, task('b'))];
    fail('a', new Error('no'));
    await expect(first).rejects.toThrow('no');
    await expect.poll(() => begun).toEqual(['a', 'b']);
    fail('b', new Error('no again'));
    await expect(second).rejects.toThrow('no again');
    const third = enqueue(queue, task('c'));
    end('c');
    expect(await third).toBe('c');
  });

  it.each([1, 2, 4])('never runs more than %d at once', async (concurrency) => {
    const queue = createWorkQueue({ concurrency, queueLimit: 100 });
    let running = 0;
    let most = 0;
    const work = async () => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
    };
    await Promise.all(Array.from({ length: 50 }, () => enqueue(queue, work)));
    expect(most).toBe(concurrency);
    expect(running).toBe(0);
  });
});
