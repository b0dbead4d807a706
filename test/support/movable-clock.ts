import { globSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIBRARY = '/usr/lib/*/faketime/libfaketime.so.1';

/** The clock of a process that is started with this environment, and of its children. */
export interface MovableClock {
  environment: Readonly<Record<string, string>>;
  /** Lets it differ from this machine's by so much, from now on. Timers and the monotonic clock run as ever. */
  set(offsetSeconds: number): void;
  remove(): void;
}

/** @throws {Error} where libfaketime is not installed. */
export async function createMovableClock(): Promise<MovableClock> {
  const [library] = globSync(LIBRARY);
  if (library === undefined)
    throw new Error(`This test moves the clock of PostgreSQL, and ${LIBRARY} is missing: apt-get install libfaketime.`);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-clock-'));
  // PostgreSQL may run as another user, who has to get through.
  await chmod(folder, 0o755);
  const file = join(folder, 'offset');
  const set = (offsetSeconds: number) => {
    // It is read at every look at the clock: never half written.
    writeFileSync(`${file}.next`, `${offsetSeconds < 0 ? '-' : '+'}${Math.abs(offsetSeconds)}\n`);
    renameSync(`${file}.next`, file);
  };
  set(0);
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    set,
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
