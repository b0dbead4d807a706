import { describe, expect, it } from 'vitest';

import { seal, unseal } from '../../../src/crypto/seal.js';
import { createSecretRing } from '../../../src/crypto/secret-ring.js';

const OLD = 'the-secret-that-sealed-until-yesterday-ok';
const NEW = 'the-secret-that-seals-from-today-on-and-on';
const ring = createSecretRing([OLD]);
const plaintext = Buffer.from('{"d":"private"}');
const sealed = seal(ring, plaintext, 'row 1');

describe('sealed bytes', () => {
  it('come back as they were', () => {
    expect(unseal(ring, sealed, 'row 1')?.plaintext).toEqual(plaintext);
    expect(unseal(ring, seal(ring, Buffer.alloc(0), 'row 1'), 'row 1')?.plaintext).toEqual(Buffer.alloc(0));
  });

  it('do not show what is inside, and look different each time', () => {
    expect(sealed.bytes.includes('private')).toBe(false);
    expect(sealed.bytes).toHaveLength(12 + 16 + plaintext.length);
    const nonces = Array.from({ length: 1000 }, () => seal(ring, plaintext, 'row 1').bytes.subarray(0, 12).toString('hex'));
    expect(new Set(nonces).size).toBe(1000);
  });

  it('do not open for another row', () => {
    expect(unseal(ring, sealed, 'row 2')).toBeUndefined();
    expect(unseal(ring, sealed, '')).toBeUndefined();
  });

  it('do not open when any one bit is flipped', () => {
    const opened = Array.from({ length: sealed.bytes.length * 8 }, (_, bit) => {
      const bytes = Buffer.from(sealed.bytes);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      return unseal(ring, { ...sealed, bytes }, 'row 1');
    }).filter((bytes) => bytes !== undefined);
    expect(opened).toEqual([]);
  });

  it('do not open when they are cut short anywhere', () => {
    const opened = Array.from({ length: sealed.bytes.length }, (_, length) =>
      unseal(ring, { ...sealed, bytes: sealed.bytes.subarray(0, length) }, 'row 1'),
    ).filter((bytes) => bytes !== undefined);
    expect(opened).toEqual([]);
  });

  it('do not open under the id of another secret', () => {
    expect(unseal(ring, { ...sealed, secretId: sealed.secretId ^ 1 }, 'row 1')).toBeUndefined();
  });
});

describe('a ring that rotates', () => {
  it('opens what an older secret sealed, and seals with the new one', () => {
    const both = createSecretRing([NEW, OLD]);
    expect(unseal(both, sealed, 'row 1')?.plaintext).toEqual(plaintext);
    const resealed = seal(both, plaintext, 'row 1');
    expect(unseal(createSecretRing([NEW]), resealed, 'row 1')?.plaintext).toEqual(plaintext);
    expect(unseal(ring, resealed, 'row 1')).toBeUndefined();
  });

  it('opens nothing that a dropped secret sealed', () => {
    expect(unseal(createSecretRing([NEW]), sealed, 'row 1')).toBeUndefined();
  });

  it('tells two secrets apart that share an id', () => {
    for (let number = 0; ; number += 1) {
      const other = `a-secret-that-is-tried-until-its-id-fits-${String(number)}`;
      if (createSecretRing([other]).active.id !== ring.active.id) continue;
      expect(unseal(createSecretRing([other, OLD]), sealed, 'row 1')?.plaintext).toEqual(plaintext);
      expect(unseal(createSecretRing([other]), sealed, 'row 1')).toBeUndefined();
      return;
    }
  });
});
