import { writeFile } from 'node:fs/promises';

import { Command } from 'commander';

import { loadConfig, type Config } from '../config/config.js';
import { withDevelopmentSecrets } from '../development.js';
import { explainToOperator } from '../errors.js';
import { createLogger } from '../log.js';
import { printCoreSchema } from '../graphql/schema.js';
import { openDatabase } from '../persistence/database.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs the `latchkey` command; a fault ends with its message and exit code 1. */
export async function runCli(argv: readonly string[], environment: Environment): Promise<void> {
  try {
    await createProgram(environment).parseAsync([...argv]);
  } catch (error) {
    process.stderr.write(`${explainToOperator(error)}\n`);
    process.exitCode = 1;
  }
}

function createProgram(environment: Environment): Command {
  const program = new Command('latchkey').description(
    'Runs what a Latchkey server needs beside itself. The configuration comes from the environment.',
  );

  program
    .command('migrate')
    .description('apply the migrations that the database lacks')
    .action(async () => {
      const config = await configuration(environment);
      const database = await openDatabase(config, createLogger({ logLevel: config.logLevel }));
      try {
        const applied = await database.migrate();
        process.stdout.write(
          applied.length === 0 ? 'The database is up to date.\n' : `Applied:\n${applied.map((name) => `  ${name}\n`).join('')}`,
        );
      } finally {
        await database.close();
      }
    });

  program
    .command('schema')
    .description('print the GraphQL schema, with its directives')
    .option('--out <file>', 'write it to a file')
    .action(async ({ out }: { out?: string }) => {
      const sdl = printCoreSchema();
      if (out === undefined) process.stdout.write(sdl);
      else await writeFile(out, sdl);
    });

  return program;
}

async function configuration(environment: Environment): Promise<Config> {
  return withDevelopmentSecrets(loadConfig(environment));
}
