import { Agent, request } from 'node:http';

import type { GraphqlError } from './client.js';

export interface FloodReply<T> {
  status: number;
  /** What the one root field answers. */
  answer: T | undefined;
  error: GraphqlError | undefined;
  /** The reason or the code of the error, or `ok`. */
  code: string;
}

export interface Flood {
  /** Sends one operation; waits for a free connection. Fails when there is no answer. */
  send<T>(url: string, document: string, variables: Record<string, unknown>, headers?: Record<string, string>): Promise<FloodReply<T>>;
  close(): void;
}

/** A client that costs little, for tests that send by the ten thousand: so many connections to each server at most, which are kept. */
export function createFlood(connections: number): Flood {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    send: <T>(url: string, query: string, variables: Record<string, unknown>, headers: Record<string, string> = {}) =>
      new Promise<FloodReply<T>>((resolve, reject) => {
        const body = JSON.stringify({ query, variables });
        const outgoing = request(`${url}/graphql`, {
          method: 'POST',
          agent,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
        });
        outgoing.once('error', reject);
        outgoing.once('response', (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.once('error', reject);
          response.once('end', () => {
            const { data, errors } = JSON.parse(text) as { data?: Record<string, T> | null; errors?: readonly GraphqlError[] };
            const [answer] = Object.values(data ?? {});
            const error = errors?.[0];
            const code = error === undefined ? 'ok' : (error.extensions.reason ?? error.extensions.code);
            resolve({ status: response.statusCode ?? 0, answer, error, code });
          });
        });
        outgoing.end(body);
      }),
    close() {
      agent.destroy();
    },
  };
}

/** How many there are of each. */
export function tally(codes: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(codes, (code) => code)].map(([code, all]) => [code, all.length]));
}
