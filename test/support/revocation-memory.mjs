// Fills a revocation index with as many entries as the first argument says, and prints what that took: node --expose-gc.
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import process from 'node:process';

// As it is built: a fresh clone has none to resolve yet.
const { createRevocationIndex } = await import(new URL('../../dist/sessions/revocation-index.js', import.meta.url).href);

const count = Number(process.argv[2]);
const EXPIRES_AT = 2_000_000_000;

/** UUIDs as version 7 makes them, from a seed: the same again for the look-up. */
const idOf = (number) => {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(1_780_000_000_000 + Math.floor(number / 1000), 0, 6);
  bytes.writeUInt32BE(number, 6);
  bytes.writeUInt32BE(Math.imul(number, 0x9e37_79b1) >>> 0, 12);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const index = createRevocationIndex();
for (let number = 0; number < 1000; number += 1) idOf(number);
globalThis.gc();
const before = process.memoryUsage.rss();
for (let number = 0; number < count; number += 1) index.raise(idOf(number), 1, EXPIRES_AT);
globalThis.gc();
globalThis.gc();
const grownBytes = process.memoryUsage.rss() - before;

let missed = 0;
for (let number = 0; number < count; number += 997) if (index.minimumVersion(idOf(number)) === 0) missed += 1;
let falsePositives = 0;
for (let look = 0; look < 1000; look += 1) {
  const other = randomBytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-7$3-8$4-$5');
  if (index.minimumVersion(other) !== 0) falsePositives += 1;
}
console.log(JSON.stringify({ size: index.size, grownBytes, missed, falsePositives }));
