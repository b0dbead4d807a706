import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it, vi } from 'vitest';

import { runCli } from '../../src/cli/program.js';
import { environmentSchema } from '../../src/config/config.js';
import type { FaultCode, UnauthenticatedReason } from '../../src/errors.js';
import { createMetrics } from '../../src/metrics.js';
import { AUDIT_EVENT_TYPES, SIGN_IN_FAILURES } from '../../src/persistence/audit.store.js';
import type { RevocationReason } from '../../src/persistence/session.store.js';
import type { RotationVerdict } from '../../src/sessions/rotation.js';
import { codeBlocks, operations, readme, section, security, tableRows } from '../support/readme.js';

const root = new URL('../../', import.meta.url);
const guides = ['client/README.md', ...readdirSync(new URL('docs/clients', root)).map((name) => `docs/clients/${name}`)];
const documents = {
  'README.md': readme,
  'docs/security.md': security,
  'docs/operations.md': operations,
  'docs/scaling.md': readFileSync(new URL('docs/scaling.md', root), 'utf8'),
  ...Object.fromEntries(guides.map((path) => [path, readFileSync(new URL(path, root), 'utf8')])),
};
const all = Object.values(documents).join('\n');

const plain = (cell = '') => cell.replaceAll('`', '');

/** What stands in backquotes, and each line of what is typed into a shell. */
function codeOf(markdown: string): string[] {
  const blocks = codeBlocks(markdown).flatMap(({ language, text }) => (language === 'sh' ? text.split('\n') : []));
  const spans = markdown.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/`([^`\n]+)`/g);
  return [...blocks, ...[...spans].map(([, text = '']) => text)];
}

/** The server's own code, without the page in the browser. */
const source = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('graphiql'))
  .map((path) => readFileSync(new URL(`src/${path}`, root), 'utf8'))
  .join('\n');

describe('the metrics of operations.md', () => {
  interface Named {
    name: string;
    help: string;
    type: string;
    labelNames?: readonly string[];
  }
  const counted = createMetrics().registry.getMetricsAsArray() as unknown as Named[];
  const watched = [...source.matchAll(/metrics\.watch\(\s*'(\w+)',\s*'([^']+)'/g)].map(([, name = '', help = '']) => ({
    name,
    help,
    type: 'gauge',
  }));
  const metrics: Named[] = [...counted, ...watched];
  const rows = tableRows(section(operations, '## Metrics'));

  /** A help text ends with the values of the label, where they are few. */
  const valuesOf = (help: string) => /: ([a-z]+(?:(?:, |; or )[a-z]+)+)$/.exec(help)?.[1]?.split(/, |; or /) ?? [];

  it('are those that the server has, with their types and labels, and no other', () => {
    expect(watched.length).toBeGreaterThan(0);
    const shown = rows.map(([name, type, labels]) => ({ name: plain(name), type, labels: plain(labels) }));
    expect(shown).toEqual(metrics.map(({ name, type, labelNames = [] }) => ({ name, type, labels: labelNames.join(', ') })));
  });

  it('are told with every value that a label can have', () => {
    const withValues = metrics.filter(({ help }) => valuesOf(help).length > 0);
    expect(withValues.length).toBeGreaterThanOrEqual(4);
    for (const { name, help } of withValues) {
      const told = rows.find(([shown]) => plain(shown) === name)?.[3];
      for (const value of valuesOf(help)) expect(told, name).toContain(`\`${value}\``);
    }
  });

  it('are named everywhere as they are called', () => {
    const names = new Set(metrics.flatMap(({ name, type }) => (type === 'histogram' ? [name, `${name}_bucket`] : [name])));
    const named = [...all.matchAll(/\blatchkey_(?!secrets)[a-z0-9_]+/g)].map(([name]) => name);
    expect(named.filter((name) => !names.has(name))).toEqual([]);
  });

  it('are spoken of by labels and values that they have', () => {
    const pairs = codeOf(operations).flatMap((code) => {
      const [, label = '', value = ''] = /^(\w+)="(\w+)"$/.exec(code) ?? [];
      return label === '' ? [] : [{ label, value }];
    });
    expect(pairs.length).toBeGreaterThan(0);
    for (const { label, value } of pairs) {
      expect(metrics.filter(({ labelNames }) => labelNames?.includes(label)).flatMap(({ help }) => valuesOf(help))).toContain(value);
    }
  });

  it('are asked for in alerts by labels and values that they have', () => {
    const outcomes = [...Object.keys(codes), 'INTERNAL_SERVER_ERROR', 'ok'];
    const selectors = [...section(operations, '## Alerts').matchAll(/\b(latchkey_\w+)\{([^}]*)\}/g)];
    expect(selectors.length).toBeGreaterThan(5);
    for (const [selector, selected = '', conditions = ''] of selectors) {
      const metric = metrics.find(({ name }) => name === selected || `${name}_bucket` === selected);
      for (const [, label = '', value = ''] of conditions.matchAll(/(\w+)!?="(\w+)"/g)) {
        expect(metric?.labelNames, selector).toContain(label);
        if (label !== 'operation')
          expect(metric?.name === 'latchkey_requests_total' ? outcomes : valuesOf(metric?.help ?? ''), selector).toContain(value);
      }
    }
  });
});

const codes = {
  UNAUTHENTICATED: true,
  FORBIDDEN: true,
  INVALID_CREDENTIALS: true,
  INVALID_REFRESH_TOKEN: true,
  BAD_USER_INPUT: true,
  CONFLICT: true,
  RATE_LIMITED: true,
  SERVICE_UNAVAILABLE: true,
} satisfies Record<FaultCode, true>;

describe('security.md', () => {
  it.each([
    ...Object.keys(codes),
    ...Object.keys({
      TOKEN_MISSING: true,
      TOKEN_INVALID: true,
      TOKEN_EXPIRED: true,
      TOKEN_STALE: true,
      SESSION_REVOKED: true,
    } satisfies Record<UnauthenticatedReason, true>),
    'INSUFFICIENT_SCOPE',
    'EMAIL_TAKEN',
    'USERNAME_TAKEN',
  ])('or README names %s', (name) => {
    expect(readme + security).toContain(`\`${name}\``);
  });

  it('tells of every row of the decision table, in the order in which they are judged', () => {
    const verdicts = {
      garbage: true,
      ended: true,
      rotated: true,
      unchanged: true,
      repeated: true,
      reused: true,
      ahead: true,
    } satisfies Record<RotationVerdict | 'garbage', true>;
    const rows = tableRows(section(security, '### The refresh token'));
    expect(rows.map(([, verdict]) => plain(verdict))).toEqual(Object.keys(verdicts));
  });

  it('tells of every audit event, and no other', () => {
    expect(tableRows(section(security, '## The audit trail')).map(([type]) => plain(type))).toEqual(AUDIT_EVENT_TYPES);
  });

  it('tells of every reason that an audit event has', () => {
    const reasons = { LOGOUT: true, REVOKED: true, REFRESH_TOKEN_REUSED: true, OPERATOR: true } satisfies Record<RevocationReason, true>;
    const told = tableRows(section(security, '## The audit trail'))
      .map(([, , reason]) => reason)
      .join(' ');
    for (const reason of [...Object.keys(reasons), ...SIGN_IN_FAILURES]) expect(told).toContain(`\`${reason}\``);
  });

  it('names a test for every promise, and each of them exists', () => {
    const rows = tableRows(section(security, '## What is promised, and its test'));
    expect(rows.length).toBeGreaterThan(20);
    for (const [promise, tests = ''] of rows) {
      const files = [...tests.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file);
      expect(files, promise).not.toEqual([]);
      expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
    }
  });
});

describe('the latchkey command of the documents', () => {
  interface Help {
    commands: string[];
    options: string[];
  }

  /** What `latchkey … --help` prints, read by a program. */
  async function helpOf(path: readonly string[]): Promise<Help> {
    const exitCode = process.exitCode;
    let printed = '';
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        printed += String(text);
        return true;
      }),
      vi.spyOn(process.stderr, 'write').mockReturnValue(true),
      vi.spyOn(process, 'exit').mockImplementation(() => {
        throw new Error('the help was printed');
      }),
    ];
    await runCli(['node', 'latchkey', ...path, '--help'], {});
    for (const spy of spies) spy.mockRestore();
    process.exitCode = exitCode;
    const [, commands = ''] = printed.split('\nCommands:\n');
    return {
      commands: [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help'),
      options: [...printed.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, name = '']) => name),
    };
  }

  /** Every command by its words, a group of them too. */
  async function tree(path: readonly string[] = []): Promise<Map<string, Help>> {
    const help = await helpOf(path);
    const below = [];
    for (const name of help.commands) below.push(...(await tree([...path, name])));
    return new Map([[path.join(' '), help], ...below]);
  }

  /** What follows the name of the command, wherever a document runs it. */
  const used = codeOf(all).flatMap((code) =>
    [...code.matchAll(/(?:^|\s)(?:latchkey|dist\/cli\/main\.js) (.*)$/g)].map(([, rest = '']) => rest),
  );

  it('has every command and every option that they use', async () => {
    const commands = await tree();
    expect(used.length).toBeGreaterThan(30);
    for (const words of used.map((line) => line.split(/ +/))) {
      let path = '';
      for (const word of words) {
        if (commands.get(path)?.commands.length === 0) break;
        path = `${path} ${word}`.trim();
        if (path.startsWith('-')) break;
        expect([...commands.keys()], words.join(' ')).toContain(path);
      }
      const options = words.filter((word) => word.startsWith('--')).map((word) => /^--[a-z-]+/.exec(word)?.[0]);
      if (!path.startsWith('-')) expect(commands.get(path)?.options, words.join(' ')).toEqual(expect.arrayContaining(options));
    }
  });

  it('has no command that the table in operations.md leaves out', async () => {
    const commands = [...(await tree())].filter(([, { commands: below }]) => below.length === 0).map(([path]) => path);
    const told = tableRows(section(operations, '## The latchkey command')).map(([command]) => plain(command));
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands)
      expect(
        told.some((row) => `${row} `.startsWith(`latchkey ${command} `)),
        command,
      ).toBe(true);
  });
});

describe('the log lines of operations.md', () => {
  const told = tableRows(section(operations, '## The log')).map(([level, message]) => ({ level, message: plain(message) }));
  const written = [...source.matchAll(/\blog(?:\.(error|warn|info)|\[level\])\([^'`]*?(['`])([^'`]+)\2,?\s*\)/g)].map(
    ([, level = 'warn', , message = '']) => ({ level, message: message.replaceAll(/\$\{[^}]*\}/g, '…') }),
  );

  it('are those that the server writes, at that level', () => {
    expect(written).toEqual(expect.arrayContaining(told));
  });

  it('are all that it writes as errors and warnings', () => {
    const serious = written.filter(({ level }) => level !== 'info');
    expect(serious.length).toBeGreaterThan(10);
    expect(told).toEqual(expect.arrayContaining(serious));
  });
});

describe.each(Object.entries(documents))('%s', (path, text) => {
  it('names no variable that does not exist', () => {
    const names = [...text.matchAll(/\bLATCHKEY_[A-Z0-9_]+/g)].map(([name]) => name);
    expect(names.filter((name) => !(name in environmentSchema.shape))).toEqual([]);
  });

  it('says the defaults of those that it names', () => {
    for (const [, name = '', number = ''] of text.matchAll(/`(LATCHKEY_\w+)` \((\d[\d,]*)\)/g)) {
      const schema = environmentSchema.shape[name as keyof typeof environmentSchema.shape];
      expect(String(schema.parse(undefined)), name).toBe(number.replaceAll(',', ''));
    }
  });

  it('has links that lead somewhere', () => {
    const here = new URL(path, root);
    const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').replaceAll(/`[^`\n]+`/g, '');
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const url = file === '' ? here : new URL(file, here);
      expect(existsSync(url), target).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readFileSync(url, 'utf8')), target).toContain(anchor);
    }
  });
});

/** The anchors that GitHub makes of headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}
