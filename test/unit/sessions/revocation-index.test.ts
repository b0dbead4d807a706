import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ALL_VERSIONS, createRevocationIndex } from '../../../src/sessions/revocation-index.js';
import { packEntry } from '../../support/packed-entries.js';

const id = (head: number, tail = 0) => `${head.toString(16).padStart(8, '0')}-0000-7000-8000-0000${tail.toString(16).padStart(8, '0')}`;

describe('the index of revocations', () => {
  it('knows nothing of a key that was never raised', () => {
    const index = createRevocationIndex();
    expect(index.minimumVersion(id(1))).toBe(0);
    index.raise(id(2), 5, 100);
    expect(index.minimumVersion(id(1))).toBe(0);
  });

  it('never lowers a version, nor brings an expiry forward', () => {
    const index = createRevocationIndex();
    index.raise(id(1), 5, 100);
    index.raise(id(1), 3, 50);
    expect(index.minimumVersion(id(1))).toBe(5);
    index.purge(99);
    expect(index.minimumVersion(id(1))).toBe(5);
    expect(index.size).toBe(1);
  });

  it('holds every version there can be', () => {
    const index = createRevocationIndex();
    index.raise(id(1), ALL_VERSIONS, 100);
    expect(index.minimumVersion(id(1))).toBe(ALL_VERSIONS);
    expect(index.minimumVersion(id(1))).toBeGreaterThan(0x7fff_ffff);
  });

  it('takes packed entries as it takes them one by one', () => {
    const index = createRevocationIndex();
    index.raisePacked(Buffer.concat([packEntry(id(1), 5, 100), packEntry(id(2, 7), ALL_VERSIONS, 0xffff_ffff), packEntry(id(1), 4, 200)]));
    expect([id(1), id(2, 7), id(2)].map((key) => index.minimumVersion(key))).toEqual([5, ALL_VERSIONS, 0]);
    index.purge(199);
    expect(index.size).toBe(2);
    index.purge(200);
    expect([index.size, index.minimumVersion(id(1)), index.minimumVersion(id(2, 7))]).toEqual([1, 0, ALL_VERSIONS]);
    index.raisePacked(new Uint8Array(0));
    expect(index.size).toBe(1);
  });

  it('takes packed entries that begin anywhere in a buffer, and more than it has room for', () => {
    const index = createRevocationIndex();
    const entries = Array.from({ length: 5000 }, (_, i) => packEntry(id(i, Math.imul(i, 0x9e37_79b1) >>> 0), i + 1, 100));
    index.raisePacked(Buffer.concat([Buffer.alloc(3), ...entries]).subarray(3));
    expect(index.size).toBe(5000);
    expect(index.minimumVersion(id(4999, Math.imul(4999, 0x9e37_79b1) >>> 0))).toBe(5000);
  });

  it.each([
    ['the second before it expires', 99, true],
    ['the very second', 100, false],
    ['later', 101, false],
  ])('keeps an entry in a purge %s: %i', (_when, now, isKept) => {
    const index = createRevocationIndex();
    index.raise(id(1), 1, 100);
    index.purge(now);
    expect(index.minimumVersion(id(1)) > 0).toBe(isKept);
    expect(index.size).toBe(isKept ? 1 : 0);
  });

  it('keeps a fraction of a second in favour of revocation', () => {
    const index = createRevocationIndex();
    index.raise(id(1), 1, 100.2);
    index.purge(100);
    expect(index.minimumVersion(id(1))).toBe(1);
  });

  it.each([0, -1])('keeps what should have expired long ago (%i) until it is purged', (expiresAt) => {
    const index = createRevocationIndex();
    index.raise(id(1), 1, expiresAt);
    expect(index.minimumVersion(id(1))).toBe(1);
    index.purge(1);
    expect(index.size).toBe(0);
  });

  it('tells keys apart that begin in the same slot, whichever word they differ in', () => {
    const index = createRevocationIndex();
    const ids = [
      '00000001-0000-7000-8000-0000000003ff',
      '00000002-0000-7000-8000-0000000003ff',
      '00000001-0001-7000-8000-0000000003ff',
      '00000001-0000-7000-9000-0000000003ff',
      '00000001-0000-7000-8000-0001000003ff',
      // The slot after the last one is the first.
      '00000001-0000-7000-8000-0000000007ff',
    ];
    ids.forEach((key, i) => index.raise(key, i + 1, 100));
    expect(ids.map((key) => index.minimumVersion(key))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(index.minimumVersion('00000003-0000-7000-8000-0000000003ff')).toBe(0);
    expect(index.size).toBe(ids.length);
  });

  it('finds everything while it grows, and after it has shrunk', () => {
    const index = createRevocationIndex();
    const count = 20_000;
    const nth = (i: number) => id(i, Math.imul(i, 0x9e37_79b1) >>> 0);
    for (let i = 0; i < count; i += 1) index.raise(nth(i), i + 1, i % 10 === 0 ? 200 : 100);
    expect(index.size).toBe(count);
    const wrong = (expected: (i: number) => number) =>
      Array.from({ length: count }, (_, i) => i).filter((i) => index.minimumVersion(nth(i)) !== expected(i));
    expect(wrong((i) => i + 1)).toEqual([]);
    index.purge(150);
    expect(index.size).toBe(count / 10);
    expect(wrong((i) => (i % 10 === 0 ? i + 1 : 0))).toEqual([]);
  });

  it('agrees with a map, whatever is done to it', () => {
    // Few heads and few tails: keys meet each other, and in each other's slots.
    const key = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom(0, 1, 1023, 1024, 0xffff_ffff)).map(([a, b]) => id(a, b));
    const raise = fc.record({ key, version: fc.integer({ min: 1, max: 9 }), expiresAt: fc.integer({ min: 1, max: 60 }) });
    const purge = fc.record({ now: fc.integer({ min: 0, max: 60 }) });
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 8, arbitrary: raise }, { weight: 1, arbitrary: purge }), { maxLength: 300 }), (steps) => {
        const index = createRevocationIndex();
        const model = new Map<string, { version: number; expiresAt: number }>();
        for (const step of steps) {
          if ('now' in step) {
            index.purge(step.now);
            for (const [known, entry] of model) if (entry.expiresAt <= step.now) model.delete(known);
          } else {
            const known = model.get(step.key) ?? { version: 0, expiresAt: 0 };
            index.raise(step.key, step.version, step.expiresAt);
            model.set(step.key, {
              version: Math.max(known.version, step.version),
              expiresAt: Math.max(known.expiresAt, step.expiresAt),
            });
          }
          expect(index.size).toBe(model.size);
        }
        for (let head = 0; head <= 41; head += 1) {
          for (const tail of [0, 1, 1023, 1024, 0xffff_ffff]) {
            expect(index.minimumVersion(id(head, tail))).toBe(model.get(id(head, tail))?.version ?? 0);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
