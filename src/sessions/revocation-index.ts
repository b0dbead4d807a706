import { parse as uuidToBytes } from 'uuid';

import { PACKED_ENTRY_BYTES } from '../persistence/revocation.store.js';

const KEY_WORDS = 4;
/** A slot is the four words of a key, the least version that counts, and when to forget it: 0 marks a free one. */
const VERSION = KEY_WORDS;
const EXPIRY = KEY_WORDS + 1;
const SLOT_WORDS = KEY_WORDS + 2;

const FIRST_CAPACITY = 1024;
/** Beyond it, runs of taken slots get long. */
const FULLEST = 0.75;
/** What is left free when the table is made anew, so that it is not made anew soon. */
const GROWTH = 1.5;

/** Every version of a key's tokens is revoked. */
export const ALL_VERSIONS = 0xffff_ffff;

/**
 * Maps UUIDs to the least version that still counts, until a time.
 *
 * An open-addressing hash table in one typed array: 24 bytes a slot and 32 to 48 an entry, so that a million take less than 64 MB and the garbage
 * collector sees one object.
 */
export interface RevocationIndex {
  /** Raises the least version that counts for a key; it never lowers it. Times are seconds since the epoch. */
  raise(id: string, minimumVersion: number, expiresAt: number): void;
  /** The same for entries packed one after the other, as the store reads them. */
  raisePacked(entries: Uint8Array): void;
  /** Those of which no version counts, packed. */
  packedEndings(): Uint8Array;
  /** The least version that counts; 0 when nothing is revoked. */
  minimumVersion(id: string): number;
  /** Forgets what has expired. */
  purge(now: number): void;
  readonly size: number;
}

export function createRevocationIndex(): RevocationIndex {
  let capacity = FIRST_CAPACITY;
  let slots = new Uint32Array(capacity * SLOT_WORDS);
  let size = 0;
  /** The key that is looked for: one for all, or every look-up would leave one behind. */
  const key = new Uint32Array(KEY_WORDS);

  /** Where the slot of the key begins, or the free one where it belongs. The last word of a UUIDv7 is random: it needs no hashing. */
  const find = (): number => {
    let slot = at(key, 3) % capacity;
    while (at(slots, slot * SLOT_WORDS + EXPIRY) !== 0 && !isAt(slot * SLOT_WORDS)) slot = (slot + 1) % capacity;
    return slot * SLOT_WORDS;
  };

  const isAt = (start: number): boolean =>
    slots[start + 3] === key[3] && slots[start + 2] === key[2] && slots[start + 1] === key[1] && slots[start] === key[0];

  const put = (version: number, expiresAt: number): void => {
    if (size + 1 > capacity * FULLEST) rebuild(size, 0);
    const start = find();
    if (slots[start + EXPIRY] === 0) {
      slots.set(key, start);
      size += 1;
    }
    slots[start + VERSION] = Math.max(at(slots, start + VERSION), version);
    slots[start + EXPIRY] = Math.max(at(slots, start + EXPIRY), expiresAt, 1);
  };

  /** Copies what is still to be kept into a table of the right size, and looks for the same key afterwards. */
  const rebuild = (expectedSize: number, keepAfter: number): void => {
    const sought = key.slice();
    const old = slots;
    capacity = Math.max(FIRST_CAPACITY, Math.ceil((expectedSize / FULLEST) * GROWTH));
    slots = new Uint32Array(capacity * SLOT_WORDS);
    size = 0;
    for (let start = 0; start < old.length; start += SLOT_WORDS) {
      const expiresAt = at(old, start + EXPIRY);
      if (expiresAt <= keepAfter) continue;
      for (let word = 0; word < KEY_WORDS; word += 1) key[word] = at(old, start + word);
      put(at(old, start + VERSION), expiresAt);
    }
    key.set(sought);
  };

  const readKey = (bytes: Uint8Array, start = 0): void => {
    for (let word = 0; word < KEY_WORDS; word += 1) key[word] = wordAt(bytes, start + word * 4);
  };

  return {
    raise(id, minimumVersion, expiresAt) {
      readKey(uuidToBytes(id));
      put(minimumVersion, Math.ceil(expiresAt));
    },
    raisePacked(entries) {
      for (let start = 0; start < entries.length; start += PACKED_ENTRY_BYTES) {
        readKey(entries, start);
        put(wordAt(entries, start + VERSION * 4), wordAt(entries, start + EXPIRY * 4));
      }
    },
    packedEndings() {
      const packed = new DataView(new ArrayBuffer(size * PACKED_ENTRY_BYTES));
      let end = 0;
      for (let start = 0; start < slots.length; start += SLOT_WORDS) {
        if (slots[start + VERSION] !== ALL_VERSIONS) continue;
        for (let word = 0; word < SLOT_WORDS; word += 1) packed.setUint32(end + word * 4, at(slots, start + word));
        end += PACKED_ENTRY_BYTES;
      }
      return new Uint8Array(packed.buffer, 0, end);
    },
    minimumVersion(id) {
      if (size === 0) return 0;
      readKey(uuidToBytes(id));
      return at(slots, find() + VERSION);
    },
    purge(now) {
      let kept = 0;
      for (let start = 0; start < slots.length; start += SLOT_WORDS) if (at(slots, start + EXPIRY) > now) kept += 1;
      if (kept < size) rebuild(kept, now);
    },
    get size() {
      return size;
    },
  };
}

/** A word that is there: every slot lies within the table. */
function at(words: Uint32Array, place: number): number {
  return words[place] ?? 0;
}

/** Byte by byte: a view on the bytes' buffer would put every small array on the C heap, where a million of them leave holes. */
function wordAt(bytes: Uint8Array, place: number): number {
  let word = 0;
  for (let next = place; next < place + 4; next += 1) word = (word << 8) | (bytes[next] ?? 0);
  return word >>> 0;
}
