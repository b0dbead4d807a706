import { dictionary } from '@zxcvbn-ts/language-common';
import { describe, expect, it } from 'vitest';

import { createPasswordPolicy, preparePassword } from '../../../src/accounts/password-policy.js';

const policy = createPasswordPolicy({ minLength: 15 });
const lenient = createPasswordPolicy({ minLength: 8 });
const GOOD = 'seven purple ladders lean';
const context = ['ada.lovelace@example.com', 'countess'];

async function ruleOf(parsing: ReturnType<typeof policy.parseNew>): Promise<string | undefined> {
  const parsed = await parsing;
  return 'rule' in parsed ? parsed.rule : undefined;
}

describe('any password', () => {
  it.each<[name: string, password: string, rule: string]>([
    ['1,025 characters', 'x'.repeat(1025), 'maxLength'],
    ['1,025 emoji', '🦊'.repeat(1025), 'maxLength'],
    ['65,536 characters', 'x'.repeat(65_536), 'maxLength'],
    ['a million characters', 'x'.repeat(1_000_000), 'maxLength'],
    ['half a character at the end', `${GOOD}\ud800`, 'wellFormed'],
    ['half a character at the start', `\udc00${GOOD}`, 'wellFormed'],
    ['two halves in the wrong order', `${GOOD}\udc00\ud800`, 'wellFormed'],
  ])('is refused, at sign-in too, with %s', async (_, password, rule) => {
    expect(preparePassword(password, 'password')).toEqual({ path: 'password', rule, message: expect.any(String) as string });
    expect(await policy.parseNew(password, 'newPassword', [])).toMatchObject({ path: 'newPassword', rule });
  });

  it.each<[name: string, password: string]>([
    ['nothing', ''],
    ['a single character, which an older policy may have let in', 'x'],
    ['1,024 characters', 'x'.repeat(1024)],
    ['1,024 emoji', '🦊'.repeat(1024)],
    ['spaces around it', `  ${GOOD}  `],
    ['a NUL inside', 'before\0behind'],
    ['writing from right to left', 'שלום עולם שלום עולם'],
    ['joined emoji', '👩‍👩‍👧‍👦'.repeat(3)],
  ])('is kept to the last character with %s', (_, password) => {
    expect(preparePassword(password, 'password')).toEqual({ password });
  });

  it('is the same in both spellings of an accent, and another without its accent', () => {
    const composed = preparePassword('caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9', 'password');
    expect(preparePassword('cafe\u0301 cafe\u0301 cafe\u0301 cafe\u0301', 'password')).toEqual(composed);
    expect(preparePassword('cafe cafe cafe cafe', 'password')).not.toEqual(composed);
  });

  it.each([
    ['a ligature', 'o\ufb03ce', 'office'],
    ['a full-width letter', '\uff21bc', 'Abc'],
    ['a raised digit', 'x\u00b2', 'x2'],
  ])('keeps apart what only a compatibility form would make one: %s', (_, one, other) => {
    expect(preparePassword(one, 'password')).not.toEqual(preparePassword(other, 'password'));
  });
});

describe('a new password', () => {
  it.each<[password: string, rule: string]>([
    ['', 'minLength'],
    ['fourteen chars', 'minLength'],
    // Fourteen code points; in UTF-16 they are 28.
    ['🦊'.repeat(14), 'minLength'],
    // Fifteen as they are typed, fourteen once composed.
    ['seven purple\u0301 x', 'minLength'],
    ['123456789987654321', 'common'],
    ['1QAZ2wsx3edc4rfv', 'common'],
    ['latchkeylatchkey', 'personal'],
    ['LatchKey-LatchKey', 'personal'],
    ['ada.lovelace@example.com', 'personal'],
    ['ADA.LOVELACE@EXAMPLE.COM1', 'personal'],
    ['ada.lovelaceada.lovelace', 'personal'],
    ['ada.lovelace123ada.lovelace', 'personal'],
    ['countesscountess', 'personal'],
  ])('is refused: %j breaks %s', async (password, rule) => {
    const refused = await policy.parseNew(password, 'password', context);
    expect(refused).toEqual({ path: 'password', rule, message: expect.any(String) as string });
    if (password !== '') expect(JSON.stringify(refused)).not.toContain(password);
  });

  it.each([
    'fifteen chars..',
    '🦊'.repeat(15),
    'aaaaaaaaaaaaaaaaaaaa bbbb',
    'the latchkey hangs by the door',
    'ada.lovelace wrote notes',
    '                aaaa',
    'x'.repeat(64),
    GOOD,
  ])('may be made of any characters: %j', async (password) => {
    expect(await policy.parseNew(password, 'password', context)).toEqual({ password });
  });

  it('is refused when it is any of the common passwords that are long enough', async () => {
    const common = dictionary['passwords-common'].filter((word) => word.length >= 8);
    expect(common.length).toBeGreaterThan(3000);
    const rules = await Promise.all(common.map((word) => ruleOf(lenient.parseNew(word, 'password', []))));
    expect(common.filter((_, index) => rules[index] !== 'common')).toEqual([]);
  });

  it('is compared whole: a common one may be part of it', async () => {
    expect(await ruleOf(lenient.parseNew('password', 'password', []))).toBe('common');
    expect(await ruleOf(lenient.parseNew('password of mine', 'password', []))).toBeUndefined();
  });

  it.each([null, '', 'x', 'ab', '@'])('is not refused for a name too short to matter: %j', async (name) => {
    expect(await ruleOf(policy.parseNew('ababababababababx@', 'password', [name]))).toBeUndefined();
  });

  it('has the shortest length that the configuration says', async () => {
    expect(await ruleOf(lenient.parseNew('7 chars', 'password', []))).toBe('minLength');
    expect(await ruleOf(lenient.parseNew('8 chars.', 'password', []))).toBeUndefined();
  });
});
