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

/** Runs the `latchkey` command; a fault ends with its message on standard error, as JSON for who asks for that, and exit code 1. */
export async function runCli(argv: readonly string[], environment: Environment, terminal: Terminal = process): Promise<void> {
  // A command line that cannot be read has no options yet.
  const json = argv.includes('--json');
  const tell = (message: string) => process.stderr.write(`${json ? JSON.stringify({ error: message }) : message}\n`);
  try {
    await createProgram(environment, terminal, tell).parseAsync([...argv]);
  } catch (error) {
    tell(describe(error));
    process.exitCode = 1;
  }
}

function createProgram(environment: Environment, terminal: Terminal, tell: (message: string) => void): Command {
  const program = new Command('latchkey')
    .description("Runs what a Latchkey server needs beside itself. The configuration comes from the environment, as the server's does.")
    // An argument too many may be a password that belongs on standard input: it is not repeated.
    .configureOutput({
      outputError: (text) => {
        tell(text.replace(/(?<=arguments? but got \d+): .*/s, '.').trimEnd());
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
