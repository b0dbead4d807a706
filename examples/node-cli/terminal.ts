import process from 'node:process';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

/**
 * Reads a password: typed unseen at a terminal, or the first line of standard input. Never from the arguments, which other users of the machine
 * and the shell's history would see. Empty when none was given.
 */
export async function readPassword(): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return (await text(stdin)).split(/\r?\n/)[0] ?? '';

  stderr.write('Password: ');
  // Takes what readline would echo.
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const readline = createInterface({ input: stdin, output: unseen, terminal: true });
  const typed = await new Promise<string>((resolve) => {
    // Ctrl-C and Ctrl-D close it unanswered.
    readline.once('close', () => resolve(''));
    readline.question('', resolve);
  });
  readline.close();
  stderr.write('\n');
  return typed;
}

/** A terminal obeys control characters, and names of devices come from anywhere. */
export function printable(value: string): string {
  return value.replaceAll(/\p{Cc}/gu, '?');
}
