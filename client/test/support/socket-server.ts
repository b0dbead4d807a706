import type { AddressInfo } from 'node:net';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { GraphqlClient } from '../../../test/support/client.js';

export interface SocketServer {
  url: string;
  /** What each connection brought as `authorization`, in order. */
  connections: (string | undefined)[];
  /** The codes that connections were closed with, from either end. */
  closed: number[];
  closeSockets(code: number, reason: string): void;
  close(): Promise<void>;
}

/** Streams who is connected. Lets in nobody whose access token Latchkey refuses, and whoever brings none. */
export async function startSocketServer(latchkey: GraphqlClient): Promise<SocketServer> {
  const connections: SocketServer['connections'] = [];
  const closed: SocketServer['closed'] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('close', (code) => closed.push(code)));
  const endless = new Promise<never>(() => undefined);

  useServer<{ authorization?: string }, { email?: string }>(
    {
      schema: buildSchema('type Query { unused: Int } type Subscription { me: String! }'),
      async onConnect({ connectionParams, extra }) {
        const authorization = connectionParams?.authorization;
        connections.push(authorization);
        if (authorization === undefined) return true;
        const { data } = await latchkey<{ viewer: { email: string } }>('{ viewer { email } }', {}, { authorization });
        if (data == null) return false;
        extra.email = data.viewer.email;
        return true;
      },
      context: ({ extra }) => ({ email: extra.email ?? 'nobody' }),
      roots: {
        subscription: {
          async *me(_args: unknown, { email }: { email: string }) {
            yield { me: email };
            await endless;
          },
        },
      },
    },
    server,
  );
  await new Promise((resolve) => server.once('listening', resolve));

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    closed,
    closeSockets(code, reason) {
      for (const socket of server.clients) socket.close(code, reason);
    },
    async close() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
