import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import process from 'node:process';

import { isMet } from './aims.mjs';
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
export async function report({ plan, rows, throughput, capacity, postgresVersion, seconds, isKept }) {
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
    '',
    '- **ratio:** in each round the two sides of a row are measured one right after the other, and give a ratio (memory: a difference). It is the median of these over all rounds; beside it stand the lowest and the highest.',
    '- **measured : against** is the median of each side for itself. The two need not come from the same round, so their quotient need not be the ratio. A server that is compared with several is measured beside each two of them, and has a figure for each.',
    '- **met** goes by the median. Where the ratios of single rounds lie on both sides of the aim, the aim is “within the spread”: another run may come out the other way.',
    '',
    ...table(
      ['row', 'measured : against', 'ratio', 'lowest to highest', 'aim', 'met', 'what it means'],
      rows.map((row) => [row.row, row.detail, valueOf(row), spreadOf(row), aimOf(row), verdictOn(row), row.meaning]),
    ),
    '',
    ...explain(rows),
    ...servers(throughput),
    ...carried(capacity),
    '## The machine, and what ran on it',
    '',
    `- ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; ${describeCores()}`,
    `- Node ${process.versions.node}; PostgreSQL ${postgresVersion} with ${pairs(postgresSettings)}, everything else as it comes, fsync included`,
    `- Latchkey with \`NODE_ENV=production\`, \`DATABASE_URL\`, \`LATCHKEY_SECRETS\`, ${pairs(latchkeySettings)}; the refresh rows also with \`LATCHKEY_REFRESH_GRACE_SECONDS=0\`, so that every refresh rotates; the row of cached tokens with \`LATCHKEY_TOKEN_CACHE_ENTRIES=100000\``,
    `- ${peers.map((name) => `${name} ${dependencies[name]}`).join(', ')}`,
    `- ${plan.throughput.callers} callers, ${roundsOf(plan.throughput)} of ${plan.throughput.seconds} s for the first seven rows; memory: ${roundsOf(plan.revocations)} with revocations (${plan.revocations.firstWarmupSeconds} s of load) and ${roundsOf(plan.tokenCache)} with tokens, each with servers of its own; every answer is compared with the right one`,
    '',
  ];
  const text = lines.join('\n');
  if (isKept) await writeFile(new URL('../RESULTS.md', import.meta.url), text);
  return text;
}

function explain(rows) {
  const unmet = rows.filter((row) => !isMet(row));
  if (unmet.length === 0) return [];
  return [
    '## What stands in the way',
    '',
    'How far off the median is, and why: what goes by itself, and what profiles (`--cpu-prof`) have shown, which are not taken anew with each run.',
    '',
    ...unmet.map((row) => `- **${row.row}**, ${valueOf(row)} for ${aimOf(row)}: ${missOf(row)}. ${explanations[row.row](row, rows)}`),
    '',
  ];
}

function servers(throughput) {
  if (throughput === undefined) return [];
  const { contestants, requestLog } = throughput;
  return [
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
    `**The request log** (\`LATCHKEY_LOG_LEVEL=info\`, the default; here into a file) leaves ${valueOf(requestLog)} of the rate of \`viewer\` measured beside it (${spreadOf(requestLog)}). All others run without.`,
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
  const rounded = unit === undefined ? value.toFixed(2) : figure(value);
  // What misses its aim by a hair must not look as if it met it.
  const isTrue = isMet({ ...row, value: Number(rounded.replaceAll(',', '')) }) === isMet(row);
  return withUnit(isTrue ? rounded : value.toFixed(4), unit);
}

function spreadOf({ lowest, highest, unit }) {
  const [from, to] = [lowest, highest].map((end) => (unit === undefined ? end.toFixed(2) : figure(end)));
  return withUnit(`${from} to ${to}`, unit);
}

const roundsOf = ({ rounds }) => `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`;

const withUnit = (text, unit) => (unit === undefined ? text : `${text} ${unit}`);

function verdictOn(row) {
  const isCrossed = isMet({ ...row, value: row.lowest }) !== isMet({ ...row, value: row.highest });
  return `${isMet(row) ? 'yes' : 'no'}${isCrossed ? ', within the spread' : ''}`;
}

function missOf({ value, atLeast, atMost }) {
  const share = atLeast === undefined ? value / atMost - 1 : 1 - value / atLeast;
  return `${figure(share * 100)} % ${atLeast === undefined ? 'over' : 'short'}`;
}

function aimOf({ atLeast, atMost, unit }) {
  return withUnit(atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`, unit);
}
