import type { Lock } from '../core/lock.js';

/** Where one record is kept. An adapter is these few lines; write your own where none fits. */
export interface TokenStorage {
  /** Tells this record from all others on the device: storages of one name are one record, and share a lock. */
  readonly name: string;
  /** What was last written; undefined when nothing is there. Rejects when it cannot tell: a locked keychain is not an empty one. */
  read(): Promise<string | undefined>;
  /** Resolves when the record is durable. It replaces the one before as a whole, or not at all. */
  write(record: string): Promise<void>;
  /** Resolves when no record is left, also when there was none. */
  remove(): Promise<void>;
  /** Keeps apart all who share this storage, if something can. In browsers, `navigator.locks` is used without it. */
  readonly lock?: Lock;
  /** Calls `listener` when someone else has changed the record, and returns what stops it. */
  readonly watch?: (listener: () => void) => () => void;
}
