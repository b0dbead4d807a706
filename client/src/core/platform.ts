/**
 * What a platform may have, and another may lack: React Native has no Web Locks and, without a polyfill, no `crypto`.
 *
 * Beside these, the core uses `fetch` (or the one it is given), `Headers`, `AbortController` and `setTimeout`, which all of them have.
 */
interface Platform {
  readonly performance?: { now(): number };
  readonly crypto?: { getRandomValues?(bytes: Uint8Array): Uint8Array };
  readonly location?: { readonly origin: string };
  readonly navigator?: { readonly locks?: { request(name: string, task: () => Promise<unknown>): Promise<unknown> } };
}

export const platform = globalThis as Platform;
