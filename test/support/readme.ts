import { readFileSync } from 'node:fs';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

export const readme = read('README.md');
export const security = read('docs/security.md');
export const operations = read('docs/operations.md');

export interface CodeBlock {
  language: string;
  text: string;
}

/** The fenced blocks of a document, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^( *)```(\w+)\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** The part of a document under a heading, up to the next one of its rank or above. */
export function section(markdown: string, heading: string): string {
  const rank = heading.indexOf(' ');
  const [, text] = markdown.split(`\n${heading}\n`);
  if (text === undefined) throw new Error(`There is no section "${heading}"`);
  return text.split(new RegExp(`^#{1,${rank}} `, 'm'))[0] ?? '';
}

/** The cells of a table's rows, without its head. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** A text in which `…` stands for anything but nothing. */
export function patternOf(shown: string): RegExp {
  return new RegExp(`^${shown.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.+')}$`, 's');
}
