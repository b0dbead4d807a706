import type { TokenStorage } from './token-storage.js';

/**
 * What is used of the module `react-native-keychain`: `import * as Keychain from 'react-native-keychain'`. `Accessible` is its enum of that name, which
 * takes no other string.
 */
export interface ReactNativeKeychain<Accessible extends string = string> {
  getGenericPassword(options: { service?: string }): Promise<false | { password: string }>;
  setGenericPassword(username: string, password: string, options: { service?: string; accessible?: Accessible }): Promise<unknown>;
  resetGenericPassword(options: { service?: string }): Promise<boolean>;
  readonly ACCESSIBLE: { readonly AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: Accessible };
}

const USERNAME = 'latchkey';

/**
 * Keeps the record in the iOS keychain or, encrypted by the Android keystore, in the app's storage.
 *
 * Readable after the first unlock, not only while unlocked: a refresh in the background that could not store what it got would look like a theft
 * the next time. Not in backups, and not on another device. On iOS, what is in the keychain outlives the app: whoever installs it again is
 * still signed in, unless it calls `logout` on its first start.
 */
export function reactNativeKeychainStorage<Accessible extends string>(
  keychain: ReactNativeKeychain<Accessible>,
  { service = 'latchkey' }: { readonly service?: string | undefined } = {},
): TokenStorage {
  const accessible = keychain.ACCESSIBLE.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY;
  return {
    name: service,
    async read() {
      const found = await keychain.getGenericPassword({ service });
      return found === false ? undefined : found.password;
    },
    async write(record) {
      // It answers false, and does not reject, where the platform refused.
      if ((await keychain.setGenericPassword(USERNAME, record, { service, accessible })) === false) {
        throw new Error('The keychain did not take the record');
      }
    },
    async remove() {
      await keychain.resetGenericPassword({ service });
    },
  };
}
