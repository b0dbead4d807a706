import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { seconds, startProgram, startSignedIn, stored, type Program } from '../support/device.js';
import { locked } from '../support/fragile-storage.js';
import { ModelServer, PASSWORD } from '../support/model-server.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

type Failure = 'hang' | Error;

/** Lets the n-th access to the storage, counted from now, fail. */
function breakStorage({ storage }: Program, when: 'before' | 'after', nth: number, failure: Failure): void {
  let accesses = 0;
  storage[when] = () => ((accesses += 1) === nth ? failure : undefined);
}

const death = (nth: number, when: 'before' | 'after') => (program: Program) => {
  breakStorage(program, when, nth, 'hang');
};

/** Each step of a refresh, and the program that ends right there. */
const steps: [string, (program: Program) => void][] = [
  ['before it has read the record', death(1, 'before')],
  ['after it has read the record', death(1, 'after')],
  ['before the attempt is stored', death(2, 'before')],
  ['after the attempt is stored', death(2, 'after')],
  ['before the call leaves', ({ server }) => server.fates('hang')],
  ['after the server has rotated, before the answer arrives', ({ server }) => server.fates('lose-reply', 'hang')],
  ['before it has read the record again', death(3, 'before')],
  ['after it has read the record again', death(3, 'after')],
  ['before the new token is stored', death(4, 'before')],
  ['after the new token is stored', death(4, 'after')],
];

describe.each(steps)('a program that ends in the middle of a refresh, %s,', (_step, kill) => {
  async function crash(): Promise<Program> {
    const program = await startSignedIn();
    kill(program);
    void program.auth.refresh();
    await seconds(0);
    return program;
  }

  it('goes on where it was when it is started again, on a server that knows no mercy', async () => {
    const { server, storage } = await crash();
    const again = startProgram({ server, disk: storage.disk });
    expect(await again.auth.accessToken()).toMatch(/^access\/session-1\//);
    expect(again.auth.state.status).toBe('signed-in');
    expect(server.thefts).toBe(0);
    await again.auth.refresh();
    expect(server.liveSessions).toEqual(['session-1']);
  });

  it('has never used an access token whose refresh token was not stored', async () => {
    const { server, storage, auth } = await crash();
    const rotated = server.sessions.get('session-1')!.generation > 1;
    const isStored = stored(storage.disk)?.session?.['refreshToken'] === 'refresh/session-1/2';
    if (rotated && !isStored) expect(auth.state.status).toBe('refreshing');
  });

  it('goes on even when it ends there a second and a third time', async () => {
    const { server, storage } = await crash();
    for (let time = 2; time <= 3; time += 1) {
      const doomed = startProgram({ server, disk: storage.disk });
      await doomed.auth.ready;
      kill(doomed);
      void doomed.auth.refresh();
      await seconds(0);
      server.heal();
    }
    const again = startProgram({ server, disk: storage.disk });
    expect(await again.auth.accessToken()).toMatch(/^access\/session-1\//);
    expect(server.thefts).toBe(0);
  });

  it('can still log out when it is started again', async () => {
    const { server, storage } = await crash();
    const again = startProgram({ server, disk: storage.disk });
    expect(await again.auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(server.liveSessions).toEqual([]);
    expect(storage.disk.record).toBeUndefined();
  });
});

describe.each(['before', 'after'] as const)('a storage that fails once %s it took effect', (when) => {
  it.each([1, 2, 3, 4])('does not harm a refresh: access %i', async (nth) => {
    const program = await startSignedIn();
    const { auth, server } = program;
    breakStorage(program, when, nth, locked);
    await auth.refresh();
    expect(auth.state).toMatchObject({ status: 'offline', reason: 'storage' });
    await seconds(1);
    expect(auth.state.status).toBe('signed-in');
    expect(await auth.accessToken()).toMatch(/^access\/session-1\//);
    await auth.refresh();
    expect(server.thefts).toBe(0);
    expect(server.liveSessions).toEqual(['session-1']);
  });

  it.each([1, 2, 3, 4, 5])('does not harm a logout: access %i', async (nth) => {
    const program = await startSignedIn();
    const { auth, server, storage } = program;
    breakStorage(program, when, nth, locked);
    await auth.logout();
    expect(auth.state.status).toBe('signed-out');
    await seconds(5);
    expect(await auth.accessToken()).toBeUndefined();
    expect(server.liveSessions).toEqual([]);
    expect(storage.disk.record).toBeUndefined();
  });
});

describe('a program that ends in the middle of a login', () => {
  it.each([
    ['before the answer arrives', ({ server }: Program) => server.fates('lose-reply')],
    ['before the session is stored', death(3, 'before')],
  ])('%s, is signed out when it is started again', async (_step, kill) => {
    const program = startProgram();
    await program.auth.ready;
    kill(program);
    void program.auth.login({ identifier: 'ada', password: PASSWORD });
    await seconds(0);
    const again = startProgram({ server: program.server, disk: program.storage.disk });
    expect(await again.auth.accessToken()).toBeUndefined();
    expect(again.auth.state).toEqual({ status: 'signed-out', reason: 'nobody' });
  });

  it('after the session is stored, is signed in when it is started again', async () => {
    const program = startProgram();
    await program.auth.ready;
    death(3, 'after')(program);
    void program.auth.login({ identifier: 'ada', password: PASSWORD });
    await seconds(0);
    const again = startProgram({ server: program.server, disk: program.storage.disk });
    expect(await again.auth.accessToken()).toMatch(/^access\/session-1\//);
  });

  it('over another session, revokes that one when it is started again', async () => {
    const first = await startSignedIn();
    death(3, 'after')(first);
    void first.auth.login({ identifier: 'ada', password: PASSWORD });
    await seconds(0);
    const again = startProgram({ server: first.server, disk: first.storage.disk });
    expect(await again.auth.accessToken()).toMatch(/^access\/session-3\//);
    await seconds(0);
    expect(first.server.liveSessions).toEqual(['session-3']);
  });
});

describe('a program that ends in the middle of a logout', () => {
  it.each([
    ['before it is stored', death(2, 'before'), 'session-1'],
    ['after it is stored', death(2, 'after'), undefined],
    ['before the server hears of it', ({ server }: Program) => server.fates('hang'), undefined],
    ['before the confirmation arrives', ({ server }: Program) => server.fates('lose-reply'), undefined],
    ['before the confirmation is stored', death(5, 'before'), undefined],
  ])('%s, knows that when it is started again', async (_step, kill, left) => {
    const program = await startSignedIn();
    kill(program);
    void program.auth.logout();
    await seconds(0);
    program.auth.close();
    const again = startProgram({ server: program.server, disk: program.storage.disk });
    expect(await again.auth.accessToken()).toEqual(left === undefined ? undefined : expect.stringContaining(left));
    await seconds(0);
    expect(program.server.liveSessions).toEqual(left === undefined ? [] : [left]);
  });
});

describe('a record', () => {
  const session = {
    id: 's',
    user: { id: 'u', email: 'a@example.com', roles: [] },
    scopes: [],
    expiresAt: 1,
    refreshToken: 'refresh/s/1',
  };
  const record = { version: 1, session, revocations: [] };

  it.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', 'refresh/session-1/1'],
    ['cut off', JSON.stringify(record).slice(0, -5)],
    ['null', 'null'],
    ['a list', '[]'],
    ['of no version', JSON.stringify({ ...record, version: undefined })],
    ['of a later version', JSON.stringify({ ...record, version: 2 })],
    ['without revocations', JSON.stringify({ ...record, revocations: undefined })],
    ['with a revocation of nothing', JSON.stringify({ ...record, revocations: [{}] })],
    ['with a revocation of what there is none', JSON.stringify({ ...record, revocations: [{ refreshToken: 'r', sessions: 'SOME' }] })],
    ['without a session, not even null', JSON.stringify({ ...record, session: undefined })],
    ['with a session that is a text', JSON.stringify({ ...record, session: 'refresh/s/1' })],
    ...Object.keys(session).map((key): [string, string] => [
      `with a session without ${key}`,
      JSON.stringify({ ...record, session: { ...session, [key]: undefined } }),
    ]),
    ...Object.keys(session).map((key): [string, string] => [
      `with a session whose ${key} has another type`,
      JSON.stringify({ ...record, session: { ...session, [key]: true } }),
    ]),
    ['with an empty refresh token', JSON.stringify({ ...record, session: { ...session, refreshToken: '' } })],
    ['with an attempt that is a number', JSON.stringify({ ...record, session: { ...session, attemptId: 1 } })],
    ['with a user without roles', JSON.stringify({ ...record, session: { ...session, user: { id: 'u', email: 'e' } } })],
  ])('that is not ours (%s) signs nobody in, breaks nothing, and stays until someone signs in', async (_what, text) => {
    const { auth, server, storage } = startProgram({ disk: { record: text } });
    expect(await auth.accessToken()).toBeUndefined();
    expect(auth.state).toEqual({ status: 'signed-out', reason: 'unreadable-record' });
    expect(server.calls).toEqual([]);
    expect(storage.disk.record).toBe(text);
    expect(await auth.login({ identifier: 'ada', password: PASSWORD })).toMatchObject({ ok: true });
    expect(stored(storage.disk)?.session).toMatchObject({ id: 'session-1' });
  });

  it('that is not ours goes when someone logs out', async () => {
    const { auth, storage } = startProgram({ disk: { record: 'not ours' } });
    expect(await auth.logout()).toEqual({ forgotten: true, revoked: true });
    expect(storage.disk.record).toBeUndefined();
  });

  it('of ours is read', async () => {
    const { auth } = startProgram({ server: new ModelServer(), disk: { record: JSON.stringify(record) } });
    await auth.ready;
    expect(auth.state).toMatchObject({ status: 'signed-in', session: { id: 's' } });
  });
});
