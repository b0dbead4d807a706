// What the tour prints: plain words, and what went over the wire laid out to be read.
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { styleText } from 'node:util';

import { claimsOf, shortened } from './secrets.mjs';

const WIDTH = 100;
const TICK_MS = 100;

export function createNarrator(out = process.stdout) {
  // styleText leaves colours out where `out` is no terminal, and where NO_COLOR is set.
  const style = (format, text) => styleText(format, text, { stream: out });
  const print = (text = '') => out.write(`${text}\n`);
  const shown = new Set();

  function indented(text, format) {
    for (const line of text.split('\n')) print(`    ${format ? style(format, line) : line}`);
  }

  function json(value) {
    indented(layOut(value, WIDTH - 4));
  }

  /** The operation itself the first time, its name after that. */
  function document({ operation, query }) {
    if (shown.has(query)) return indented(`${operation}, as above`);
    shown.add(query);
    // The kit's documents hold few spaces.
    indented(fill(query.trim().split(/(?<=[\s,{}])/), WIDTH - 4));
  }

  return {
    title(text) {
      print(style('bold', text));
    },
    step(number, title) {
      print(`\n${style(['bold', 'cyan'], `${number}. ${title}`)}`);
    },
    say(text) {
      print();
      for (const line of fill(text.split(/(?<= )/), WIDTH - 2).split('\n')) print(`  ${line}`);
    },
    json,

    /** A question as it is on the wire, but for the middle of each secret. */
    question({ from, operation, query, authorization, variables }) {
      print(`\n  ${style('bold', `${from} → server`)}`);
      if (authorization !== null)
        indented(`Authorization: Bearer ${shortened('accessToken', authorization.replace('Bearer ', ''))}`, 'dim');
      document({ operation, query });
      if (Object.keys(variables).length > 0) json(variables);
    },
    /** What came back. */
    answer({ from, status, answer, failure, milliseconds }) {
      if (failure !== undefined) return print(`  ${style(['bold', 'red'], `server → ${from}`)}  ${failure}`);
      print(`  ${style(['bold', answer.errors ? 'yellow' : 'green'], `server → ${from}`)}  ${status}, ${Math.round(milliseconds)} ms`);
      json(answer);
      const token = Object.values(answer.data ?? {})[0]?.accessToken;
      if (token !== undefined) indented(`the access token says ${inline(brief(claimsOf(token)))}`, 'dim');
    },
    /** An answer that nobody got. */
    lost(answer) {
      print(`  ${style(['bold', 'red'], 'server → nobody')}  the proxy cuts the connection, and this answer is lost`);
      json(answer);
    },

    async countdown(untilMs, what) {
      const leftMs = () => Math.max(0, untilMs - Date.now());
      if (leftMs() === 0) return;
      const line = () => `  waiting ${(leftMs() / 1000).toFixed(1)} s: ${what}`;
      print();
      if (!out.isTTY) print(line());
      while (leftMs() > 0) {
        if (out.isTTY) out.write(`\r${line()} `);
        await pause(Math.min(TICK_MS, leftMs()));
      }
      if (out.isTTY) print(`\r${line()} `);
    },

    summary(steps) {
      print(`\n${style('bold', 'What was shown')}\n`);
      const widest = Math.max(...steps.map(({ title }) => title.length));
      for (const { title, held, seconds } of steps) {
        const mark = held ? style('green', '✓') : style('red', '✗');
        print(`  ${mark} ${title.padEnd(widest)}  ${seconds.toFixed(1).padStart(5)} s`);
      }
    },
    next(lines) {
      print();
      for (const line of lines) print(`  ${line}`.trimEnd());
      print();
    },
    failure(text) {
      print(`\n${style(['bold', 'red'], 'This does not hold:')} ${text}`);
    },
  };
}

/** What changes from token to token; the first one is shown whole. */
function brief({ gen, iat, exp }) {
  return { gen, iat, exp };
}

/** JSON on one line where it fits, as people write it. `prefix` stands before it on its first line. */
function layOut(value, width, prefix = '') {
  const line = prefix + inline(value);
  if (line.length <= width || typeof value !== 'object' || value === null) return line;
  const isList = Array.isArray(value);
  const entries = Object.entries(value).map(([name, item]) => {
    // Two for the indent, one for a comma.
    const laidOut = layOut(named(name, item), width - 3, isList ? '' : `"${name}": `);
    return `  ${laidOut.replaceAll('\n', '\n  ')}`;
  });
  const [open, close] = isList ? '[]' : '{}';
  return `${prefix}${open}\n${entries.join(',\n')}\n${close}`;
}

function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([name, item]) => `"${name}": ${inline(named(name, item))}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function named(name, value) {
  return typeof value === 'string' ? shortened(name, value) : value;
}

/** Lines of whole pieces. */
function fill(pieces, width) {
  const lines = [''];
  for (const piece of pieces) {
    if (lines.at(-1).length + piece.trimEnd().length > width) lines.push('');
    lines.push(lines.pop() + piece);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}
