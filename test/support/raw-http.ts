import { connect } from 'node:net';

const PATIENCE_MS = 5000;

export interface RawReply {
  /** Every byte that came back, as Latin-1. */
  text: string;
  /** How many responses that is. */
  responses: number;
  /** The status of the first; 0 when there is none. */
  status: number;
  /** Whether the server ended the connection, not our patience. */
  closed: boolean;
}

/** Sends bytes that no HTTP client would send, and waits for the server to end the connection. */
export function sendRaw(url: string, request: string): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    let closed = true;
    const socket = connect(Number(port), hostname, () => {
      socket.write(Buffer.from(request, 'latin1'));
    });
    socket.setEncoding('latin1');
    socket.setTimeout(PATIENCE_MS, () => {
      closed = false;
      socket.destroy();
    });
    socket.on('data', (chunk) => (text += String(chunk)));
    // The server may cut the connection while we write: what it said before is what counts.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map((match) => Number(match[1]));
      resolve({ text, responses: statuses.length, status: statuses[0] ?? 0, closed });
    });
  });
}
