import { connect, createServer, type Socket } from 'node:net';

/** What happens to bytes on their way: they pass, or they are lost while the connection seems to stand. */
type Direction = 'pass' | 'swallow';

export interface FaultProxy {
  port: number;
  /** Loses all bytes of every connection, those that are made meanwhile too: nobody is told. */
  stall(): void;
  /** Loses what the server answers; what is asked still gets there. */
  loseReplies(): void;
  /** Delays every byte, each way. */
  delay(milliseconds: number): void;
  /** Lets new connections pass. Those that lost bytes stay dead for good: both ends still believe in them. */
  heal(): void;
  /** Ends every connection at once. */
  dropAll(): void;
  /** How often a text came by from the client since the proxy was made. */
  timesAsked(text: string): number;
  close(): Promise<void>;
}

/** Stands in front of a server on the loopback interface, and fails as networks do. `watched` are the texts that `timesAsked` counts. */
export async function startFaultProxy(target: { host: string; port: number }, watched: readonly string[] = []): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const asked = new Map(watched.map((text) => [text, 0]));
  let requests: Direction = 'pass';
  let replies: Direction = 'pass';
  let delayMs = 0;

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const count = (chunk: Buffer) => {
    const text = chunk.toString('latin1');
    for (const [wanted, times] of asked) asked.set(wanted, times + text.split(wanted).length - 1);
  };

  const server = createServer((near) => {
    track(near);
    const far = connect(target.port, target.host);
    track(far);
    // A stream that has lost a byte makes no sense any more.
    let isDead = false;
    const forward = (from: Socket, to: Socket, fate: () => Direction) => {
      from.on('data', (chunk: Buffer) => {
        if (from === near) count(chunk);
        if (fate() === 'swallow') isDead = true;
        if (isDead) return;
        if (delayMs === 0) to.write(chunk);
        else setTimeout(() => to.writable && to.write(chunk), delayMs);
      });
      from.on('close', () => {
        // Whoever waits for an answer that was lost is not told that nobody will give it.
        if (!isDead) to.destroy();
      });
    };
    forward(near, far, () => requests);
    forward(far, near, () => replies);
    // Of a client that is gone nothing is left behind, dead connection or not.
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy listens on no port');

  const dropAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    stall() {
      requests = replies = 'swallow';
    },
    loseReplies() {
      replies = 'swallow';
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    heal() {
      requests = replies = 'pass';
    },
    dropAll,
    timesAsked: (text) => asked.get(text) ?? 0,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      dropAll();
      await closed;
    },
  };
}
