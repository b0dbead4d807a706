import { describe, expect, it, vi, type Mock } from 'vitest';
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
function openSocket(on: ConnectionOptions['on'], isConnecting = false): { close: Mock } {
  const socket = { close: vi.fn() };
  if (!isConnecting) on.connecting(false);
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
    expect(socket.close).toHaveBeenCalledWith(4401, 'Not signed in as before');
  });

  it('does not connect as them for whoever subscribed before, while the socket opened', async () => {
    const { auth } = await startSignedIn();
    const { connectionParams, on } = createConnectionOptions(auth);
    on.connecting(false);
    await auth.logout();
    await auth.login({ identifier: 'bob', password: PASSWORD });
    const socket = openSocket(on, true);
    expect(await connectionParams()).toBeUndefined();
    expect(socket.close).toHaveBeenCalledWith(4401, 'Not signed in as before');
  });

  it('closes a socket of nobody', async () => {
    const { auth } = startProgram();
    const { connectionParams, on } = createConnectionOptions(auth);
    const socket = openSocket(on);
    expect(await connectionParams()).toBeUndefined();
    expect(socket.close).not.toHaveBeenCalled();
    await auth.login({ identifier: 'bob', password: PASSWORD });
    expect(socket.close).toHaveBeenCalledWith(4401, 'Not signed in as before');
  });
});
