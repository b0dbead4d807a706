import { describe, expect, it, vi } from 'vitest';
import { createConnectionOptions } from '../../src/integrations/graphql-ws.js';
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
  await vi.waitFor(() => expect(auth.state.status).toBe('refreshing'));
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

describe('graphql-ws, when somebody else signs in', () => {
  it('does not connect as them for whoever waits for a refresh', async () => {
    const program = await startExpired();
    program.server.always('Refresh', 'hang');
    const connecting = createConnectionOptions(program.auth).connectionParams();
    const refused = expect(connecting).rejects.toThrow('is over');
    await signInDuringRefresh(program);
    await refused;
  });

  it('closes no socket of nobody when somebody who signed in while it connected has left again', async () => {
    const program = startProgram();
    const { auth, storage } = program;
    await auth.ready;
    const { connectionParams, on } = createConnectionOptions(auth);
    on.connecting(false);
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    storage.before = () => released;
    const connecting = connectionParams();
    const signedIn = auth.login({ identifier: 'bob', password: PASSWORD });
    release();
    expect(await connecting).toBeUndefined();
    await signedIn;
    const socket = { close: vi.fn() };
    on.opened(socket);
    await auth.logout();
    expect(socket.close).not.toHaveBeenCalled();
  });
});
