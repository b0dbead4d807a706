import { createSecretKey } from 'node:crypto';

import { expect, it } from 'vitest';

import { hmacSha256, sha256 } from '../../../src/crypto/digest.js';

it('computes SHA-256: the example of FIPS 180-4', () => {
  expect(sha256('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

it('computes HMAC-SHA256: test case 2 of RFC 4231', () => {
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  expect(hmacSha256(createSecretKey(Buffer.from('Jefe')), 'what do ya want for nothing?').toString('hex')).toBe(expected);
});

it('takes several parts for one, strings as UTF-8', () => {
  expect(sha256('a', Buffer.from('b'), 'c')).toEqual(sha256('abc'));
  expect(sha256('ä')).toEqual(sha256(Buffer.from([0xc3, 0xa4])));
  expect(hmacSha256(createSecretKey(Buffer.from('k')), 'a', Buffer.from('b'), 'c')).toEqual(
    hmacSha256(createSecretKey(Buffer.from('k')), 'abc'),
  );
});
