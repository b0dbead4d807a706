import { createQueue } from '../core/lock.js';
import type { TokenStorage } from './token-storage.js';

let made = 0;

/**
 * Keeps the record in this process: the session ends for the user when the program does. For tests, for servers that act for one user, and for pages
 * that would rather ask for the password at each load than leave a token behind.
 */
export function memoryStorage(): TokenStorage {
  let record: string | undefined;
  return {
    name: `memory-${(made += 1)}`,
    read: () => Promise.resolve(record),
    write(next) {
      record = next;
      return Promise.resolve();
    },
    remove() {
      record = undefined;
      return Promise.resolve();
    },
    lock: createQueue(),
  };
}
