import type { Command } from 'commander';

import { ConfigError } from '../config/config.js';
import type { Cli, JsonOption } from './command.js';
import { examine, faultsFound, type Finding } from './doctor.js';
import { printResult, printRows } from './io.js';

/** `migrate`, `doctor` and `purge`: what a database needs from time to time. */
export function addDatabaseCommands(program: Command, { command, output, withCore, withDatabase }: Cli): void {
  command(program, 'migrate', 'apply the migrations that the database lacks').action((options: JsonOption) =>
    withDatabase(async (database) => {
      const applied = await database.migrate();
      printResult(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`, { applied }, output(options));
    }),
  );

  command(program, 'doctor', 'check configuration, database, clock, migrations and keys, and say what to do').action(
    async (options: JsonOption) => {
      const tell = (findings: readonly Finding[]) => {
        printRows(findings, { ...output(options), empty: '' });
        if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
      };
      try {
        await withDatabase(async (database, config) => tell(await examine(config, database)));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        tell(faultsFound(error));
      }
    },
  );

  command(program, 'purge', 'remove what the server would remove by and by: ended sessions, old audit events and the like').action(
    (options: JsonOption) =>
      withCore(async ({ housekeeping }) => {
        const removed = await housekeeping.runToTheEnd();
        const counts = Object.entries(removed).map(([what, count]) => `${String(count)} ${what}`);
        printResult(`Removed: ${counts.join(', ')}.`, removed, output(options));
      }),
  );
}
