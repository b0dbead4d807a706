import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';

import { openDatabase } from '../../../src/persistence/database.js';
import { testConfig } from '../../support/config.js';
import { recordingLog } from '../../support/log.js';

/** Asks for TLS before anything else is said (PostgreSQL's protocol, section 54.2.10: SSLRequest). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
/** A record of the TLS handshake: the ClientHello. */
const HANDSHAKE = 0x16;

/** What a client of this URL says to a server that answers its first message so, and then hangs up. */
async function saidTo(answer: string, parameters: string): Promise<Buffer> {
  const said: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      said.push(bytes);
      if (said.length === 1) socket.write(answer);
      else socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `postgres://somebody:canary@127.0.0.1:${port}/somewhere${parameters}`;
  const database = await openDatabase(testConfig({ DATABASE_URL: url, LATCHKEY_DATABASE_TIMEOUT_MS: '2000' }), recordingLog().log);
  await expect(database.query('SELECT 1')).rejects.toThrow();
  await database.close();
  await new Promise((resolve) => server.close(resolve));
  return Buffer.concat(said);
}

describe('a DATABASE_URL', () => {
  it.each(['verify-full', 'no-verify'])('with sslmode=%s is not spoken to in clear', async (mode) => {
    expect(await saidTo('N', `?sslmode=${mode}`)).toEqual(SSL_REQUEST);
    const encrypted = await saidTo('S', `?sslmode=${mode}`);
    expect(encrypted.subarray(0, 8)).toEqual(SSL_REQUEST);
    expect(encrypted[8]).toBe(HANDSHAKE);
  });

  it('without sslmode is spoken to in clear, as pg does', async () => {
    expect((await saidTo('R', '')).subarray(8).toString()).toContain('somebody');
  });

  it('has its other parameters reach PostgreSQL, and keeps the limits on time', async () => {
    // Names and values by turns, each ended by a zero byte.
    const startup = (await saidTo('R', '?options=-c%20search_path%3Dours')).toString().split('\0');
    const valueOf = (name: string) => startup[startup.indexOf(name) + 1];
    expect(['options', 'application_name', 'statement_timeout'].map(valueOf)).toEqual(['-c search_path=ours', 'latchkey', '2000']);
  });
});
