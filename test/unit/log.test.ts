import { describe, expect, it } from 'vitest';

import { AuthError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';

type Event = Record<string, unknown> & { err?: Record<string, unknown> };

function record(write: (log: ReturnType<typeof createLogger>) => void, logLevel: 'trace' | 'warn' | 'silent' = 'trace') {
  const written: string[] = [];
  write(createLogger({ logLevel }, { write: (text: string) => written.push(text) }));
  return { written, events: written.map((line) => JSON.parse(line) as Event) };
}

const CANARY = 'canary-7f3a';

describe('the log', () => {
  it.each([
    ['line breaks', 'a\r\nb\n{"level":"info","msg":"forged"}\u2028\u2029'],
    ['terminal escapes', '\u001b[2J\u001b]0;x\u0007'],
    ['a quotation mark that would end its value', '"},{"msg":"forged"'],
    ['NUL and other control characters', '\0\u0001\b\u007f'],
    ['half a character', 'a\ud800b'],
  ])('writes one line per event, whatever a value holds: %s', (_, hostile) => {
    const { written, events } = record((log) => log.info({ userAgent: hostile, [hostile]: 1 }, hostile));
    expect(written).toHaveLength(1);
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(written[0]).toMatch(/^[^\u0000-\u001f]*\n$/);
    expect(events[0]).toMatchObject({ level: 'info', userAgent: hostile, msg: hostile });
  });

  it('says when, how severe and what, and nothing of the process', () => {
    const [event] = record((log) => log.warn({ sessionId: 's' }, 'reused')).events;
    expect(event).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      sessionId: 's',
      msg: 'reused',
    });
  });

  it('keeps what is less severe than its level to itself', () => {
    const write = (log: ReturnType<typeof createLogger>) => {
      log.info('info');
      log.warn('warn');
    };
    expect(record(write, 'warn').events.map((event) => event['msg'])).toEqual(['warn']);
    expect(record(write, 'silent').written).toEqual([]);
  });

  it('can be made without a destination', () => {
    expect(createLogger({ logLevel: 'silent' }).level).toBe('silent');
  });
});

describe('an error in the log', () => {
  it('has its type, message, stack and code', () => {
    const error = Object.assign(new TypeError('no'), { code: 'ECONNREFUSED' });
    const [event] = record((log) => log.error({ err: error }, 'failed')).events;
    expect(event?.err).toEqual({ type: 'TypeError', message: 'no', stack: error.stack, code: 'ECONNREFUSED' });
  });

  it.each<[name: string, error: () => Error]>([
    ["a statement's parameters", () => Object.assign(new Error('failed'), { parameters: [CANARY], query: { parameters: [CANARY] } })],
    [
      "the database's detail",
      () => Object.assign(new Error('duplicate key'), { code: '23505', detail: `Key (email)=(${CANARY})`, where: CANARY }),
    ],
    ["a token's payload", () => Object.assign(new Error('exp'), { code: 'ERR_JWT_EXPIRED', payload: { sub: CANARY } })],
    ['variables', () => Object.assign(new Error('failed'), { extensions: { variables: { password: CANARY } } })],
    ['a cause with its own', () => new Error('failed', { cause: Object.assign(new Error('cause'), { detail: CANARY }) })],
    ['an aggregate with its own', () => new AggregateError([Object.assign(new Error('one'), { detail: CANARY })], 'failed')],
    ['a code that is no code', () => Object.assign(new Error('failed'), { code: { value: CANARY } })],
    ['a toJSON', () => Object.assign(new Error('failed'), { toJSON: () => CANARY })],
  ])('carries nothing that libraries hang on it: %s', (_, error) => {
    const { written, events } = record((log) => {
      log.error({ err: error() }, 'failed');
      log.error(error());
    });
    expect(written.join('')).not.toContain(CANARY);
    for (const event of events)
      expect(
        Object.keys(event.err ?? {})
          .sort()
          .join(),
      ).toMatch(/^(code,)?message,stack,type$/);
  });

  it('tells of a cause what its message says', () => {
    const error = new AuthError({ code: 'SERVICE_UNAVAILABLE' }, undefined, { cause: new Error('connect ECONNREFUSED') });
    const [event] = record((log) => log.error({ err: error }, 'failed')).events;
    expect(event?.err).toMatchObject({ type: 'AuthError', message: expect.stringContaining('connect ECONNREFUSED') as string });
  });

  it.each([
    ['a string', CANARY],
    ['an object', { password: CANARY }],
    ['null', null],
  ])('is told by its type alone when it is none: %s', (_, thrown) => {
    const { written, events } = record((log) => log.error({ err: thrown }, 'failed'));
    expect(written.join('')).not.toContain(CANARY);
    expect(events[0]?.err).toEqual({ type: typeof thrown });
  });
});
