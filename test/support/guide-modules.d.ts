// What the guides in docs/clients use of packages that are not installed here, as those packages declare it.

declare module 'electron' {
  import type { EventEmitter } from 'node:events';

  interface WebFrameMain {
    readonly url: string;
  }
  interface Event {
    preventDefault: () => void;
  }
  class WebContents extends EventEmitter {
    readonly mainFrame: WebFrameMain;
    send(channel: string, ...values: unknown[]): void;
    setWindowOpenHandler(handler: () => { action: 'deny' } | { action: 'allow' }): void;
    on(event: 'will-navigate', listener: (event: Event) => void): this;
  }
  export interface IpcMainInvokeEvent {
    readonly sender: WebContents;
    /** Null when the frame has gone or has navigated. */
    readonly senderFrame: WebFrameMain | null;
  }
  export interface IpcRendererEvent {
    readonly sender: unknown;
  }

  export const app: {
    requestSingleInstanceLock(): boolean;
    exit(exitCode?: number): void;
    quit(): void;
    whenReady(): Promise<void>;
    getPath(name: 'userData' | 'home' | 'appData'): string;
    on(event: 'window-all-closed', listener: () => void): void;
  };
  export class BrowserWindow {
    static getAllWindows(): BrowserWindow[];
    constructor(options?: {
      webPreferences?: { preload?: string; contextIsolation?: boolean; nodeIntegration?: boolean; sandbox?: boolean };
    });
    readonly webContents: WebContents;
    loadURL(url: string): Promise<void>;
  }
  export const ipcMain: {
    handle(channel: string, listener: (event: IpcMainInvokeEvent, ...values: unknown[]) => unknown): void;
  };
  export const ipcRenderer: {
    invoke(channel: string, ...values: unknown[]): Promise<unknown>;
    on(channel: string, listener: (event: IpcRendererEvent, ...values: unknown[]) => void): unknown;
    removeListener(channel: string, listener: (event: IpcRendererEvent, ...values: unknown[]) => void): unknown;
  };
  export const contextBridge: { exposeInMainWorld(apiKey: string, api: unknown): void };
  export const net: { fetch(url: string): Promise<Response> };
  export const powerMonitor: { on(event: 'resume', listener: () => void): void };
  export const protocol: {
    registerSchemesAsPrivileged(
      schemes: { scheme: string; privileges?: { standard?: boolean; secure?: boolean; supportFetchAPI?: boolean } }[],
    ): void;
    handle(scheme: string, handler: (request: Request) => Response | Promise<Response>): void;
  };
  export const safeStorage: {
    isEncryptionAvailable(): boolean;
    encryptString(plainText: string): Buffer;
    decryptString(encrypted: Buffer): string;
    getSelectedStorageBackend(): 'basic_text' | 'gnome_libsecret' | 'kwallet' | 'kwallet5' | 'kwallet6' | 'unknown';
  };
}

declare module 'expo-secure-store' {
  export interface SecureStoreOptions {
    keychainService?: string;
    requireAuthentication?: boolean;
    keychainAccessible?: number;
  }
  export const AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: number;
  export function getItemAsync(key: string, options?: SecureStoreOptions): Promise<string | null>;
  export function setItemAsync(key: string, value: string, options?: SecureStoreOptions): Promise<void>;
  export function deleteItemAsync(key: string, options?: SecureStoreOptions): Promise<void>;
}

declare module 'expo-crypto' {
  export function randomUUID(): string;
}

declare module 'expo-task-manager' {
  export function defineTask(taskName: string, taskExecutor: (body: { data: unknown; error: unknown }) => Promise<unknown>): void;
}

declare module 'expo-background-task' {
  export enum BackgroundTaskResult {
    Success = 1,
    Failed = 2,
  }
  /** `minimumInterval` in minutes. */
  export function registerTaskAsync(taskName: string, options?: { minimumInterval?: number }): Promise<void>;
}

declare module 'react-native-get-random-values';

declare module 'react-native-keychain' {
  export enum ACCESSIBLE {
    AFTER_FIRST_UNLOCK = 'AccessibleAfterFirstUnlock',
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY = 'AccessibleAfterFirstUnlockThisDeviceOnly',
  }
  interface BaseOptions {
    service?: string;
    accessGroup?: string;
  }
  interface SetOptions extends BaseOptions {
    accessible?: ACCESSIBLE;
  }
  interface Result {
    service: string;
    storage: string;
  }
  interface UserCredentials extends Result {
    username: string;
    password: string;
  }
  export function getGenericPassword(options?: string | BaseOptions): Promise<false | UserCredentials>;
  export function setGenericPassword(username: string, password: string, options?: string | SetOptions): Promise<false | Result>;
  export function resetGenericPassword(options?: string | BaseOptions): Promise<boolean>;
}

declare module '@react-native-async-storage/async-storage' {
  const AsyncStorage: {
    getItem(key: string): Promise<string | null>;
    setItem(key: string, value: string): Promise<void>;
  };
  export default AsyncStorage;
}

declare module 'react-native' {
  import type { ComponentType, ReactNode } from 'react';

  type AppStateStatus = 'active' | 'background' | 'inactive' | 'unknown' | 'extension';
  export const AppState: {
    readonly currentState: AppStateStatus;
    addEventListener(type: 'change', listener: (state: AppStateStatus) => void): { remove(): void };
  };
  export const Platform: { readonly OS: 'ios' | 'android' | 'macos' | 'windows' | 'web' };
  export const View: ComponentType<{ children?: ReactNode }>;
  export const Text: ComponentType<{ children?: ReactNode }>;
  export const TextInput: ComponentType<{
    autoCapitalize?: 'none' | 'sentences' | 'words' | 'characters';
    onChangeText?: (text: string) => void;
    secureTextEntry?: boolean;
    value?: string;
  }>;
  export const Button: ComponentType<{ onPress: () => void; title: string }>;
}
