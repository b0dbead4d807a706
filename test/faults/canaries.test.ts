import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Tokens } from '../support/calls.js';
import { bearer, createClient, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build, startProcess, type ServerProcess } from '../support/process.js';
import { ageSession } from '../support/session-rows.js';

const SERVER_SECRET = 'canary-server-secret-0123456789abcdef';

/** Every statement with its parameters, and every error with all that PostgreSQL knows of it, as someone in search of a slow query sets it. */
const talkative = [
  'logging_collector=on',
  'log_min_duration_statement=0',
  'log_statement=all',
  'log_parameter_max_length=-1',
  'log_parameter_max_length_on_error=-1',
  'log_error_verbosity=verbose',
];

/** Ends the process by an error that nobody catches, while it has all of this in its memory. */
const CRASH = `process.prependListener('SIGTERM',()=>{throw new Error('crashed for the test')})`;
const CRASHING = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CRASH)} --trace-uncaught` };

describeOnPostgres('what others write of a server', () => {
  let cluster: PostgresCluster;
  let server: ServerProcess;
  let url: string;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster(talkative);
    server = startProcess({
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      DATABASE_URL: cluster.url,
      LATCHKEY_SECRETS: SERVER_SECRET,
      LATCHKEY_LOG_LEVEL: 'trace',
      LATCHKEY_GRAPHIQL: 'false',
      LATCHKEY_ARGON2_MEMORY_KIB: '7168',
      LATCHKEY_ARGON2_ITERATIONS: '1',
      ...CRASHING,
    });
    url = (await server.wrote(/"url":"(http[^"]+)"/))[1]!;
  });

  afterAll(async () => {
    server.kill('SIGKILL');
    await server.ended;
    await cluster.remove();
  });

  it('A17: no password, token or server secret is in the log of PostgreSQL, slow queries and errors too, nor in what a crash leaves behind', async () => {
    const graphql = createClient(url);
    const canaries: string[] = [SERVER_SECRET];
    const canary = (what: string) => {
      const text = `${what} canary ${randomUUID()}`;
      canaries.push(text);
      return text;
    };
    const send = async (name: string, input: Record<string, unknown>, headers: Record<string, string> = {}) => {
      const { data } = await graphql<Record<string, Tokens>>(operation(name), { input }, headers);
      const tokens = Object.values(data ?? {})[0];
      if (tokens?.refreshToken !== undefined) canaries.push(...partsOf(tokens));
      return tokens;
    };

    const [email, password] = ['canary@example.com', canary('password')];
    const first = (await send('register', { email, password }))!;
    await send('register', { email, password: canary('password of another') });
    await send('login', { identifier: email, password: canary('wrong password') });
    await send('login', { identifier: 'nobody@example.com', password: canary('password of nobody') });
    const second = (await send('login', { identifier: email, password }))!;
    const third = (await send('refresh', { refreshToken: second.refreshToken, attemptId: canary('attempt') }))!;
    await send('viewer', {}, bearer(third.accessToken));
    await send('viewer', {}, bearer(`${third.accessToken.slice(0, -4)}AAAA`));
    await ageSession(cluster, second.session.id, 60);
    await send('refresh', { refreshToken: third.refreshToken });
    await send('refresh', { refreshToken: second.refreshToken });
    await send('refresh', { refreshToken: canary('refresh token') });
    const change = { currentPassword: password, newPassword: canary('new password') };
    await send('change-password', change, bearer(first.accessToken));
    await send('logout', { refreshToken: first.refreshToken });
    // Statements that fail on their parameters: the one by a constraint, the other by a lock that is not to be had.
    await cluster.query('ALTER TABLE credential ADD CONSTRAINT no_more CHECK (false) NOT VALID');
    await send('register', { email: 'another@example.com', password: canary('password of a fault') });
    await cluster.query('ALTER TABLE credential DROP CONSTRAINT no_more');

    server.kill('SIGTERM');
    expect(await server.ended).not.toBe(0);
    const [log] = await cluster.query<{ text: string }>('SELECT pg_read_file(pg_current_logfile()) AS text');
    const places = { postgres: log!.text, server: server.output };
    printFigures('A17', {
      canaries: canaries.length,
      'characters by PostgreSQL': places.postgres.length,
      'characters by the server': places.server.length,
    });
    // Each has said what it could: statements with their parameters, the error, and the crash.
    expect(places.postgres).toContain(email);
    expect(places.postgres).toMatch(/UPDATE session s\s+SET generation/);
    expect(places.postgres).toMatch(/parameters: \$1 = '/i);
    expect(places.postgres).toContain('violates check constraint "no_more"');
    expect(places.server).toContain('a request failed');
    expect(places.server).toContain('crashed for the test');
    for (const [place, text] of Object.entries(places)) {
      const found = canaries.filter((secret) => formsOf(secret).some((form) => text.includes(form)));
      expect(found, place).toEqual([]);
    }
  });
});

/** What of a pair of tokens is good for anything: the refresh token, its secret, and the signature. */
function partsOf({ accessToken, refreshToken }: Tokens): string[] {
  const bytes = Buffer.from(refreshToken.slice('lkr1_'.length), 'base64url');
  const secret = bytes.subarray(22, 54);
  return [accessToken, accessToken.split('.')[2]!, refreshToken, secret.toString('hex'), secret.toString('base64url')];
}

/** As it is, and as bytes are written elsewhere. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex')];
}
