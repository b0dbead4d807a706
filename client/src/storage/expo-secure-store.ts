import type { TokenStorage } from './token-storage.js';

/** What is used of the module `expo-secure-store`: `import * as SecureStore from 'expo-secure-store'`. */
export interface ExpoSecureStore {
  getItemAsync(key: string, options?: { keychainService?: string; keychainAccessible?: number }): Promise<string | null>;
  setItemAsync(key: string, value: string, options?: { keychainService?: string; keychainAccessible?: number }): Promise<void>;
  deleteItemAsync(key: string, options?: { keychainService?: string; keychainAccessible?: number }): Promise<void>;
  readonly AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: number;
}

/**
 * Keeps the record in the iOS keychain or, encrypted by the Android keystore, in SharedPreferences.
 *
 * Readable after the first unlock, not only while unlocked: a refresh in the background that could not store what it got would look like a theft
 * the next time. Not in backups, and not on another device. On iOS, what is in the keychain outlives the app: whoever installs it again is
 * still signed in, unless it calls `logout` on its first start.
 */
export function expoSecureStorage(
  secureStore: ExpoSecureStore,
  { key = 'latchkey' }: { readonly key?: string | undefined } = {},
): TokenStorage {
  if (!/^[\w.-]+$/.test(key)) throw new TypeError('expo-secure-store allows letters, digits, ".", "-" and "_" in a key');
  const options = { keychainAccessible: secureStore.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY };
  return {
    name: key,
    read: async () => (await secureStore.getItemAsync(key, options)) ?? undefined,
    write: (record) => secureStore.setItemAsync(key, record, options),
    remove: () => secureStore.deleteItemAsync(key, options),
  };
}
