import { describe, expect, it } from 'vitest';

import { parseUsername, usernameKey } from '../../../src/accounts/username.js';

describe('a username', () => {
  it.each([
    '',
    '  ',
    'ad',
    'a'.repeat(33),
    'a'.repeat(320),
    'a'.repeat(100_000),
    'ada.',
    '.ada',
    '-ada',
    'ada_',
    'ada lovelace',
    'ada\tlovelace',
    'ada@example.com',
    'ada＠example',
    'ada\0',
    'ada\nlovelace',
    'ada/../eve',
    'ada<b>',
    "ada'--",
    // Cyrillic, Greek and a Latin letter with an accent.
    'аda',
    'αda',
    'àda',
    'ada\u200b',
    '\u202eada',
    'ada🦊',
    'ada\ud800',
    // The dot above the I stays, as a mark of its own.
    'İstanbul',
  ])('is refused without being repeated: %j', (text) => {
    const refused = parseUsername(text);
    expect(refused).toEqual({ path: 'username', rule: 'username', message: expect.any(String) as string });
    if (text.length > 40) expect(JSON.stringify(refused)).not.toContain(text);
  });

  it.each<[text: string, username: string, key: string]>([
    ['ada', 'ada', 'ada'],
    [' Ada ', 'Ada', 'ada'],
    ['Ada.Lovelace-1815_x9', 'Ada.Lovelace-1815_x9', 'ada.lovelace-1815_x9'],
    ['007', '007', '007'],
    ['ＡＤＡ', 'ADA', 'ada'],
    ['a'.repeat(32), 'a'.repeat(32), 'a'.repeat(32)],
  ])('%j is kept as %j under the key %j', (text, username, key) => {
    expect(parseUsername(text)).toEqual({ username, usernameKey: key });
  });

  it.each(['ADA', ' ada', 'ada\n', 'ａｄａ', 'Ａda'])('has one key however it is written: %j', (text) => {
    expect(usernameKey(text)).toBe('ada');
  });
});
