import { writeFile } from 'node:fs/promises';

import type { Command } from 'commander';

import { printCoreSchema } from '../graphql/schema.js';
import type { Cli } from './command.js';

/** `schema`: the GraphQL schema, for code generators and routers. */
export function addSchemaCommand(program: Command, { terminal }: Cli): void {
  program
    .command('schema')
    .description('print the GraphQL schema, with its directives')
    .option('--out <file>', 'write it to a file')
    .action(async ({ out }: { out?: string }) => {
      const sdl = printCoreSchema();
      if (out === undefined) terminal.stdout.write(sdl);
      else await writeFile(out, sdl);
    });
}
