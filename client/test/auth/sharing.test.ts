import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createExclusively, createQueue, webLock, type Lock } from '../../src/core/lock.js';
import { seconds, startProgram, startSignedIn, stored } from '../support/device.js';
import { FragileStorage, locked } from '../support/fragile-storage.js';
import { ModelServer, PASSWORD } from '../support/model-server.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A lock that several programs share, and what they do with it while they refresh. */
function sharedLock(): { lock: Lock; log: string[] } {
  const log: string[] = [];
  const queue = createQueue();
  const lock: Lock = (name, task) => {
    if (name.endsWith('.record')) return queue(name, task);
    log.push(`asks for ${name}`);
    return queue(name, async () => {
      log.push('begins');
      const result = await task();
      log.push('ends');
      return result;
    });
  };
  return { lock, log };
}

describe('two programs on one storage', () => {
  it('refresh one after the other, the second with what the first has stored', async () => {
    const { lock, log } = sharedLock();
    const first = await startSignedIn({ lock });
    const second = startProgram({ server: first.server, disk: first.storage.disk, lock });
    await second.auth.ready;
    log.length = 0;
    await Promise.all([first.auth.refresh(), second.auth.refresh()]);
    expect(log).toEqual(['asks for disk', 'asks for disk', 'begins', 'ends', 'begins', 'ends']);
    expect(first.server.callsOf('Refresh').map(({ input }) => input['refreshToken'])).toEqual([
      'refresh/session-1/1',
      'refresh/session-1/2',
    ]);
    expect(first.server.thefts).toBe(0);
  });

  it('are both right when they refresh at once without a lock: the server gives both the same successor', async () => {
    const first = await startSignedIn();
    first.server.hasGrace = true;
    const second = startProgram({ server: first.server, disk: first.storage.disk });
    const [a, b] = await Promise.all([first.auth.accessToken(), second.auth.accessToken()]);
    await Promise.all([first.auth.refresh(), second.auth.refresh()]);
    expect([a, b]).toEqual([expect.stringContaining('access/session-1'), expect.stringContaining('access/session-1')]);
    expect([first.auth.state.status, second.auth.state.status]).toEqual(['signed-in', 'signed-in']);
    expect(first.server.thefts).toBe(0);
    await first.auth.refresh();
    expect(first.auth.state.status).toBe('signed-in');
  });

  it('never write an older token over a newer one', async () => {
    const slow = await startSignedIn();
    const { server, storage } = slow;
    let release: () => void = () => undefined;
    const original = server.fetch;
    const held: typeof fetch = async (...given) => {
      const answer = await original(...given);
      await new Promise<void>((resolve) => (release = resolve));
      return answer;
    };
    const late = startProgram({ server, disk: storage.disk, fetch: held });
    const refreshed = late.auth.refresh();
    await seconds(0);
    // The same attempt of the same record, answered sooner; and then one more.
    await slow.auth.refresh();
    await slow.auth.refresh();
    expect(stored(storage.disk)?.session).toMatchObject({ refreshToken: 'refresh/session-1/3' });
    release();
    await seconds(0);
    release();
    await refreshed;
    expect(server.thefts).toBe(0);
    expect(stored(storage.disk)?.session).toMatchObject({ refreshToken: 'refresh/session-1/4' });
    expect(late.auth.state.status).toBe('signed-in');
  });

  it('do not end the session by a verdict on a token that the other has replaced', async () => {
    const { server, storage, auth } = await startSignedIn();
    const other = startProgram({ server, disk: storage.disk });
    server.fates(() => {
      // Signed in anew while the question was under way.
      storage.disk.record = storage.disk.record
        ?.replace('refresh/session-1/1', 'refresh/session-9/1')
        .replace('"id":"session-1"', '"id":"session-9"');
      server.sessions.set('session-9', { generation: 1, attemptId: undefined, isLive: true });
      return Response.json({ errors: [{ extensions: { code: 'INVALID_REFRESH_TOKEN' } }] });
    });
    await auth.refresh();
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-9' } });
    other.auth.close();
  });

  it('notice a logout of the other at the next refresh', async () => {
    const first = await startSignedIn();
    const second = startProgram({ server: first.server, disk: first.storage.disk });
    await second.auth.accessToken();
    await first.auth.logout();
    await second.auth.refresh();
    expect(second.auth.state).toEqual({ status: 'signed-out', reason: 'nobody' });
  });

  it('can log out while the other waits for the network with the lock in its hands', async () => {
    const { lock } = sharedLock();
    const first = await startSignedIn({ lock });
    const second = startProgram({ server: first.server, disk: first.storage.disk, lock });
    first.server.fates('hang');
    void first.auth.refresh();
    await seconds(0);
    expect(await second.auth.logout()).toMatchObject({ forgotten: true });
    expect(stored(first.storage.disk)?.session ?? null).toBeNull();
  });

  it('cannot undo a logout by writing what they had read before it: the server is told all the same', async () => {
    const first = await startSignedIn();
    const { disk } = first.storage;
    const second = startProgram({ server: first.server, disk });
    await second.auth.ready;
    const before = disk.record;
    first.storage.after = (operation) => {
      if (operation !== 'read') {
        disk.record = before;
        first.storage.after = () => undefined;
      }
      return undefined;
    };
    expect(await first.auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(first.server.callsOf('Logout')).toHaveLength(1);
    await second.auth.refresh();
    expect(second.auth.state).toEqual({ status: 'signed-out', reason: 'session-ended' });
  });

  /** Holds the n-th read from now on, with what it has read, until it is released. */
  function holdRead(storage: FragileStorage, nth: number): () => void {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let reads = 0;
    storage.after = (operation) => (operation === 'read' && (reads += 1) === nth ? released : undefined);
    return release;
  }

  it('cannot put back the token that the other replaces between their reading and their writing', async () => {
    const { lock } = sharedLock();
    const first = await startSignedIn({ lock });
    const { server, storage } = first;
    server.always('Logout', 'lose-request');
    await first.auth.login({ identifier: 'ada', password: PASSWORD });
    await seconds(0);
    server.heal();
    const second = startProgram({ server, disk: storage.disk, lock });
    // The first is that of the start, the second that before the logout which the server has confirmed is struck off.
    const release = holdRead(second.storage, 2);
    await seconds(0);
    expect(server.callsOf('Logout')).toHaveLength(1);
    const refreshed = first.auth.refresh();
    await seconds(0);
    release();
    await refreshed;
    expect(stored(storage.disk)).toMatchObject({ session: { refreshToken: 'refresh/session-3/2' }, revocations: [] });
    await first.auth.refresh();
    expect(server.thefts).toBe(0);
    expect(first.auth.state.status).toBe('signed-in');
  });

  it('cannot undo a logout of the other between their reading and their writing', async () => {
    const { lock } = sharedLock();
    const first = await startSignedIn({ lock });
    const second = startProgram({ server: first.server, disk: first.storage.disk, lock });
    await second.auth.ready;
    const release = holdRead(first.storage, 2);
    const refreshed = first.auth.refresh();
    await seconds(0);
    expect(first.server.callsOf('Refresh')).toHaveLength(1);
    const loggedOut = second.auth.logout();
    await seconds(0);
    release();
    await refreshed;
    expect(await loggedOut).toEqual({ forgotten: true, revoked: true });
    expect(first.storage.disk.record).toBeUndefined();
  });

  it('hear of each other where the storage can tell', async () => {
    const listeners: (() => void)[] = [];
    const disk = { record: undefined };
    const watched = Object.assign(new FragileStorage(disk), {
      watch: (listener: () => void) => {
        listeners.push(listener);
        return () => void listeners.splice(listeners.indexOf(listener), 1);
      },
    });
    const tell = async () => {
      for (const listener of listeners) listener();
      await seconds(0);
    };
    const server = new ModelServer();
    const here = startProgram({ server, storage: watched });
    const there = await startSignedIn({ server, disk });
    await tell();
    expect(here.auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-1' } });
    expect(await here.auth.accessToken()).toMatch(/^access\/session-1/);

    await there.auth.refresh();
    here.statuses.length = 0;
    await tell();
    expect(here.statuses).toEqual([]);

    await there.auth.login({ identifier: 'ada', password: PASSWORD });
    await tell();
    expect(here.auth.state).toMatchObject({ status: 'signed-in', session: { id: expect.not.stringMatching(/^session-1$/) as string } });
    expect(await here.auth.accessToken()).not.toMatch(/^access\/session-1\//);

    await there.auth.logout();
    await tell();
    expect(here.auth.state).toEqual({ status: 'signed-out', reason: 'nobody' });
    here.auth.close();
    expect(listeners).toEqual([]);
  });

  it('when another has signed in during a refresh, get no token of theirs before they ask again', async () => {
    const listeners: (() => void)[] = [];
    const { server, storage } = await startSignedIn();
    const watched = Object.assign(new FragileStorage(storage.disk), {
      watch: (listener: () => void) => (listeners.push(listener), () => undefined),
    });
    const here = startProgram({ server, storage: watched });
    await here.auth.ready;
    server.fates('hang');
    const asked = here.auth.accessToken();
    await seconds(0);
    const there = startProgram({ server, disk: storage.disk });
    await there.auth.login({ identifier: 'ada', password: PASSWORD });
    listeners[0]?.();
    await seconds(0);
    server.heal();
    expect(await asked).toBeUndefined();
    expect(await here.auth.accessToken()).toMatch(/^access\/session-3\//);
  });

  it('do not take what the other has signed in for what was asked for while nobody was', async () => {
    const here = startProgram();
    await here.auth.ready;
    await startSignedIn({ server: here.server, disk: here.storage.disk });
    expect(await here.auth.accessToken()).toBeUndefined();
    expect(here.auth.state).toMatchObject({ status: 'signed-in', session: { id: 'session-1' } });
    expect(await here.auth.accessToken()).toMatch(/^access\/session-1\//);
  });
});

describe('who asks while the storage cannot be read', () => {
  async function startLocked() {
    const { server, storage } = await startSignedIn();
    const program = startProgram({ server, disk: storage.disk });
    program.storage.before = () => locked;
    await program.auth.ready;
    await program.auth.refresh();
    program.storage.before = () => undefined;
    await seconds(0);
    return program;
  }

  it('gets the token of the session that turns out to be there', async () => {
    const { auth } = await startLocked();
    const refreshed = auth.refresh();
    expect(await auth.accessToken()).toMatch(/^access\/session-1\//);
    await refreshed;
  });

  it('gets none of somebody who signs in before it can', async () => {
    const { auth, server } = await startLocked();
    server.always('Refresh', 'hang');
    void auth.refresh();
    const asked = auth.accessToken();
    await seconds(0);
    await auth.login({ identifier: 'ada', password: PASSWORD });
    expect(await asked).toBeUndefined();
  });
});

describe('the lock', () => {
  const run = <T>(lock: Lock, task: () => Promise<T>, signal?: AbortSignal) => createExclusively(lock)('n', 30_000, task, signal);

  it('that cannot be had does not stop anybody', async () => {
    expect(
      await run(
        () => Promise.reject(new Error('not allowed here')),
        () => Promise.resolve(1),
      ),
    ).toBe(1);
    expect(
      await run(
        () => {
          throw new Error('not allowed here');
        },
        () => Promise.resolve(2),
      ),
    ).toBe(2);
  });

  it('that somebody never gives back is waited for so long, and no longer', async () => {
    const task = vi.fn(() => Promise.resolve('done'));
    const done = run(() => new Promise(() => undefined), task);
    await seconds(29.9);
    expect(task).not.toHaveBeenCalled();
    await seconds(0.1);
    expect(await done).toBe('done');
  });

  it('that ignores names costs a second each time that the record is written during a refresh, and stops nobody', async () => {
    const queue = createQueue();
    const { auth } = await startSignedIn({ lock: (_name, task) => queue('', task) });
    void auth.refresh();
    await seconds(2);
    expect(auth.state.status).toBe('signed-in');
  });

  it('that comes too late does not run the task twice', async () => {
    const task = vi.fn(() => Promise.resolve('done'));
    let grant: () => unknown = () => undefined;
    const done = run((_name, granted) => new Promise((resolve) => (grant = () => void granted().then(resolve))), task);
    await seconds(30);
    await done;
    grant();
    await seconds(0);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it('is not waited for by what is not wanted any more', async () => {
    const gone = new AbortController();
    const done = run(
      () => new Promise(() => undefined),
      () => Promise.resolve('done'),
      gone.signal,
    );
    await seconds(1);
    gone.abort();
    expect(await done).toBe('done');
  });

  it('passes on what the task throws, and goes on to the next', async () => {
    const queue = createQueue();
    await expect(run(queue, () => Promise.reject(new Error('the task failed')))).rejects.toThrow('the task failed');
    expect(await run(queue, () => Promise.resolve('next'))).toBe('next');
  });

  it('is the one of the browser where there is one: across all tabs, by the name of the storage', async () => {
    vi.useRealTimers();
    const lock = webLock();
    const order: string[] = [];
    const task = (name: string) => async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
      return name;
    };
    expect(await Promise.all([lock?.('a', task('first')), lock?.('a', task('second'))])).toEqual(['first', 'second']);
    expect(order).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  it('is none where there is none', () => {
    vi.stubGlobal('navigator', {});
    expect(webLock()).toBeUndefined();
    vi.stubGlobal('navigator', undefined);
    expect(webLock()).toBeUndefined();
    vi.unstubAllGlobals();
  });
});
