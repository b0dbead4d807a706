import type { TokenStorage } from '../storage/token-storage.js';
import type { Exclusively } from './lock.js';
import { OfflineError } from './offline-error.js';
import { parseRecord, printRecord, type StoredRecord } from './record.js';

/** How long the lock is waited for: nobody has it for longer than a read and a write. */
const PATIENCE_MS = 1000;

/** What to make of a record. The very same one: nothing is to be written. Must not throw. */
type Decision = (record: StoredRecord) => StoredRecord;

/** The record in the storage. All of it rejects with an OfflineError when the storage fails. */
export interface RecordStore {
  /**
   * Reads the record and writes what `decide` makes of it, as one step for all who share the storage; gives what stands then. `otherwise` is taken for
   * a record that cannot be read.
   */
  readonly change: (decide?: Decision, otherwise?: StoredRecord) => Promise<StoredRecord>;
  /** A change that the storage may not take now: it is made before any other, then. */
  readonly insist: (decide: Decision) => Promise<StoredRecord>;
}

interface RecordStoreOptions {
  storage: TokenStorage;
  exclusively: Exclusively;
}

export function createRecordStore({ storage, exclusively }: RecordStoreOptions): RecordStore {
  let owed: Decision | undefined;

  const change: RecordStore['change'] = async (decide = unchanged, otherwise) => {
    const readAndWrite = async (): Promise<StoredRecord> => {
      let found = otherwise;
      try {
        found = parseRecord(await storage.read());
      } catch (error) {
        if (!found) throw error;
      }
      const paid = owed;
      const next = decide(paid?.(found) ?? found);
      const text = printRecord(next);
      if (next !== found) await (text === undefined ? storage.remove() : storage.write(text));
      // What was insisted on meanwhile is owed still.
      if (owed === paid) owed = undefined;
      return next;
    };
    try {
      return await exclusively(`${storage.name}.record`, PATIENCE_MS, readAndWrite);
    } catch (cause) {
      throw new OfflineError('storage', 0, { cause });
    }
  };

  return {
    change,
    insist(decide) {
      owed = decide;
      return change();
    },
  };
}

const unchanged: Decision = (record) => record;
