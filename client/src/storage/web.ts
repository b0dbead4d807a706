import type { TokenStorage } from './token-storage.js';

/** What is used of `localStorage` or `sessionStorage`. */
export interface WebStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface UnencryptedWebStorageOptions {
  /** The name of the item: `latchkey` by default. One for each session that the page keeps. */
  readonly key?: string | undefined;
  /**
   * `localStorage` by default. `() => sessionStorage` ends with its tab, but a browser copies it to a tab that is duplicated: two tabs have one refresh
   * token then, and the second to use it is taken for a thief, who ends the session.
   */
  readonly area?: (() => WebStorage) | undefined;
}

/**
 * Keeps the record in `localStorage`, in clear.
 *
 * **What that means.** Every script that runs on the origin can read the refresh token: yours, those of your dependencies, that of an attacker who
 * finds a hole for one (XSS). So can everybody who can read the browser's profile on the disk. A stolen token is noticed when it is used a second
 * time, and ends the session; until then it works. A strict Content-Security-Policy is the least to have with it. Where a page and its server
 * share a site, a session cookie (`HttpOnly`) is the better choice; where losing the session on reload is bearable, `memoryStorage` is.
 *
 * Tabs take turns through `navigator.locks` and hear of each other's sign-in and logout through `storage` events.
 */
export function unencryptedWebStorage({
  key = 'latchkey',
  area = () => globalThis.localStorage,
}: UnencryptedWebStorageOptions = {}): TokenStorage {
  // Even naming localStorage throws where the user has forbidden it: so in here, where it counts as unreadable.
  const access = <T>(use: (storage: WebStorage) => T): Promise<T> => new Promise((resolve) => resolve(use(area())));
  return {
    name: key,
    read: () => access((storage) => storage.getItem(key) ?? undefined),
    write: (record) => access((storage) => storage.setItem(key, record)),
    remove: () => access((storage) => storage.removeItem(key)),
    watch(listener) {
      const changed = (event: StorageEvent): void => {
        // No key: everything was cleared.
        if (event.key === key || event.key === null) listener();
      };
      // Where pages are rendered on a server there is no window, and the storage counts as unreadable.
      const page = globalThis as Partial<typeof globalThis>;
      page.addEventListener?.('storage', changed);
      return () => page.removeEventListener?.('storage', changed);
    },
  };
}
