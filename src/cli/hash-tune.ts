import type { Command } from 'commander';

import { systemClock } from '../clock.js';
import { loadConfig } from '../config/config.js';
import { createPasswordHasher } from '../crypto/password-hasher.js';
import type { Cli, JsonOption } from './command.js';
import { printRows } from './io.js';

const HASHES_EACH = 5;

/** `hash-tune`: what the parameters of argon2id cost on this machine. */
export function addHashTuneCommand(program: Command, { command, environment, output }: Cli): void {
  command(program, 'hash-tune', 'print the time of one password hash on this machine, for several parameters').action(
    async (options: JsonOption) => {
      const { argon2 } = loadConfig(environment);
      const rows = [];
      for (const [memoryKiB, iterations] of [
        [argon2.memoryKiB, argon2.iterations],
        [19_456, 2],
        [47_104, 1],
        [65_536, 3],
        [131_072, 3],
      ] as const) {
        const hasher = await createPasswordHasher({ ...argon2, memoryKiB, iterations });
        const begun = systemClock.monotonic();
        for (let count = 0; count < HASHES_EACH; count += 1) await hasher.hash('a password of the usual length');
        rows.push({ memoryKiB, iterations, milliseconds: Math.round((systemClock.monotonic() - begun) / HASHES_EACH) });
      }
      printRows(rows, { ...output(options), empty: '' });
    },
  );
}
