import { describe, expect, it, vi, type Mock } from 'vitest';
import type { Lock } from '../../src/core/lock.js';
import { createConnectionOptions, type ConnectionOptions } from '../../src/integrations/graphql-ws.js';
import { ENDPOINT, startProgram, startSignedIn, type Program } from '../support/device.js';
import { libraries } from '../support/libraries.js';
import { ModelServer, PASSWORD, refusal } from '../support/model-server.js';

const MUTATION = 'mutation Note { note }';

/** Somebody whose access token is over by the time that it is asked for again. */
async function startExpired(): Promise<Program> {
  const server = new ModelServer();
  server.accessTokenLifetimeSeconds = 0;
  return startSignedIn({ server });
}

/** Signs somebody else in as soon as a refresh waits for its answer. */
async function signInDuringRefresh({ auth, server }: Program): Promise<void> {
  await expect.poll(() => auth.state.status).toBe('refreshing');
  server.accessTokenLifetimeSeconds = 900;
  await auth.login({ identifier: 'bob', password: PASSWORD });
}

describe.each(libraries)('%s, when somebody else signs in', (_library, connect) => {
  const send = ({ auth, server }: Program) => connect({ auth, endpoint: ENDPOINT, fetch: server.fetch })(MUTATION);

  it('does not send as them what waits for a refresh', async () => {
    const program = await startExpired();
    program.server.always('Refresh', 'hang');
    const sent = send(program);
    await signInDuringRefresh(program);
    expect((await sent).errors?.[0]?.extensions).toMatchObject({ reason: 'TOKEN_MISSING' });
    expect(program.server.callsOf('Note').map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('does not repeat as them what was refused before', async () => {
    const program = await startSignedIn();
    const { auth, server } = program;
    const first = await auth.accessToken();
    server.fates(() => refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' }));
    server.always('Refresh', 'hang');
    const sent = send(program);
    await signInDuringRefresh(program);
    expect((await sent).errors?.[0]?.extensions).toMatchObject({ reason: 'TOKEN_EXPIRED' });
    expect(server.callsOf('Note').map(({ authorization }) => authorization)).toEqual([`Bearer ${first}`]);
  });
});

/** Tells of a socket as graphql-ws does. */
function openSocket(on: ConnectionOptions['on']): { close: Mock } {
  const socket = { close: vi.fn() };
  on.connecting(false);
  on.opened(socket);
  return socket;
}

describe('graphql-ws, when somebody else signs in', () => {
  it('does not connect as them for whoever waits for a refresh', async () => {
    const program = await startExpired();
    program.server.always('Refresh', 'hang');
    const { connectionParams, on } = createConnectionOptions(program.auth);
    const socket = openSocket(on);
    const connecting = connectionParams();
    await signInDuringRefresh(program);
    expect(await connecting).toBeUndefined();
    expect(socket.close).toHaveBeenCalledWith(4401, 'Signed out');
  });

  it('closes no socket of nobody when somebody who signed in while it connected has left again', async () => {
    // Whoever asks for a token before the sign-in waits until it.
    const lock: Lock = (name, task) => (name.endsWith('.record') ? task() : new Promise<never>(() => undefined));
    const { auth } = startProgram({ lock });
    await auth.ready;
    const { connectionParams, on } = createConnectionOptions(auth);
    const socket = openSocket(on);
    const connecting = connectionParams();
    await auth.login({ identifier: 'bob', password: PASSWORD });
    expect(await connecting).toBeUndefined();
    await auth.logout();
    expect(socket.close).not.toHaveBeenCalled();
  });
});
