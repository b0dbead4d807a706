import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import process from 'node:process';

import { explanations } from './explanations.mjs';
import { figure } from './figures.mjs';
import { settings as latchkeySettings } from './latchkey.mjs';
import { settings as postgresSettings } from './postgres.mjs';
import { describeCores } from './processes.mjs';

const code = (text) => `\`${text}\``;
const pairs = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => code(`${name}=${value}`))
    .join(', ');

/** The table, and everything one needs to judge it; a full run is kept in RESULTS.md. */
export async function report({ plan, rows, contestants, capacity, postgresVersion, seconds, isKept }) {
  const { dependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const peers = [
    'express',
    'jsonwebtoken',
    '@apollo/server',
    '@as-integrations/fastify',
    'fastify',
    'jose',
    'better-auth',
    'mercurius',
    'pg',
    'argon2',
    'undici',
  ];
  const lines = [
    '# Measured speed',
    '',
    `Written by ${code(plan.name === 'quick' ? 'npm run bench -- --quick' : 'npm run bench')}, in ${Math.round(seconds / 6) / 10} minutes.${plan.name === 'quick' ? ' A quick run is for a first look: its rounds are short.' : ''}`,
    'Each ratio is taken within one round, of two measurements that follow each other; the table shows the median of all rounds. Memory is measured once.',
    '',
    ...table(
      ['row', 'measured : against', 'ratio', 'aim', 'met', 'what it means'],
      rows.map((row) => [row.row, row.detail, valueOf(row), aimOf(row), isMet(row) ? 'yes' : 'no', row.meaning]),
    ),
    '',
    ...explain(rows),
    '## Throughput, one server after the other',
    '',
    ...table(
      ['server', 'requests/s', 'µs of processor each', 'p50 ms', 'p99 ms', 'load generator busy'],
      contestants.map(({ name, perSecond, cpu, p50, p99, busy }) => [
        name,
        figure(Math.round(perSecond)),
        figure(cpu),
        figure(p50),
        figure(p99),
        `${Math.round(busy * 100)} %`,
      ]),
    ),
    '',
    'Where the load generator was as good as always busy, the server could do more than the figure says.',
    '',
    ...carried(capacity),
    '## The machine, and what ran on it',
    '',
    `- ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; ${describeCores()}`,
    `- Node ${process.versions.node}; PostgreSQL ${postgresVersion} with ${pairs(postgresSettings)}, everything else as it comes, fsync included`,
    `- Latchkey with \`NODE_ENV=production\`, \`DATABASE_URL\`, \`LATCHKEY_SECRETS\`, ${pairs(latchkeySettings)}; the refresh rows also with \`LATCHKEY_REFRESH_GRACE_SECONDS=0\`, so that every refresh rotates; the row of cached tokens with \`LATCHKEY_TOKEN_CACHE_ENTRIES=100000\``,
    `- ${peers.map((name) => `${name} ${dependencies[name]}`).join(', ')}`,
    `- ${plan.throughput.callers} callers, ${plan.throughput.rounds} rounds of ${plan.throughput.seconds} s for the first seven rows; every answer is compared with the right one`,
    '',
  ];
  const text = lines.join('\n');
  if (isKept) await writeFile(new URL('../RESULTS.md', import.meta.url), text);
  return text;
}

function explain(rows) {
  const unmet = rows.filter((row) => !isMet(row) && explanations[row.row] !== undefined);
  if (unmet.length === 0) return [];
  return [
    '## What stands in the way',
    '',
    ...unmet.map((row) => `- **${row.row}**, ${valueOf(row)} for ${aimOf(row)}. ${explanations[row.row]}`),
    '',
  ];
}

function carried(capacity) {
  if (capacity === undefined) return [];
  const { statements, tableRows } = capacity;
  return [
    '## What one PostgreSQL carries',
    '',
    'The statements of the stores, sent through pg without a server in between, over a table of a million sessions. docs/scaling.md reckons with them.',
    '',
    ...table(
      ['statement', 'a second', 'bytes of write-ahead log for each, whole pages included'],
      statements.map(({ name, perSecond, walBytes }) => [name, figure(perSecond), figure(walBytes)]),
    ),
    '',
    ...table(
      ['row', 'bytes, indexes included'],
      tableRows.map(({ name, bytes }) => [name, figure(bytes)]),
    ),
    '',
  ];
}

function table(head, body) {
  const rows = [head, ...body].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(rows[0]), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)];
}

function valueOf(row) {
  const { value, unit } = row;
  if (unit !== undefined) return `${figure(value)} ${unit}`;
  const rounded = value.toFixed(2);
  // What misses its aim by a hair must not look as if it met it.
  return isMet({ ...row, value: Number(rounded) }) === isMet(row) ? rounded : value.toFixed(4);
}

function aimOf({ atLeast, atMost, unit }) {
  return `${atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`}${unit === undefined ? '' : ` ${unit}`}`;
}

export function isMet({ value, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }) {
  return value >= atLeast && value <= atMost;
}
