import { writeFile } from 'node:fs/promises';

import type { Command } from 'commander';

import { introspectCoreSchema, printCoreSchema } from '../graphql/print-schema.js';
import type { Cli, JsonOption } from './command.js';

/** `schema`: Latchkey's own GraphQL schema, for code generators and routers. */
export function addSchemaCommand(program: Command, { command, terminal }: Cli): void {
  command(program, 'schema', 'print the GraphQL schema of Latchkey itself, with its directives; as JSON, what introspection answers')
    .option('--out <file>', 'write it to a file')
    .action(async ({ json, out }: JsonOption & { out?: string }) => {
      const schema = json === true ? `${JSON.stringify(introspectCoreSchema(), null, 2)}\n` : printCoreSchema();
      if (out === undefined) terminal.stdout.write(schema);
      else await writeFile(out, schema);
    });
}
