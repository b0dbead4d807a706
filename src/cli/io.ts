import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** Where a command reads and writes: the process's own, or a test's. */
export interface Terminal {
  stdin: NodeJS.ReadStream;
  stdout: { write(text: string): unknown };
}

/**
 * Reads a password: typed unseen at a terminal, or the first line of standard input. Never from the arguments, which other users of the machine
 * and the shell's history would see.
 */
export async function readPassword(question: string, { stdin }: Terminal): Promise<string> {
  if (!stdin.isTTY) {
    const [line = ''] = (await text(stdin)).split(/\r?\n/);
    if (line === '') throw new Error('Give the password on standard input, or run this at a terminal to be asked for it.');
    return line;
  }
  process.stderr.write(question);
  // Takes what readline would echo.
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const readline = createInterface({ input: stdin, output: unseen, terminal: true });
  try {
    return await readline.question('');
  } finally {
    readline.close();
    process.stderr.write('\n');
  }
}

export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** Prints rows as a table for people, or as JSON for programs. */
export function printRows(rows: readonly Row[], { json, terminal, empty }: { json: boolean; terminal: Terminal; empty: string }): void {
  if (json) {
    terminal.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const [first] = rows;
  if (first === undefined) {
    terminal.stdout.write(`${empty}\n`);
    return;
  }
  const columns = Object.keys(first);
  const lines = [columns, ...rows.map((row) => columns.map((column) => printable(row[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  for (const line of lines) {
    terminal.stdout.write(
      `${line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}

/** Prints what came of a command: a sentence for people, or an object for programs. */
export function printResult(sentence: string, result: object, { json, terminal }: { json: boolean; terminal: Terminal }): void {
  terminal.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `${sentence}\n`);
}

/** A terminal obeys control characters, and these values come from clients. */
function printable(value: Row[string] | undefined): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return value == null ? '-' : String(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
