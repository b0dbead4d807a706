import { spawn } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer } from '../support/client.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { installExample, type InstalledExample } from '../support/installed-example.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

let example: InstalledExample;
let testDatabase: TestDatabase;
let database: Database;
let server: TestServer;
let call: Calls;
let email: string;
/** A device of its own for each test. */
let home: string;
let homes = 0;

beforeAll(async () => {
  example = await installExample('node-cli');
  testDatabase = await createTestDatabase();
  // However slow the machine, what asks at once asks within the grace.
  const variables = { ...testDatabase.variables, LATCHKEY_REFRESH_GRACE_SECONDS: '60' };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  server = await startTestServer({ variables, overrides: { database } });
  call = createCalls(server.graphql);
});

afterAll(async () => {
  await server.close();
  await testDatabase.drop();
  await example.remove();
});

beforeEach(async () => {
  home = join(example.folder, `home-${(homes += 1)}`);
  const person = newPerson();
  ({ email } = person);
  await call.answer('register', { input: person });
});

interface Run {
  stdout: string;
  stderr: string;
  exitCode: number | null;
}

interface RunOptions {
  stdin?: string;
  url?: string;
}

/** Runs the program as a shell would, in a process of its own. */
async function cli(args: string, { stdin = '', url = server.url }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, ['main.ts', '--endpoint', `${url}/graphql`, ...args.split(' ')], {
    cwd: example.folder,
    env: { XDG_CONFIG_HOME: home, HOME: home, APPDATA: home },
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { stdout, stderr, exitCode };
}

const succeeds = (stdout: string | RegExp) => ({ stdout: expect.stringMatching(stdout) as string, stderr: '', exitCode: 0 });
const fails = (stderr: RegExp, exitCode = 1) => ({ stdout: '', stderr: expect.stringMatching(stderr) as string, exitCode });

const logIn = (options?: RunOptions) => cli(`login ${email}`, { stdin: `${PASSWORD}\n`, ...options });

async function sessionFile(): Promise<string> {
  const names = await readdir(home, { recursive: true });
  return join(
    home,
    names.find((name) => name.includes('127.0.0.1'))!,
  );
}

describe('the command-line example', () => {
  it('signs in with the password on standard input, and is signed in in the next process', async () => {
    expect(await logIn()).toEqual(succeeds(`^Signed in as ${email}\\.\n$`));
    expect(await cli('whoami')).toEqual(succeeds(`^${email}, roles: user\n$`));
    expect(await cli('sessions')).toEqual(succeeds(/^\* \S+Z {2}\w+ +latchkey-example\n {2}\S+Z {2}OTHER {4}-\n$/));
  });

  it('keeps the session in one file, for its owner only, and no password in it', async () => {
    await logIn();
    const path = await sessionFile();
    const content = await readFile(path, 'utf8');
    expect(content).toContain('lkr1_');
    expect(content).not.toContain(PASSWORD);
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('answers in five processes at once with one rotation of the refresh token, and no reuse', async () => {
    await logIn();
    const answers = await Promise.all(Array.from({ length: 5 }, () => cli('whoami')));
    expect(answers).toEqual(Array(5).fill(succeeds(`^${email}, `)));
    const { id } = (JSON.parse(await readFile(await sessionFile(), 'utf8')) as { session: { id: string } }).session;
    expect(await database.query('SELECT generation, revoked_at FROM session WHERE id = $1', [id])).toEqual([
      { generation: 2, revoked_at: null },
    ]);
    expect(await database.query(`SELECT 1 FROM audit_event WHERE type = 'REFRESH_TOKEN_REUSED'`)).toEqual([]);
  });

  it('signs out here, at the server too, and says afterwards what to do', async () => {
    await logIn();
    const { accessToken } = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    const sessionsOpen = async () => (await call.answer<{ sessions: unknown[] }>('viewer', {}, bearer(accessToken))).sessions.length;
    const before = await sessionsOpen();
    expect(await cli('logout')).toEqual(succeeds(/^Signed out\.\n$/));
    expect(await sessionsOpen()).toBe(before - 1);
    expect(await cli('whoami')).toEqual(fails(/^You are not signed in\. Sign in first: login /));
    expect(await cli('logout')).toEqual(succeeds(/^Signed out\.\n$/));
  });

  it('signs out everywhere', async () => {
    await logIn();
    const elsewhere = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    expect(await cli('logout --everywhere')).toEqual(succeeds(/^Signed out\.\n$/));
    expect((await call.fault('viewer', {}, bearer(elsewhere.accessToken))).extensions.code).toBe('UNAUTHENTICATED');
  });

  it('says that the session has ended when another device has ended it', async () => {
    await logIn();
    const { accessToken } = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    await call.answer('logout', { input: { sessions: 'OTHER_SESSIONS' } }, bearer(accessToken));
    expect(await cli('whoami')).toEqual(fails(/^Your session has ended\. Sign in again: login /));
    expect(await cli('whoami')).toEqual(fails(/^You are not signed in\./));
  });

  it('says that the server cannot be reached, and is still signed in when it can', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    try {
      const url = `http://127.0.0.1:${proxy.port}`;
      await logIn({ url });
      proxy.cut();
      expect(await cli('whoami', { url })).toEqual(
        fails(/ cannot be reached\. Check the address, the network, and that the server runs\.\n$/),
      );
      proxy.restore();
      expect(await cli('whoami', { url })).toEqual(succeeds(`^${email}, `));
    } finally {
      await proxy.close();
    }
  });

  it('tells the server of a logout that it did not hear of, the next time that it runs', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    try {
      const url = `http://127.0.0.1:${proxy.port}`;
      await logIn({ url });
      const { accessToken } = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
      const devices = async () => (await call.answer<{ sessions: unknown[] }>('viewer', {}, bearer(accessToken))).sessions.length;
      const before = await devices();
      proxy.cut();
      expect(await cli('logout', { url })).toEqual(succeeds(/^Signed out here\. The server was not reached; it is told the next time/));
      proxy.restore();
      expect(await cli('whoami', { url })).toEqual(fails(/^You are not signed in\./));
      expect(await devices()).toBe(before - 1);
    } finally {
      await proxy.close();
    }
  });

  it('passes on what the server refuses, and shows no password', async () => {
    expect(await cli(`login ${email}`, { stdin: 'not this one, surely\n' })).toEqual(
      fails(/^The e-mail address, username or password is not right\.\n$/),
    );
    expect(await cli(`login ${email}`)).toEqual(fails(/^Give the password on standard input, or run this at a terminal/));
  });

  it.each(['frobnicate', 'login', 'login ada grace', 'whoami ada', 'whoami --loud', 'whoami --endpoint nonsense'])(
    'explains itself when it is asked in the wrong way: %s',
    async (args) => {
      const { exitCode, stderr, stdout } = await cli(args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toContain('Usage: node main.ts <command>');
    },
  );
});
