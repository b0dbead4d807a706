import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { createCalls, newPerson, type Tokens } from '../support/calls.js';
import { bearer, createClient } from '../support/client.js';
import { build, startProcess, type ServerProcess } from '../support/process.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';

const CONNECTIONS = 1000;
const DRIP_MS = 1000;
/** Half a minute, the interval of looking for them, and as much again for a busy machine. */
const CUT_OFF_WITHIN_MS = 60_000;
const HEAD = 'POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

/** What a slow client sends first, and then bit by bit, for ever. */
const kinds: readonly { first: string; drip: string }[] = [
  { first: '', drip: '' },
  { first: HEAD, drip: 'x-slow: loris\r\n' },
  { first: `${HEAD}content-length: 60000\r\n\r\n`, drip: ' ' },
];

describeOnPostgres('R17: a thousand slow clients', () => {
  let testDatabase: TestDatabase;
  let server: ServerProcess;
  let url: string;

  beforeAll(async () => {
    await build();
    testDatabase = await createTestDatabase();
    server = startProcess({
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: '0',
      DATABASE_URL: testDatabase.url!,
      LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
    });
    url = (await server.wrote(/"url":"([^"]+)"/))[1]!;
  });

  afterAll(async () => {
    server.kill('SIGTERM');
    await server.ended;
    await testDatabase.drop();
  });

  it('keep nobody waiting, and are cut off half a minute later', { timeout: 120_000 }, async () => {
    const call = createCalls(createClient(url));
    const { user, accessToken } = await call.answer<Tokens>('register', { input: newPerson() });
    const openedAt = performance.now();
    const slow = await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => openSlowly(url, kinds[i % kinds.length]!)));
    expect(slow.filter(({ isClosed }) => isClosed)).toEqual([]);
    for (let asked = 0; asked < 200; asked += 1) {
      expect(await call.answer('viewer', {}, bearer(accessToken))).toMatchObject({ id: user.id });
    }
    // All of it while every one of them was there.
    expect(slow.filter(({ isClosed }) => isClosed)).toEqual([]);
    await Promise.all(slow.map(({ closed }) => closed));
    expect(performance.now() - openedAt).toBeLessThan(CUT_OFF_WITHIN_MS);
    expect(await call.answer('viewer', {}, bearer(accessToken))).toMatchObject({ id: user.id });
  });
});

async function openSlowly(url: string, { first, drip }: { first: string; drip: string }) {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  // The server may cut it off while we write.
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  if (first !== '') socket.write(first);
  const timer = drip === '' ? undefined : setInterval(() => socket.write(drip), DRIP_MS);
  const { promise: closed, resolve } = Promise.withResolvers<undefined>();
  const state = { isClosed: false, closed };
  socket.once('close', () => {
    state.isClosed = true;
    clearInterval(timer);
    resolve(undefined);
  });
  return state;
}
