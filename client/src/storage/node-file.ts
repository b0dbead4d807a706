import { resolve } from 'node:path';

import { readIfPresent, removeFile, replaceFile } from './atomic-file.js';
import { fileLock } from './file-lock.js';
import type { TokenStorage } from './token-storage.js';

/**
 * Keeps the record in a file, in clear, as most command-line tools do: for the owner only (0600, in a folder made 0700), replaced as a whole, with
 * locks between processes beside it (`<path>.lock`, `<path>.record.lock`).
 *
 * **What that means.** Whoever can read the user's files can read the refresh token: root, a backup, every program that the user runs. On Windows
 * the mode means nothing, and the folder's permissions hold. A desktop app has better: `electronSafeStorage`.
 */
export function unencryptedFileStorage(path: string): TokenStorage {
  const file = resolve(path);
  return {
    name: file,
    async read() {
      const bytes = await readIfPresent(file);
      return bytes && new TextDecoder().decode(bytes);
    },
    write: (record) => replaceFile(file, record),
    remove: () => removeFile(file),
    lock: fileLock,
  };
}
