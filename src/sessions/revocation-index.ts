import { parse as uuidToBytes } from 'uuid';

const WORDS_PER_KEY = 4;
const FIRST_CAPACITY = 1024;
/** Beyond it, runs of taken slots get long. */
const FULLEST = 0.7;

/** Every version of a key's tokens is revoked. */
export const ALL_VERSIONS = 0xffff_ffff;

/**
 * Maps UUIDs to the least version that still counts, until a time.
 *
 * An open-addressing hash table in typed arrays: 24 bytes a slot, so that a million entries take less than 64 MB and the garbage collector
 * sees four objects.
 */
export interface RevocationIndex {
  /** Raises the least version that counts for a key; it never lowers it. Times are seconds since the epoch. */
  raise(id: string, minimumVersion: number, expiresAt: number): void;
  /** The least version that counts; 0 when nothing is revoked. */
  minimumVersion(id: string): number;
  /** Forgets what has expired. */
  purge(now: number): void;
  readonly size: number;
}

export function createRevocationIndex(): RevocationIndex {
  let capacity = FIRST_CAPACITY;
  let keys = new Uint32Array(capacity * WORDS_PER_KEY);
  let versions = new Uint32Array(capacity);
  /** 0 marks a free slot. */
  let expiries = new Uint32Array(capacity);
  let size = 0;

  /** The slot of a key, or the free one where it belongs. The last word of a UUIDv7 is random: it needs no hashing. */
  const find = (key: Uint32Array): number => {
    let slot = at(key, 3) & (capacity - 1);
    while (expiries[slot] !== 0 && !isAt(slot, key)) slot = (slot + 1) & (capacity - 1);
    return slot;
  };

  const isAt = (slot: number, key: Uint32Array): boolean => {
    const first = slot * WORDS_PER_KEY;
    return keys[first + 3] === key[3] && keys[first + 2] === key[2] && keys[first + 1] === key[1] && keys[first] === key[0];
  };

  const put = (key: Uint32Array, version: number, expiresAt: number): void => {
    const slot = find(key);
    if (expiries[slot] === 0) {
      keys.set(key, slot * WORDS_PER_KEY);
      size += 1;
    }
    versions[slot] = Math.max(at(versions, slot), version);
    expiries[slot] = Math.max(at(expiries, slot), expiresAt, 1);
  };

  /** Copies what is still to be kept into a table of the right size. */
  const rebuild = (expectedSize: number, keepAfter: number): void => {
    const old = { keys, versions, expiries, capacity };
    capacity = FIRST_CAPACITY;
    while (expectedSize > capacity * FULLEST) capacity *= 2;
    keys = new Uint32Array(capacity * WORDS_PER_KEY);
    versions = new Uint32Array(capacity);
    expiries = new Uint32Array(capacity);
    size = 0;
    for (let slot = 0; slot < old.capacity; slot += 1) {
      const expiresAt = at(old.expiries, slot);
      if (expiresAt > keepAfter)
        put(old.keys.subarray(slot * WORDS_PER_KEY, (slot + 1) * WORDS_PER_KEY), at(old.versions, slot), expiresAt);
    }
  };

  return {
    raise(id, minimumVersion, expiresAt) {
      if (size + 1 > capacity * FULLEST) rebuild(size * 2, 0);
      put(toKey(id), minimumVersion, Math.ceil(expiresAt));
    },
    minimumVersion(id) {
      if (size === 0) return 0;
      const slot = find(toKey(id));
      return expiries[slot] === 0 ? 0 : at(versions, slot);
    },
    purge(now) {
      const kept = expiries.reduce((count, expiresAt) => (expiresAt > now ? count + 1 : count), 0);
      if (kept < size) rebuild(kept, now);
    },
    get size() {
      return size;
    },
  };
}

/** Word by word: a view on the bytes' buffer would put every small array on the C heap, where a million of them leave holes. */
function toKey(id: string): Uint32Array {
  const bytes = uuidToBytes(id);
  const word = (at: number) =>
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
  return Uint32Array.of(word(0), word(4), word(8), word(12));
}

/** A place that is there: every slot lies within the table. */
function at(words: Uint32Array, place: number): number {
  return words[place] ?? 0;
}
