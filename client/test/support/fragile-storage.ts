import type { TokenStorage } from '../../src/storage/token-storage.js';

type Operation = 'read' | 'write' | 'remove';
type Trouble = Error | 'hang' | Promise<void> | undefined;
type Failure = (operation: Operation) => Trouble;

/** What a disk is to several processes: the record, which outlives them all. */
export interface Disk {
  record: string | undefined;
}

/** One process's way to a disk. `before` and `after` decide, for each access, whether it fails before or after it took effect, or waits. */
export class FragileStorage implements TokenStorage {
  readonly name = 'disk';
  readonly log: string[] = [];
  before: Failure = () => undefined;
  after: Failure = () => undefined;

  constructor(readonly disk: Disk = { record: undefined }) {}

  read = (): Promise<string | undefined> => this.#access('read', () => this.disk.record);
  write = (record: string): Promise<void> =>
    this.#access('write', () => {
      this.disk.record = record;
    });
  remove = (): Promise<void> =>
    this.#access('remove', () => {
      this.disk.record = undefined;
    });

  async #access<T>(operation: Operation, effect: () => T): Promise<T> {
    this.log.push(operation);
    await fail(this.before(operation));
    const result = effect();
    await fail(this.after(operation));
    return result;
  }
}

async function fail(failure: Trouble): Promise<void> {
  if (failure === 'hang') await new Promise<never>(() => undefined);
  if (failure instanceof Error) throw failure;
  await failure;
}

export const locked = new Error('The keychain is locked');
