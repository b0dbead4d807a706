import { Command } from 'commander';

import { AuthError, explainToOperator } from '../errors.js';
import { createCli, type Environment } from './command.js';
import { addDatabaseCommands } from './database.js';
import { addHashTuneCommand } from './hash-tune.js';
import type { Terminal } from './io.js';
import { addKeyCommands } from './keys.js';
import { addSchemaCommand } from './schema.js';
import { addSessionCommands } from './sessions.js';
import { addUserCommands } from './users.js';

/** Runs the `latchkey` command; a fault ends with its message and exit code 1. */
export async function runCli(argv: readonly string[], environment: Environment, terminal: Terminal = process): Promise<void> {
  try {
    await createProgram(environment, terminal).parseAsync([...argv]);
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = 1;
  }
}

function createProgram(environment: Environment, terminal: Terminal): Command {
  const program = new Command('latchkey')
    .description("Runs what a Latchkey server needs beside itself. The configuration comes from the environment, as the server's does.")
    // An argument too many may be a password that belongs on standard input: it is not repeated.
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/(?<=arguments? but got \d+): .*/s, '.\n'));
      },
    });
  const cli = createCli(environment, terminal);
  addDatabaseCommands(program, cli);
  addSchemaCommand(program, cli);
  addUserCommands(program, cli);
  addSessionCommands(program, cli);
  addKeyCommands(program, cli);
  addHashTuneCommand(program, cli);
  return program;
}

/** The message of a fault, in the words of who runs the command. */
function describe(error: unknown): string {
  if (!(error instanceof AuthError)) return explainToOperator(error);
  const { fault, message } = error;
  switch (fault.code) {
    case 'BAD_USER_INPUT':
      return fault.fields.map((field) => `${field.path}: ${field.message}`).join('\n');
    case 'SERVICE_UNAVAILABLE':
      return `${explainToOperator(error)}\nSee what is wrong: latchkey doctor`;
    default:
      return message;
  }
}
