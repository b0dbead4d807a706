import { fileURLToPath } from 'node:url';

import { format, resolveConfig } from 'prettier';

import { environmentSchema, type KeyMeta } from '../../src/config/config.js';

const readme = fileURLToPath(new URL('../../README.md', import.meta.url));

const BEGIN = '<!-- configuration:begin -->';
const END = '<!-- configuration:end -->';

/** README's configuration table: a row for each key of the environment, in the schema's order, laid out as prettier likes it. */
export async function renderConfigTable(): Promise<string> {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const { description, unit = '', shownDefault } = schema.meta() as unknown as KeyMeta;
    return [`\`${name}\``, shownDefault ?? `\`${String(schema.parse(undefined))}\``, unit, description];
  });
  const table = [['name', 'default', 'unit', 'what it is'], ['---', '---', '---', '---'], ...rows];
  const markdown = table.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
  return format(markdown, { ...(await resolveConfig(readme)), parser: 'markdown' });
}

/**
 * The document with this table between its two markers.
 *
 * @throws when the document does not carry each marker once, in order.
 */
export function withConfigTable(document: string, table: string): string {
  const [before, section, ...moreBegins] = document.split(BEGIN);
  const [, after, ...moreEnds] = (section ?? '').split(END);
  if (before === undefined || after === undefined || moreBegins.length > 0 || moreEnds.length > 0) {
    throw new Error(`README.md needs ${BEGIN} and ${END}, once each.`);
  }
  return `${before}${BEGIN}\n\n${table}\n${END}${after}`;
}
