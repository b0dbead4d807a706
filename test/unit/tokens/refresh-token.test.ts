import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { createSecretRing, type SecretRing, type ServerSecret } from '../../../src/crypto/secret-ring.js';
import {
  openRefreshToken,
  REFRESH_SECRET_BYTES,
  sealRefreshToken,
  succeedRefreshToken,
  type RefreshToken,
} from '../../../src/tokens/refresh-token.js';

const SECRET = 'the-server-secret-of-this-test-number-one';
const ring = createSecretRing([SECRET]);
const sessionId = '01939f00-0000-7000-8000-00000000bbbb';
const token = { sessionId, generation: 7, secret: Buffer.alloc(32, 0x5a), sealedBy: ring.active };
const text = sealRefreshToken(token);
const BYTES = 70;

const bytesOf = (sealed: string) => Buffer.from(sealed.slice('lkr1_'.length), 'base64url');
const fromBytes = (bytes: Buffer) => `lkr1_${bytes.toString('base64url')}`;

/** Bytes of a token with a good tag, whatever the rest says: the format, written down a second time. */
function withTag(body: Buffer, sealedBy: ServerSecret = ring.active): string {
  const tag = createHmac('sha256', sealedBy.derive('refresh token mac')).update('refresh token mac').update(body).digest().subarray(0, 16);
  return fromBytes(Buffer.concat([body, tag]));
}

/** Two secrets whose one-byte ids are the same, found by trying. */
function secretsWithOneId(): { first: string; second: string; both: SecretRing } {
  const first = SECRET;
  for (let number = 0; ; number += 1) {
    const second = `the-server-secret-of-this-test-try-${String(number).padStart(5, '0')}`;
    if (createSecretRing([second]).active.id === ring.active.id) return { first, second, both: createSecretRing([first, second]) };
  }
}

describe('a refresh token', () => {
  it('comes back as it was sealed', () => {
    expect(openRefreshToken(ring, text)).toEqual(token);
  });

  it('is 99 characters of the URL-safe alphabet, laid out as it ever was', () => {
    expect(text).toMatch(/^lkr1_[\w-]{94}$/);
    const bytes = bytesOf(text);
    expect(bytes).toHaveLength(BYTES);
    expect(bytes.readUInt8(0)).toBe(1);
    expect(bytes.readUInt8(1)).toBe(ring.active.id);
    expect(bytes.subarray(2, 18).toString('hex')).toBe(sessionId.replaceAll('-', ''));
    expect(bytes.readUInt32BE(18)).toBe(7);
    expect(bytes.subarray(22, 54)).toEqual(token.secret);
    expect(withTag(bytes.subarray(0, 54))).toBe(text);
  });

  it.each([0, 1, 0x7fff_ffff, 0xffff_ffff])('carries generation %d', (generation) => {
    expect(openRefreshToken(ring, sealRefreshToken({ ...token, generation }))?.generation).toBe(generation);
  });

  it.each([-1, 1.5, 0x1_0000_0000, Number.NaN, Infinity])('is not made for generation %d', (generation) => {
    expect(() => sealRefreshToken({ ...token, generation })).toThrow(RangeError);
  });

  it('is refused when any one of its 560 bits is flipped', () => {
    const accepted: number[] = [];
    for (let bit = 0; bit < BYTES * 8; bit += 1) {
      const bytes = bytesOf(text);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      if (openRefreshToken(ring, fromBytes(bytes)) !== undefined) accepted.push(bit);
    }
    expect(accepted).toEqual([]);
  });

  it('is refused when it is cut short anywhere', () => {
    const accepted = Array.from({ length: text.length }, (_, length) => text.slice(0, length)).filter((cut) => openRefreshToken(ring, cut));
    expect(accepted).toEqual([]);
  });

  it('is refused when any one of its characters is another', () => {
    const accepted = Array.from(text, (character, index) => {
      const other = character === 'A' ? 'B' : 'A';
      return text.slice(0, index) + other + text.slice(index + 1);
    }).filter((changed) => openRefreshToken(ring, changed));
    expect(accepted).toEqual([]);
  });

  const bytes = bytesOf(text);
  const body = bytes.subarray(0, 54);
  const changed = (offset: number, value: number) => {
    const copy = Buffer.from(body);
    copy.writeUInt8(value, offset);
    return copy;
  };
  // The last character carries two bits of the last byte and four that mean nothing.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const strayBits = text.slice(0, -1) + alphabet.charAt(alphabet.indexOf(text.slice(-1)) + 1);

  it.each<[name: string, presented: string]>([
    ['nothing', ''],
    ['a prefix alone', 'lkr1_'],
    ['a word', 'refresh-token'],
    ['a character more', `${text}A`],
    ['a byte more, with its own tag', withTag(Buffer.concat([body, Buffer.from([0])]))],
    ['a byte less, with its own tag', withTag(body.subarray(0, 53))],
    ['two of it', text + text],
    ['no prefix', text.slice(5)],
    ['another prefix', `lkr2_${text.slice(5)}`],
    ['the prefix in upper case', `LKR1_${text.slice(5)}`],
    ['no underscore', `lkr1-${text.slice(5)}`],
    ['the prefix twice', `lkr1_${text.slice(0, -5)}`],
    ['stray bits behind the last byte', strayBits],
    ['padding', `${text.slice(0, -1)}=`],
    ['padding behind it', `${text}==`],
    [
      'the other base64 alphabet',
      `lkr1_${sealRefreshToken({ ...token, secret: Buffer.alloc(32, 0xff) })
        .slice(5)
        .replace(/_/g, '/')
        .replace(/-/g, '+')}`,
    ],
    ['a space before it', ` ${text}`],
    ['a line break behind it', `${text}\n`],
    ['a space inside', `${text.slice(0, 50)} ${text.slice(51)}`],
    ['a NUL inside', `${text.slice(0, 50)}\0${text.slice(51)}`],
    ['a letter that looks like another', text.replace('l', 'ⅼ')],
    ['half a character', `${text.slice(0, -1)}\ud800`],
    ['hex of the same bytes', `lkr1_${bytes.toString('hex')}`],
    ['version 0 under a good tag', withTag(changed(0, 0))],
    ['version 2 under a good tag', withTag(changed(0, 2))],
    ['the id of another secret under a good tag', withTag(changed(1, ring.active.id ^ 1))],
    ['a tag of zeros', fromBytes(Buffer.concat([body, Buffer.alloc(16)]))],
    ['a tag under an empty key', fromBytes(Buffer.concat([body, createHmac('sha256', '').update(body).digest().subarray(0, 16)]))],
    [
      'a tag under the server secret itself',
      fromBytes(Buffer.concat([body, createHmac('sha256', SECRET).update(body).digest().subarray(0, 16)])),
    ],
    [
      'the tag of another generation',
      fromBytes(Buffer.concat([body, bytesOf(sealRefreshToken({ ...token, generation: 8 })).subarray(54)])),
    ],
    ['zeros', fromBytes(Buffer.alloc(BYTES))],
    ['random bytes', fromBytes(randomBytes(BYTES))],
    ['an access token', 'eyJhbGciOiJFZERTQSJ9.e30.AAAA'],
    ['a megabyte', `lkr1_${'A'.repeat(1_000_000)}`],
  ])('is refused as %s', (_, presented) => {
    expect(openRefreshToken(ring, presented)).toBeUndefined();
  });

  it('has a secret of 256 bits', () => {
    expect(REFRESH_SECRET_BYTES).toBe(32);
  });
});

describe('the ring of server secrets', () => {
  const older = createSecretRing(['the-server-secret-of-this-test-before-it']);

  it('opens what an older entry sealed, and tells which one', () => {
    const both = createSecretRing([SECRET, 'the-server-secret-of-this-test-before-it']);
    const opened = openRefreshToken(both, sealRefreshToken({ ...token, sealedBy: older.active }));
    expect(opened).toMatchObject({ sessionId, sealedBy: { id: older.active.id } });
    expect(opened?.sealedBy).not.toBe(both.active);
  });

  it('opens nothing that a dropped entry sealed', () => {
    expect(openRefreshToken(ring, sealRefreshToken({ ...token, sealedBy: older.active }))).toBeUndefined();
  });

  it('tells two secrets apart that share an id', () => {
    const { first, second, both } = secretsWithOneId();
    const [one, other] = [createSecretRing([first]), createSecretRing([second])];
    const [sealedByOne, sealedByOther] = [one, other].map(({ active }) => sealRefreshToken({ ...token, sealedBy: active }));
    const [firstOfBoth, secondOfBoth] = both.withId(one.active.id);
    expect(openRefreshToken(both, sealedByOne!)?.sealedBy).toBe(firstOfBoth);
    expect(openRefreshToken(both, sealedByOther!)?.sealedBy).toBe(secondOfBoth);
    expect(openRefreshToken(one, sealedByOther!)).toBeUndefined();
    expect(openRefreshToken(other, sealedByOne!)).toBeUndefined();
  });
});

describe('the successor', () => {
  const salt = Buffer.alloc(32, 1);
  const successor = succeedRefreshToken(token, salt, ring.active);

  it('is the next generation of the same session, under the secret that it is given', () => {
    expect(successor).toMatchObject({ sessionId, generation: 8, sealedBy: ring.active });
    expect(successor.secret).toHaveLength(REFRESH_SECRET_BYTES);
    expect(openRefreshToken(ring, sealRefreshToken(successor))).toEqual(successor);
  });

  it('is the same for the same predecessor and salt, on every replica', () => {
    const replica = createSecretRing([SECRET]);
    const again = succeedRefreshToken(openRefreshToken(replica, text)!, Buffer.from(salt), replica.active);
    expect(sealRefreshToken(again)).toBe(sealRefreshToken(successor));
  });

  const other = createSecretRing(['the-server-secret-of-this-test-number-two']).active;
  it.each([
    ['salt', succeedRefreshToken(token, Buffer.alloc(32, 2), ring.active)],
    ['secret', succeedRefreshToken({ ...token, secret: Buffer.alloc(32, 2) }, salt, ring.active)],
    ['session', succeedRefreshToken({ ...token, sessionId: '01939f00-0000-7000-8000-00000000cccc' }, salt, ring.active)],
    ['generation', succeedRefreshToken({ ...token, generation: 8 }, salt, ring.active)],
    ['server secret', succeedRefreshToken(token, salt, other)],
  ])('is another for another %s', (_, another) => {
    expect(another.secret.equals(successor.secret)).toBe(false);
  });

  it('is another secret than its predecessor', () => {
    expect(successor.secret.equals(token.secret)).toBe(false);
  });

  it('never comes twice in a chain', () => {
    const seen = new Set<string>();
    let current: RefreshToken = token;
    for (let generation = 0; generation < 1000; generation += 1) {
      current = succeedRefreshToken(current, salt, ring.active);
      seen.add(current.secret.toString('hex'));
    }
    expect(seen.size).toBe(1000);
    expect(current.generation).toBe(1007);
  });

  it('is not made for the generation behind the last', () => {
    expect(() => succeedRefreshToken({ ...token, generation: 0xffff_ffff }, salt, ring.active)).toThrow(RangeError);
  });
});
