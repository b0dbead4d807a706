import type { Command } from 'commander';

import { systemClock } from '../clock.js';
import { loadConfig, type Config } from '../config/config.js';
import { createCore, type Core } from '../core.js';
import { withDevelopmentSecrets } from '../development.js';
import { createLogger, type Logger } from '../log.js';
import { OPERATOR as AUDITED_OPERATOR } from '../persistence/audit.store.js';
import { openDatabase, requireMigrated, type Database } from '../persistence/database.js';
import type { Terminal } from './io.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Who the command line acts as: signed in as nobody. */
export const OPERATOR = { ...AUDITED_OPERATOR, signedIn: null };

export interface JsonOption {
  json?: true;
}

/** What every command is made with. */
export interface Cli {
  environment: Environment;
  terminal: Terminal;
  /** Adds a command with its description, which can print JSON. */
  command: (parent: Command, name: string, description: string) => Command;
  /** Where and how a command prints. */
  output: (options: JsonOption) => { json: boolean; terminal: Terminal };
  /** Opens the configured database for the length of some work. */
  withDatabase: (work: (database: Database, config: Config) => Promise<void>) => Promise<void>;
  /** Makes the domain for the length of some work, and tells the replicas when it is done. Signing keys are loaded, and none is made. */
  withCore: (work: (core: Core) => Promise<void>) => Promise<void>;
}

export function createCli(environment: Environment, terminal: Terminal): Cli {
  const withDatabase = async (work: (database: Database, config: Config, log: Logger) => Promise<void>): Promise<void> => {
    const config = await withDevelopmentSecrets(loadConfig(environment));
    // Standard output is for what was asked for.
    const log = createLogger({ logLevel: 'warn' }, process.stderr);
    const database = await openDatabase(config, log);
    try {
      await work(database, config, log);
    } finally {
      await database.close();
    }
  };

  return {
    environment,
    terminal,
    command: (parent, name, description) => parent.command(name).description(description).option('--json', 'print JSON'),
    output: ({ json }) => ({ json: json === true, terminal }),
    withDatabase,
    withCore: (work) =>
      withDatabase(async (database, config, log) => {
        await requireMigrated(database);
        const core = await createCore({ config, clock: systemClock, log, database, reservedDatabase: database });
        // The servers' own affair: their key must never be one that was sealed here, with whatever secrets there are.
        await core.keyMaintenance.stop();
        await core.keys.read();
        await work(core);
        // Before the database is closed.
        await core.revocations.notify();
      }),
  };
}
