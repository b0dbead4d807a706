import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

import { environmentSchema } from '../../../src/config/config.js';
import { renderConfigTable, withConfigTable } from '../../support/config-table.js';

const readme = new URL('../../../README.md', import.meta.url);

it('has the configuration table of README say what the schema says: UPDATE_DOCS=1 writes it anew', async () => {
  const document = await readFile(readme, 'utf8');
  const wanted = withConfigTable(document, await renderConfigTable());
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(readme, wanted);
  else expect(document).toBe(wanted);
});

it('gives every key a row with its default, and a sentence', async () => {
  const lines = (await renderConfigTable()).trim().split('\n').slice(2);
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(environmentSchema.shape).map((name) => `\`${name}\``));
  for (const [, name, fallback, , description] of rows) {
    expect(fallback, name).not.toMatch(/^$|``|undefined/);
    expect(description, name).not.toBe('');
  }
});

it('changes nothing outside the markers', () => {
  const before = 'one\n<!-- configuration:begin -->\nold\n<!-- configuration:end -->\ntwo\n';
  expect(withConfigTable(before, 'new\n')).toBe('one\n<!-- configuration:begin -->\n\nnew\n\n<!-- configuration:end -->\ntwo\n');
});

it.each([
  '',
  '<!-- configuration:begin -->',
  '<!-- configuration:end -->',
  '<!-- configuration:end --><!-- configuration:begin -->',
  '<!-- configuration:begin --><!-- configuration:begin --><!-- configuration:end -->',
  '<!-- configuration:begin --><!-- configuration:end --><!-- configuration:end -->',
])('refuses a document whose markers are not one pair: %j', (document) => {
  expect(() => withConfigTable(document, 'table')).toThrow('once each');
});
