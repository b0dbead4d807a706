import { resolve } from 'node:path';

import { readIfPresent, removeFile, replaceFile } from './atomic-file.js';
import { fileLock } from './file-lock.js';
import type { TokenStorage } from './token-storage.js';

/** What is used of Electron's `safeStorage`, in the main process: `import { safeStorage } from 'electron'`. */
export interface ElectronSafeStorage {
  isEncryptionAvailable(): boolean;
  encryptString(text: string): Uint8Array;
  decryptString(encrypted: Uint8Array): string;
  /** On Linux only. */
  getSelectedStorageBackend?(): string;
}

export interface ElectronSafeStorageOptions {
  /** Where the encrypted record goes: `join(app.getPath('userData'), 'session')`. */
  readonly path: string;
  /**
   * On Linux without a keyring, Electron encrypts with a password that everybody knows (`basic_text`). That counts as no storage at all unless this is
   * true.
   */
  readonly allowPasswordThatEverybodyKnows?: boolean | undefined;
}

/**
 * Keeps the record in a file, encrypted with a key that the operating system keeps: Keychain, DPAPI, kwallet or gnome-libsecret. For the main
 * process, after `app.whenReady()`; windows ask it for access tokens and never see the refresh token.
 *
 * While the key cannot be had, the record is unreadable, which is not the same as empty: the session is offline, not over.
 */
export function electronSafeStorage(
  safeStorage: ElectronSafeStorage,
  { path, allowPasswordThatEverybodyKnows = false }: ElectronSafeStorageOptions,
): TokenStorage {
  const file = resolve(path);
  const requireEncryption = (): void => {
    if (!safeStorage.isEncryptionAvailable()) throw new Error('The operating system gives no key to encrypt with');
    if (!allowPasswordThatEverybodyKnows && safeStorage.getSelectedStorageBackend?.() === 'basic_text') {
      throw new Error('There is no keyring here: safeStorage would encrypt with a password that everybody knows');
    }
  };
  return {
    name: file,
    async read() {
      const encrypted = await readIfPresent(file);
      if (encrypted === undefined) return undefined;
      requireEncryption();
      return safeStorage.decryptString(encrypted);
    },
    async write(record) {
      requireEncryption();
      await replaceFile(file, safeStorage.encryptString(record));
    },
    remove: () => removeFile(file),
    lock: fileLock,
  };
}
