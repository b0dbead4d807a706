import { describe, expect, it } from 'vitest';

import { emailKey, parseEmail } from '../../../src/accounts/email.js';

const REFUSED = { path: 'email', rule: 'email', message: expect.any(String) as string };

describe('an e-mail address', () => {
  it.each([
    '',
    ' ',
    'ada',
    '@',
    'ada@',
    '@example.com',
    'ada@example',
    'ada@@example.com',
    'ada@exa mple.com',
    'ada @example.com',
    'ada@example.com,eve@example.com',
    'ada@example.com\nBcc: eve@example.com',
    'ada@example.com\0',
    'Ada <ada@example.com>',
    '"ada"@example.com',
    'ada@example..com',
    'ada..lovelace@example.com',
    '.ada@example.com',
    'ada@-example.com',
    'ada@[127.0.0.1]',
    // Cyrillic letters that look like Latin ones.
    'аda@example.com',
    'ada@exаmple.com',
    'ada\ud800@example.com',
    `${'a'.repeat(243)}@example.com`,
    `${'a'.repeat(100_000)}@example.com`,
    '{"$ne":null}',
    "' OR 1=1--",
  ])('is refused without being repeated: %j', (text) => {
    const refused = parseEmail(text);
    expect(refused).toEqual(REFUSED);
    if (text.length > 20) expect(JSON.stringify(refused)).not.toContain(text);
  });

  it.each<[text: string, email: string, key: string]>([
    ['ada@example.com', 'ada@example.com', 'ada@example.com'],
    ['  Ada.Lovelace@Example.COM\n', 'Ada.Lovelace@Example.COM', 'ada.lovelace@example.com'],
    ['ada+latchkey@example.co.uk', 'ada+latchkey@example.co.uk', 'ada+latchkey@example.co.uk'],
    // Full-width letters and sign, as some keyboards give them.
    ['ａｄａ＠ｅｘａｍｐｌｅ.com', 'ada@example.com', 'ada@example.com'],
    [`${'a'.repeat(242)}@example.com`, `${'a'.repeat(242)}@example.com`, `${'a'.repeat(242)}@example.com`],
  ])('%j is kept as %j under the key %j', (text, email, key) => {
    expect(parseEmail(text)).toEqual({ email, emailKey: key });
  });

  it.each(['ADA@example.com', ' ada@example.com ', 'Ada@EXAMPLE.com', 'ａda@example.com', 'ada＠example.com', 'Ａda@example.com'])(
    'has one key however it is written: %j',
    (text) => {
      expect(emailKey(text)).toBe('ada@example.com');
    },
  );

  it.each(['a.da@example.com', 'ada+1@example.com', 'ada@example.org'])('has another key where it may be another address: %j', (text) => {
    expect(emailKey(text)).not.toBe('ada@example.com');
  });
});
