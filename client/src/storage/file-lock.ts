import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { Lock } from '../core/lock.js';
import { isMissing } from './atomic-file.js';

const POLL_MS = 25;
const HEARTBEAT_MS = 2000;
/** A lock whose holder has not shown itself for so long is left over from a crash. */
const STALE_MS = 10_000;

/**
 * A lock between processes: a file that exists while the lock is held, `<name>.lock`; a name is a path.
 *
 * Its holder renews the file's time as long as it lives; one that has stopped is taken over. Good enough for what it is for: when two hold it at once,
 * which takes a process that stood still for so long, a refresh is repeated or a record is written over.
 */
export const fileLock: Lock = async (name, task) => {
  const path = `${name}.lock`;
  const owner = randomBytes(16).toString('hex');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  while (!(await tryToTake(path, owner))) {
    await breakIfStale(path);
    // Who has waited long enough goes on without it, and the program may end.
    await pause(POLL_MS + Math.random() * POLL_MS, undefined, { ref: false });
  }
  const heartbeat = setInterval(() => {
    const time = new Date();
    utimes(path, time, time).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await task();
  } finally {
    clearInterval(heartbeat);
    // If it was taken over meanwhile, it is not ours to remove.
    if ((await readOwner(path)) === owner) await rm(path, { force: true });
  }
};

async function tryToTake(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(owner);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function breakIfStale(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    // A clock that was set back leaves a lock of the future.
    if (Math.abs(Date.now() - mtimeMs) < STALE_MS) return;
    const owner = await readOwner(path);
    const aside = `${path}.${randomBytes(8).toString('hex')}`;
    // Of all who want to break it, one succeeds.
    await rename(path, aside);
    // Between the look and the rename, another may have broken it and taken it: then it is given back.
    if ((await readOwner(aside)) !== owner) await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function readOwner(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
