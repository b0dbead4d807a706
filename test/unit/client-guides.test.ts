import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/errors.js';
import { codeBlocks, section, tableRows } from '../support/readme.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = `${root}docs/clients/`;
const read = (path: string) => readFileSync(path, 'utf8');
const guides = Object.fromEntries(readdirSync(folder).map((name) => [name, read(folder + name)]));
const platforms = Object.entries(guides).filter(([name]) => name !== 'README.md');

const schema = buildSchema(read(`${root}schema/schema.graphql`));

/** `CODE REASON` of each that has one, and `CODE` of each that has none. */
type NameOf<F extends Fault> = F extends { code: infer Code extends string; reason: infer Reason extends string }
  ? `${Code} ${Reason}`
  : F['code'];

/** Every fault that the server can tell a caller: the compiler keeps this list the same as src/errors.ts. */
const faults = {
  'UNAUTHENTICATED TOKEN_MISSING': true,
  'UNAUTHENTICATED TOKEN_INVALID': true,
  'UNAUTHENTICATED TOKEN_EXPIRED': true,
  'UNAUTHENTICATED TOKEN_STALE': true,
  'UNAUTHENTICATED SESSION_REVOKED': true,
  'FORBIDDEN INSUFFICIENT_SCOPE': true,
  INVALID_CREDENTIALS: true,
  INVALID_REFRESH_TOKEN: true,
  BAD_USER_INPUT: true,
  'CONFLICT EMAIL_TAKEN': true,
  'CONFLICT USERNAME_TAKEN': true,
  RATE_LIMITED: true,
  SERVICE_UNAVAILABLE: true,
  INTERNAL_SERVER_ERROR: true,
} satisfies Record<NameOf<Fault> | 'INTERNAL_SERVER_ERROR', true>;

const wordsOf = (text: string) => [...text.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, word = '']) => word);

/** The faults that the rows of a table name: each code with each reason beside it. */
function faultsOf(rows: readonly string[][]): string[] {
  return rows.flatMap(([codes = '', reasons = '']) =>
    wordsOf(codes).flatMap((code) => (reasons === '' ? [code] : wordsOf(reasons).map((reason) => `${code} ${reason}`))),
  );
}

/** Each operation and fragment that a text quotes, whatever language is around it. */
function operationsOf(markdown: string): string[] {
  return codeBlocks(markdown).flatMap(({ text }) =>
    [...text.matchAll(/\b(?:query|mutation|subscription) \w+ *[({]|\bfragment \w+ on \w+ *\{/g)].map(({ index }) =>
      untilBalanced(text.slice(index)),
    ),
  );
}

/** Up to the brace that closes the first selection set; the variables before it hold none. */
function untilBalanced(text: string): string {
  let depth = 0;
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    depth += brace === '{' ? 1 : -1;
    if (depth === 0) return text.slice(0, index + 1);
  }
  return text;
}

describe('the error table of docs/clients', () => {
  it('has every code and reason that the server tells, each once, and no other', () => {
    const rows = tableRows(section(guides['README.md']!, '## The error table'));
    expect(faultsOf(rows).sort()).toEqual(Object.keys(faults).sort());
    for (const [name, , does] of rows) expect(does, name).not.toBe('');
  });

  it.each(platforms)('is repeated whole in %s', (_name, guide) => {
    expect(faultsOf(tableRows(section(guide, '## Errors'))).sort()).toEqual(Object.keys(faults).sort());
  });

  it.each(platforms)('says of the same faults that they end the session in %s', (_name, guide) => {
    const ending = (markdown: string, heading: string, word: RegExp) =>
      faultsOf(tableRows(section(markdown, heading)).filter(([, , does = '']) => word.test(does))).sort();
    const expected = ['INVALID_REFRESH_TOKEN', 'UNAUTHENTICATED SESSION_REVOKED'];
    expect(ending(guides['README.md']!, '## The error table', /\*\*ends the session\*\*/)).toEqual(expected);
    expect(ending(guide, '## Errors', /signed-?_?out/i)).toEqual(expected);
  });
});

describe('the rules of docs/clients', () => {
  it('are six', () => {
    const rules = section(guides['README.md']!, '## The six rules of a Latchkey client').matchAll(/^\*\*(\d)\. /gm);
    expect([...rules].map(([, number]) => number)).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it.each(platforms)('are linked from %s', (_name, guide) => {
    expect(guide).toContain('README.md#the-six-rules-of-a-latchkey-client');
  });
});

describe('the operations of docs/clients', () => {
  it.each([
    ['README.md', 3],
    ['swift.md', 3],
    ['kotlin.md', 4],
    ['react-native.md', 1],
    ['electron.md', 1],
  ])('are found in %s', (name, count) => {
    expect(operationsOf(guides[name]!)).toHaveLength(count);
  });

  it.each(Object.entries(guides))('fit the schema: %s', (_name, guide) => {
    // A fragment is defined in one block and used in the next definitions.
    const document = parse(operationsOf(guide).join('\n'));
    expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
  });
});

/** What TypeScript says of the snippets of a guide, each a module named by its first line, against the kit's own source. */
function typeErrorsOf(guide: string): string[] {
  const here = `${folder}snippets/`;
  const files = new Map<string, string>();
  for (const { language, text } of codeBlocks(guide)) {
    if (!/^tsx?$/.test(language)) continue;
    const [, name] = /^\/\/ ([\w.-]+\.tsx?)\n/.exec(text) ?? [];
    if (name === undefined) throw new Error(`The first line of a snippet names its file: ${text.slice(0, 80)}`);
    if (files.has(here + name)) throw new Error(`Two snippets are called ${name}`);
    files.set(here + name, text);
  }
  if (files.size === 0) throw new Error('There is no snippet');

  const host = ts.createCompilerHost(compilerOptions);
  const { fileExists, readFile, getSourceFile, directoryExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.directoryExists = (path) => `${path}/`.startsWith(here) || (directoryExists?.(path) ?? true);
  host.getSourceFile = (path, options) => {
    const text = files.get(path);
    return text === undefined ? getSourceFile(path, options) : ts.createSourceFile(path, text, options);
  };
  const program = ts.createProgram([...files.keys(), `${root}test/support/guide-modules.d.ts`], compilerOptions, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName.replace(here, '') ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

const compilerOptions = compilerOptionsOf();

/** Those of this repository, as a bundler resolves modules; the kit's subpaths lead to its source, so that nothing need be built. */
function compilerOptionsOf(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile) as { config: { compilerOptions: object } };
  const manifest = JSON.parse(read(`${root}client/package.json`)) as { exports: Record<string, { types: string } | string> };
  const paths = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'string'
      ? []
      : [[subpath.replace('.', '@latchkey/client'), [target.types.replace('./dist/', `${root}client/src/`).replace('.d.ts', '.ts')]]],
  );
  const own = { ...config.compilerOptions, module: 'ESNext', moduleResolution: 'Bundler', paths: Object.fromEntries(paths) as unknown };
  const { options, errors } = ts.convertCompilerOptionsFromJson(own, root);
  expect(errors).toEqual([]);
  return options;
}

describe('the TypeScript of docs/clients', () => {
  const typed = platforms.filter(([, guide]) => codeBlocks(guide).some(({ language }) => /^tsx?$/.test(language)));

  it('is in two guides', () => {
    expect(typed.map(([name]) => name).sort()).toEqual(['electron.md', 'react-native.md']);
  });

  it.each(typed)('is what the compiler takes: %s', { timeout: 60_000 }, (_name, guide) => {
    expect(typeErrorsOf(guide)).toEqual([]);
  });

  it('would be refused if it called what is not there, or passed what does not fit', { timeout: 60_000 }, () => {
    const broken = guides['react-native.md']!.replace('auth.logout();', 'auth.signOut();').replace('randomId: randomUUID', 'randomId: 1');
    expect(typeErrorsOf(broken)).toEqual([
      expect.stringMatching(/^auth\.ts:\d+ Type 'number' is not assignable to type '\(\) => string'/),
      expect.stringMatching(/^first-start\.ts:\d+ Property 'signOut' does not exist on type 'Auth'/),
    ]);
  });
});
