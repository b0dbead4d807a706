import fc from 'fast-check';
import { expect, it } from 'vitest';

import { decodeBase64url } from '../../../src/crypto/base64url.js';

it.each<[text: string, bytes: number[]]>([
  ['', []],
  ['AA', [0]],
  ['_w', [0xff]],
  ['AAA', [0, 0]],
  ['AAAA', [0, 0, 0]],
  ['-_-_', [0xfb, 0xff, 0xbf]],
])('decodes %j', (text, bytes) => {
  expect(decodeBase64url(text)).toEqual(Buffer.from(bytes));
});

it.each(['A', 'AAAAA', 'AB', 'AAB', '_x', 'AA=', 'AA==', 'AA ', ' AA', 'A A', 'AA\n', '+/+/', 'A*', 'AÄ', 'AA.', 'AA\0', '\ud800\ud800'])(
  'refuses %j, which is not the one spelling of its bytes',
  (text) => {
    expect(decodeBase64url(text)).toBeUndefined();
  },
);

it('decodes whatever bytes Node encodes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(decodeBase64url(Buffer.from(bytes).toString('base64url'))).toEqual(Buffer.from(bytes));
    }),
  );
});
