import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createAuth } from '../../src/auth.js';
import { electronSafeStorage, type ElectronSafeStorage } from '../../src/storage/electron-safe-storage.js';
import { expoSecureStorage, type ExpoSecureStore } from '../../src/storage/expo-secure-store.js';
import { fileLock } from '../../src/storage/file-lock.js';
import { memoryStorage } from '../../src/storage/memory.js';
import { unencryptedFileStorage } from '../../src/storage/node-file.js';
import { reactNativeKeychainStorage, type ReactNativeKeychain } from '../../src/storage/react-native-keychain.js';
import type { TokenStorage } from '../../src/storage/token-storage.js';
import { unencryptedWebStorage } from '../../src/storage/web.js';

let folder: string;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-storage-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A path in a folder that does not exist yet. */
const newPath = () => join(folder, String((made += 1)), 'session');

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

/** As the real module has it: `AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY` is a number, and what was never set is null. */
function fakeSecureStore() {
  const items = new Map<string, { value: string; options: unknown }>();
  const module: ExpoSecureStore = {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 1,
    getItemAsync: (key) => Promise.resolve(items.get(key)?.value ?? null),
    setItemAsync: (key, value, options) => Promise.resolve(void items.set(key, { value, options })),
    deleteItemAsync: (key) => Promise.resolve(void items.delete(key)),
  };
  return { items, module };
}

/** As the real module is typed: with an enum of its own, and options that are all optional. */
enum Accessible {
  AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY = 'AccessibleAfterFirstUnlockThisDeviceOnly',
}

function fakeKeychain() {
  const items = new Map<string, { password: string; accessible: Accessible | undefined }>();
  const module = {
    ACCESSIBLE: Accessible,
    getGenericPassword: ({ service = '' }: { service?: string }) => {
      const item = items.get(service);
      return Promise.resolve(item === undefined ? (false as const) : { username: '', service, storage: 'keychain', ...item });
    },
    setGenericPassword: (
      _username: string,
      password: string,
      { service = '', accessible }: { service?: string; accessible?: Accessible; accessGroup?: string },
    ) => Promise.resolve<false | { service: string }>((items.set(service, { password, accessible }), { service })),
    resetGenericPassword: ({ service = '' }: { service?: string }) => Promise.resolve(items.delete(service)),
  } satisfies ReactNativeKeychain;
  return { items, module };
}

function fakeSafeStorage(backend?: string) {
  const state = { isAvailable: true };
  const turn = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x5a);
  const module: ElectronSafeStorage = {
    isEncryptionAvailable: () => state.isAvailable,
    encryptString: (text) => turn(new TextEncoder().encode(text)),
    decryptString: (bytes) => new TextDecoder().decode(turn(bytes)),
    ...(backend === undefined ? {} : { getSelectedStorageBackend: () => backend }),
  };
  return { state, module };
}

function fakeLocalStorage() {
  const items = new Map<string, string>();
  return {
    items,
    area: {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
      removeItem: (key: string) => void items.delete(key),
    },
  };
}

describe.each<[string, () => TokenStorage]>([
  ['memoryStorage', memoryStorage],
  ['unencryptedWebStorage', () => unencryptedWebStorage({ area: () => area })],
  ['expoSecureStorage', () => expoSecureStorage(fakeSecureStore().module)],
  ['reactNativeKeychainStorage', () => reactNativeKeychainStorage(fakeKeychain().module)],
  ['electronSafeStorage', () => electronSafeStorage(fakeSafeStorage().module, { path: newPath() })],
  ['unencryptedFileStorage', () => unencryptedFileStorage(newPath())],
])('%s', (_name, create) => {
  it('has nothing at first, keeps what was written last, and has nothing again when it was removed', async () => {
    const storage = create();
    expect(await storage.read()).toBeUndefined();
    await storage.write('one');
    expect(await storage.read()).toBe('one');
    await storage.write('{"zwei":"ü€𝄞"}');
    expect(await storage.read()).toBe('{"zwei":"ü€𝄞"}');
    await storage.remove();
    expect(await storage.read()).toBeUndefined();
  });

  it('can be emptied when it is empty', async () => {
    const storage = create();
    await storage.remove();
    await storage.remove();
    expect(await storage.read()).toBeUndefined();
  });

  it('has a name that a lock can have', () => {
    expect(create().name).not.toBe('');
  });

  it('has a lock, if any, that keeps names apart: one can be had while another is held', async () => {
    const { name, lock } = create();
    expect(await lock?.(name, () => lock(`${name}.record`, () => Promise.resolve('inside')))).toBe(lock && 'inside');
  });
});

const { area } = fakeLocalStorage();

describe('memoryStorage', () => {
  it('is one record each time it is made', async () => {
    const [one, two] = [memoryStorage(), memoryStorage()];
    await one.write('one');
    expect(await two.read()).toBeUndefined();
    expect(one.name).not.toBe(two.name);
  });

  it('lets one at a time', async () => {
    const { lock } = memoryStorage();
    const order: string[] = [];
    const task = (name: string) => async () => {
      order.push(name);
      await Promise.resolve();
      order.push(name);
      if (name === 'a') throw new Error('a failed');
    };
    await Promise.allSettled([lock?.('', task('a')), lock?.('', task('b'))]);
    expect(order).toEqual(['a', 'a', 'b', 'b']);
  });
});

describe('unencryptedWebStorage', () => {
  it('uses localStorage unless told otherwise, under a name that can be chosen', async () => {
    const { items, area: localStorage } = fakeLocalStorage();
    vi.stubGlobal('localStorage', localStorage);
    await unencryptedWebStorage().write('a');
    await unencryptedWebStorage({ key: 'other' }).write('b');
    expect(Object.fromEntries(items)).toEqual({ latchkey: 'a', other: 'b' });
  });

  it.each(['read', 'write', 'remove'] as const)('counts as unreadable where the user has forbidden it: %s', async (method) => {
    const storage = unencryptedWebStorage({
      area: () => {
        throw new DOMException('Access is denied for this document.', 'SecurityError');
      },
    });
    await expect(storage[method]('')).rejects.toThrow('Access is denied');
  });

  it('counts as unreadable where a page is rendered without a window', async () => {
    const auth = createAuth({ endpoint: 'https://api.example.com/graphql', storage: unencryptedWebStorage() });
    await auth.ready;
    expect(auth.state).toMatchObject({ status: 'offline', reason: 'storage' });
    auth.close();
  });

  it('tells of changes of other tabs to its own item until it is told to stop', () => {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
    const change = (key: string | null) => target.dispatchEvent(Object.assign(new Event('storage'), { key }));
    const listener = vi.fn();
    const stop = unencryptedWebStorage({ key: 'mine' }).watch?.(listener);
    change('other');
    expect(listener).toHaveBeenCalledTimes(0);
    change('mine');
    expect(listener).toHaveBeenCalledTimes(1);
    change(null);
    expect(listener).toHaveBeenCalledTimes(2);
    stop?.();
    change('mine');
    expect(listener).toHaveBeenCalledTimes(2);
  });
});

describe('expoSecureStorage', () => {
  it('is readable after the first unlock, and on this device only', async () => {
    const { items, module } = fakeSecureStore();
    await expoSecureStorage(module).write('a');
    expect(items.get('latchkey')).toEqual({ value: 'a', options: { keychainAccessible: module.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY } });
  });

  it.each(['', 'a b', 'ü', 'a/b'])('refuses a key that the module would refuse: %j', (key) => {
    expect(() => expoSecureStorage(fakeSecureStore().module, { key })).toThrow(TypeError);
  });

  it('rejects when the keychain cannot be read', async () => {
    const module = { ...fakeSecureStore().module, getItemAsync: () => Promise.reject(new Error('User interaction is not allowed')) };
    await expect(expoSecureStorage(module).read()).rejects.toThrow('User interaction');
  });
});

describe('reactNativeKeychainStorage', () => {
  it('is readable after the first unlock, and on this device only', async () => {
    const { items, module } = fakeKeychain();
    await reactNativeKeychainStorage(module, { service: 'app' }).write('a');
    expect(items.get('app')).toEqual({ password: 'a', accessible: 'AccessibleAfterFirstUnlockThisDeviceOnly' });
  });

  it('rejects when the keychain says no without rejecting', async () => {
    const module = { ...fakeKeychain().module, setGenericPassword: () => Promise.resolve(false as const) };
    await expect(reactNativeKeychainStorage(module).write('a')).rejects.toThrow('did not take');
  });
});

describe('electronSafeStorage', () => {
  it('writes nothing in clear', async () => {
    const path = newPath();
    await electronSafeStorage(fakeSafeStorage('gnome_libsecret').module, { path }).write('refresh token');
    expect(await readFile(path, 'latin1')).not.toContain('refresh');
    expect(await modeOf(path)).toBe('600');
  });

  it('is unreadable, and not empty, while the system gives no key', async () => {
    const { state, module } = fakeSafeStorage();
    const storage = electronSafeStorage(module, { path: newPath() });
    await storage.write('a');
    state.isAvailable = false;
    await expect(storage.read()).rejects.toThrow('no key');
    await expect(storage.write('b')).rejects.toThrow('no key');
    state.isAvailable = true;
    expect(await storage.read()).toBe('a');
  });

  it('refuses to encrypt with a password that everybody knows, unless told so by an awkward name', async () => {
    const { module } = fakeSafeStorage('basic_text');
    const path = newPath();
    await expect(electronSafeStorage(module, { path }).write('a')).rejects.toThrow('everybody knows');
    await electronSafeStorage(module, { path, allowPasswordThatEverybodyKnows: true }).write('a');
    await expect(electronSafeStorage(module, { path }).read()).rejects.toThrow('everybody knows');
  });
});

describe('unencryptedFileStorage', () => {
  it('is for its owner only, and so is the folder that it makes', async () => {
    const path = newPath();
    await unencryptedFileStorage(path).write('a');
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(path, '..'))).toBe('700');
  });

  it('is for its owner only again after somebody has opened it to others', async () => {
    const path = newPath();
    const storage = unencryptedFileStorage(path);
    await storage.write('a');
    await chmod(path, 0o644);
    await storage.write('b');
    expect(await modeOf(path)).toBe('600');
  });

  it('replaces the file as a whole: a reader sees the one before or the one after', async () => {
    const path = newPath();
    const storage = unencryptedFileStorage(path);
    const records = ['a', 'b'].map((letter) => letter.repeat(200_000));
    await storage.write(records[0]!);
    const writing = (async () => {
      for (let round = 0; round < 20; round += 1) await storage.write(records[round % 2]!);
    })();
    const reading = (async () => {
      for (let round = 0; round < 60; round += 1) expect(records).toContain(await storage.read());
    })();
    await Promise.all([writing, reading]);
  });

  it('leaves nothing beside it, not even after a failure', async () => {
    const path = newPath();
    await mkdir(path, { recursive: true });
    await expect(unencryptedFileStorage(path).write('a')).rejects.toThrow();
    expect(await readdir(join(path, '..'))).toEqual(['session']);
  });

  it('is unreadable, and not empty, when it cannot be read', async () => {
    const path = newPath();
    await mkdir(path, { recursive: true });
    await expect(unencryptedFileStorage(path).read()).rejects.toThrow();
  });
});

describe('the lock between processes', () => {
  it('lets one at a time, and leaves nothing behind', async () => {
    const path = newPath();
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, () =>
        fileLock(path, async () => {
          most = Math.max(most, (inside += 1));
          await readdir(folder);
          inside -= 1;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('is given back when the task fails', async () => {
    const path = newPath();
    await expect(fileLock(path, () => Promise.reject(new Error('the task failed')))).rejects.toThrow('the task failed');
    expect(await fileLock(path, () => Promise.resolve('next'))).toBe('next');
  });

  it('of a process that has died is taken over', async () => {
    const path = newPath();
    await mkdir(join(path, '..'));
    await writeFile(`${path}.lock`, 'somebody');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(`${path}.lock`, longAgo, longAgo);
    const results = await Promise.all([1, 2, 3].map(() => fileLock(path, () => Promise.resolve('done'))));
    expect(results).toEqual(['done', 'done', 'done']);
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('of a process that lives is renewed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const path = newPath();
    await fileLock(path, async () => {
      const longAgo = new Date(Date.now() - 60_000);
      await utimes(`${path}.lock`, longAgo, longAgo);
      vi.advanceTimersByTime(2000);
      await expect.poll(async () => (await stat(`${path}.lock`)).mtimeMs).toBeGreaterThan(Date.now() - 20_000);
    });
  });

  it('that was taken over is not given back by the one who had it before', async () => {
    const path = newPath();
    await fileLock(path, () => writeFile(`${path}.lock`, 'somebody else'));
    expect(await readFile(`${path}.lock`, 'utf8')).toBe('somebody else');
  });
});
