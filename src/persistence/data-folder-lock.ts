import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { OperatorError } from '../errors.js';

/**
 * Locks a data folder for this process: PGlite takes no lock of its own, and a second process would destroy the data.
 *
 * The lock is SQLite's on an empty file: the operating system lets go of it when the process ends, however it ends.
 *
 * @returns a function that lets go.
 * @throws when another process holds the folder, with what to do.
 */
export function lockDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(folder, 'lock'));
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new OperatorError(
      `Another process uses the data folder ${folder}. Stop it, or give this one its own: LATCHKEY_DATA_DIR=… or a PostgreSQL: DATABASE_URL=…`,
      { cause: error },
    );
  }
  return () => {
    lock.close();
  };
}
