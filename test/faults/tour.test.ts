import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, patternOf, readme, section } from '../support/readme.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Run {
  exitCode: number | null;
  output: string;
}

interface RunOptions {
  /** Where the tour and the server are. */
  folder?: string;
  /** Ends it by SIGINT once it has printed this. */
  interruptAt?: string;
}

let scratch: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'latchkey-tour-test-'));
  // As `npm run tour` does before it.
  for (const script of [['scripts/build.mjs', '--if-needed'], ['client/scripts/build.mjs']]) {
    const { exitCode, output } = await runNode(script, root);
    if (exitCode !== 0) throw new Error(output);
  }
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What is ours of the temporary files: Node keeps what it has compiled there too. */
const leftBehind = () => readdirSync(scratch).filter((name) => name.startsWith('latchkey-'));

function runTour({ folder = root, interruptAt }: RunOptions = {}): Promise<Run> {
  return runNode(['scripts/tour/main.mjs'], folder, interruptAt);
}

/** With a folder for temporary files that it leaves as it was. */
function runNode(args: readonly string[], cwd: string, interruptAt?: string): Promise<Run> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, args, { cwd, env: { PATH, HOME, TMPDIR: scratch }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let isInterrupted = false;
  const written = (chunk: unknown) => {
    output += String(chunk);
    if (interruptAt === undefined || isInterrupted || !output.includes(interruptAt)) return;
    isInterrupted = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', written);
  child.stderr.on('data', written);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => {
      resolve({ exitCode, output });
    });
  });
}

/** This checkout with a server in which one line is another; none of it is built again. */
function brokenCheckout(file: string, line: string, otherwise: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-broken-'));
  for (const name of readdirSync(root)) {
    if (name === 'dist' || name === 'scripts') cpSync(join(root, name), join(folder, name), { recursive: true });
    else symlinkSync(join(root, name), join(folder, name));
  }
  const path = join(folder, 'dist', file);
  const code = readFileSync(path, 'utf8');
  expect(code).toContain(line);
  writeFileSync(path, code.replace(line, otherwise));
  return folder;
}

describe('the tour', () => {
  let whole: Run;

  beforeAll(async () => {
    whole = await runTour();
  });

  it('holds, and ends by saying so', () => {
    expect(whole.output).toContain('All of it held');
    expect(whole.output).not.toContain('✗');
    expect(whole.exitCode).toBe(0);
  });

  it('prints what README shows of it', () => {
    const shown = codeBlocks(section(readme, '## Run it')).find(({ text }) => text.startsWith('7. '));
    expect(whole.output).toMatch(new RegExp(patternOf(shown!.text).source.slice(1, -1), 's'));
  });

  it('fits into 100 columns, without colours where there is no terminal', () => {
    expect(whole.output.split('\n').filter((line) => line.length > 100)).toEqual([]);
    expect(whole.output).not.toContain('\u001B');
  });

  it('shows no token and no password whole', () => {
    expect(whole.output).not.toMatch(/lkr1_[\w-]{20}|eyJ[\w-]{20}|"password": "[^…]/);
  });

  it('leaves nothing behind', () => {
    expect(leftBehind()).toEqual([]);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const { exitCode, output } = await runTour({ interruptAt: '4. ' });
    expect(output).not.toContain('does not hold');
    expect(exitCode).toBe(130);
    expect(leftBehind()).toEqual([]);
  });
});

describe.each([
  {
    what: 'does not end the session of a token that was used again',
    file: 'sessions/rotation.js',
    line: "if (presented.generation < row.generation - 1)\n        return 'reused';",
    otherwise: "if (presented.generation < row.generation - 1)\n        return 'ended';",
    sentence: 'When a copied refresh token is used, the session ends, its access tokens too.',
  },
  {
    what: 'forgets what a lost answer held',
    file: 'sessions/rotation.js',
    line: "? 'repeated' : 'reused'",
    otherwise: "? 'ended' : 'reused'",
    sentence: 'The repeated refresh gets the same successor as the lost one.',
  },
])('a server that $what', ({ file, line, otherwise, sentence }) => {
  it('fails the tour, with a sentence and the message that says otherwise', async () => {
    const folder = brokenCheckout(file, line, otherwise);
    try {
      const { exitCode, output } = await runTour({ folder });
      const [, said] = output.split('This does not hold: ');
      expect(said).toContain(sentence);
      expect(said).toMatch(/→ server\n[\s\S]*server → /);
      expect(exitCode).toBe(1);
      expect(leftBehind()).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
