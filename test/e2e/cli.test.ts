import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import argon2 from 'argon2';
import { buildClientSchema, buildSchema, printSchema, type IntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { OPERATOR } from '../../src/cli/command.js';
import { examine } from '../../src/cli/doctor.js';
import { runCli } from '../../src/cli/program.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { recordingLog } from '../support/log.js';
import { build } from '../support/process.js';
import { startTestServer, type TestServer } from '../support/server.js';

const NEW_PASSWORD = 'nine orange trumpets fall';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The environment of the command, as a shell would have it. */
const base: Variables = {
  NODE_ENV: 'test',
  LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_ITERATIONS: '1',
};

let testDatabase: TestDatabase;
let variables: Variables;
let email: string;
let userId: string;
let tokens: Tokens;
let server: TestServer | undefined;
const { log, lines, written } = recordingLog();
let call: Calls;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  variables = { ...base, ...testDatabase.variables };
  // An embedded database would be the server's alone.
  if (testDatabase.url !== undefined) server = await startTestServer({ variables: testDatabase.variables, overrides: { log } });
});

afterAll(async () => {
  await server?.close();
  await testDatabase.drop();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Commands beside a server that runs, each test with somebody who has two sessions. */
function describeBesideServer(name: string, define: () => void): void {
  describeOnPostgres(name, () => {
    beforeEach(async () => {
      call = createCalls(server!.graphql);
      const person = newPerson();
      ({ email } = person);
      await call.answer('register', { input: person });
      const device = { name: 'phone\u202e', platform: 'IOS' };
      tokens = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD, device } });
      userId = tokens.user.id;
    });
    define();
  });
}

async function query<Row>(sql: string, parameters: string[] = []): Promise<Row[]> {
  const database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  try {
    return await database.query<Row>(sql, parameters);
  } finally {
    await database.close();
  }
}

interface Run {
  stdout: string;
  stderr: string;
  exitCode: number;
}

interface RunOptions {
  stdin?: string;
  /** Whether somebody sits there and types. */
  isTty?: boolean;
  environment?: Variables;
}

/** Runs the command in this process, at a terminal of our own. */
async function latchkey(args: string, { stdin = '', isTty = false, environment = variables }: RunOptions = {}): Promise<Run> {
  let [stdout, stderr] = ['', ''];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += String(chunk);
    return true;
  });
  const input = Object.assign(new PassThrough(), { isTTY: isTty, setRawMode: () => input }) as unknown as NodeJS.ReadStream & PassThrough;
  if (isTty) input.write(stdin);
  else input.end(stdin);
  await runCli(['node', 'latchkey', ...args.split(' ')], environment, {
    stdin: input,
    stdout: { write: (chunk: string) => (stdout += chunk) },
  });
  spy.mockRestore();
  const exitCode = Number(process.exitCode ?? 0);
  // Or the test run itself would end with it.
  process.exitCode = undefined;
  return { stdout, stderr, exitCode };
}

/** Runs a command that succeeds, and reads what it printed as JSON. */
async function json<T>(args: string, options?: RunOptions): Promise<T> {
  const { stdout, stderr, exitCode } = await latchkey(`${args} --json`, options);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return JSON.parse(stdout) as T;
}

/** What the server says of somebody's tokens, once it has heard of the change. */
async function expectState({ refreshToken, accessToken }: Tokens, { refresh, access }: { refresh: string; access: string }): Promise<void> {
  const accessState = async () =>
    (await server!.graphql('{ viewer { id } }', {}, bearer(accessToken))).errors[0]?.extensions.reason ?? 'live';
  await expect.poll(accessState, { interval: 20 }).toBe(access);
  const { errors } = await server!.graphql(operation('refresh'), { input: { refreshToken } });
  expect(errors[0]?.extensions.code ?? 'live').toBe(refresh);
}

const LIVE = { refresh: 'live', access: 'live' };
const ENDED = { refresh: 'INVALID_REFRESH_TOKEN', access: 'TOKEN_STALE' };

describeBesideServer('latchkey users', () => {
  it('create makes a user with the password on standard input, and roles', async () => {
    const { id } = await json<{ id: string }>('users create Grace@example.com --username grace --role user admin', {
      stdin: `${PASSWORD}\n`,
    });
    expect(id).toMatch(UUID);
    const { user } = await call.answer<Tokens>('login', { input: { identifier: 'grace', password: PASSWORD } });
    expect(user).toEqual({ id, email: 'Grace@example.com', roles: ['admin', 'user'] });
  });

  it('create takes what is typed at a terminal, and shows nothing of it', async () => {
    const { stdout, stderr, exitCode } = await latchkey('users create typed@example.com', { stdin: `${PASSWORD}\r`, isTty: true });
    expect({ stderr, exitCode }).toEqual({ stderr: 'Password for typed@example.com: \n', exitCode: 0 });
    expect(stdout).toMatch(/^Made [0-9a-f-]{36}\.\n$/);
  });

  it.each<[what: string, args: string, stdin: string, message: RegExp]>([
    ['no password', 'users create x@example.com', '', /^Give the password on standard input, or run this at a terminal/],
    ['a short password', 'users create x@example.com', 'short\n', /^password: \S/],
    ['no address', 'users create nonsense', `${PASSWORD}\n`, /^email: Give an e-mail address/],
    ['a role that does not exist', 'users create x@example.com --role toaster', `${PASSWORD}\n`, /^There is no such role: toaster\n$/],
  ])('create says what to do about %s, and makes nobody', async (_what, args, stdin, message) => {
    const { stdout, stderr, exitCode } = await latchkey(args, { stdin });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain(PASSWORD);
    expect(await query('SELECT 1 FROM user_account WHERE email_key LIKE $1', ['x@%'])).toEqual([]);
  });

  it('create says that an address is taken', async () => {
    const { stderr, exitCode } = await latchkey(`users create ${email}`, { stdin: PASSWORD });
    expect({ stderr, exitCode }).toEqual({ stderr: 'This e-mail address has an account already.\n', exitCode: 1 });
  });

  it('list shows users in the order of registration, from one on', async () => {
    const users =
      await json<{ id: string; email: string; username: string | null; roles: string; disabled: boolean; createdAt: string }[]>(
        'users list',
      );
    const own = users.find((user) => user.id === userId);
    expect(own).toEqual({
      id: userId,
      email,
      username: null,
      roles: 'user',
      disabled: false,
      createdAt: expect.stringMatching(/^\d{4}-/) as string,
    });
    expect(await json(`users list --after ${users[0]!.id}`)).toEqual(users.slice(1));
    const { stdout } = await latchkey('users list');
    expect(stdout.split('\n')[0]).toMatch(/^id +email +username +roles +disabled +createdAt$/);
    expect(stdout).toContain(email);
  });

  it('list says after what it can go on', async () => {
    expect(await latchkey(`users list --after ${email}`)).toEqual({
      stdout: '',
      stderr: 'Give the id of the last user listed: --after <id>\n',
      exitCode: 1,
    });
  });

  it('disable ends every session and refuses new ones, and enable lets the user sign in again', async () => {
    expect(await json(`users disable ${email}`)).toEqual({ id: userId, disabled: true });
    await expectState(tokens, ENDED);
    expect((await call.fault('login', { input: { identifier: email, password: PASSWORD } })).extensions.code).toBe('INVALID_CREDENTIALS');
    expect(await json(`users enable ${userId}`)).toEqual({ id: userId, disabled: false });
    expect((await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } })).user.id).toBe(userId);
  });

  it('roles replaces the roles, which count from the next refresh on', async () => {
    expect(await json(`users roles ${email.toUpperCase()} user admin`)).toEqual({ id: userId, roles: ['user', 'admin'] });
    await expectState(tokens, { refresh: 'live', access: 'TOKEN_STALE' });
    const { stderr, exitCode } = await latchkey(`users roles ${email} toaster`);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('roles: Use roles that exist: admin, user.\n');
  });

  it('reset-password sets the password on standard input and ends every session', async () => {
    expect(await json(`users reset-password ${email}`, { stdin: `${NEW_PASSWORD}\n` })).toEqual({ id: userId });
    await expectState(tokens, ENDED);
    await call.fault('login', { input: { identifier: email, password: PASSWORD } });
    await call.answer('login', { input: { identifier: email, password: NEW_PASSWORD } });
  });

  it('unlock forgets the wrong passwords that keep a user from signing in', async () => {
    const tryToSignIn = (password: string) => call.fault('login', { input: { identifier: email, password } });
    for (let i = 0; i < 5; i += 1) await tryToSignIn(NEW_PASSWORD);
    await query(`UPDATE throttle SET blocked_until = 'infinity' WHERE key LIKE '%' || $1 || '%'`, [userId]);
    await query('UPDATE session SET ip_address = NULL WHERE user_id = $1', [userId]);
    expect((await tryToSignIn(PASSWORD)).extensions.code).toBe('RATE_LIMITED');
    expect(await json(`users unlock ${email}`)).toEqual({ id: userId });
    expect((await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } })).user.id).toBe(userId);
  });

  it.each(['disable', 'enable', 'reset-password', 'roles', 'unlock'])('%s says that there is no such user', async (command) => {
    const { stderr, exitCode } = await latchkey(`users ${command} nobody@example.com${command === 'roles' ? ' user' : ''}`, {
      stdin: NEW_PASSWORD,
    });
    expect({ stderr, exitCode }).toEqual({ stderr: 'There is no such user: nobody@example.com\n', exitCode: 1 });
  });

  it('leaves its name in the audit trail, and nobody for the actor', async () => {
    await latchkey(`users disable ${email}`);
    const [event] = await query(`SELECT type, actor_id, user_agent FROM audit_event WHERE user_id = $1 ORDER BY id DESC LIMIT 1`, [userId]);
    expect(event).toEqual({ type: 'USER_DISABLED', actor_id: null, user_agent: 'latchkey command' });
  });
});

describeBesideServer('latchkey sessions', () => {
  it('list shows the live sessions of a user, and nothing that a terminal would obey', async () => {
    const sessions = await json<{ id: string; device: string | null; platform: string }[]>(`sessions list ${email}`);
    expect(sessions).toHaveLength(2);
    expect(sessions.find(({ id }) => id === tokens.session.id)).toMatchObject({
      platform: 'IOS',
      device: 'phone\u202e',
      ipAddress: '127.0.0.1',
    });
    await query(`UPDATE session SET device_name = $2 WHERE id = $1`, [tokens.session.id, 'red\u001b[31m\u0007phone']);
    const { stdout } = await latchkey(`sessions list ${email}`);
    expect(stdout).toContain('red?[31m?phone');
    // eslint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('list shows the hundred last seen of a user who has more, and says so', async () => {
    expect((await latchkey(`sessions list ${email}`)).stderr).toBe('');
    await query(
      `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
       SELECT gen_random_uuid(), $1, 1, '', 1, 'IOS', now() + interval '1 day', now() + interval '1 day' FROM generate_series(1, 100)`,
      [userId],
    );
    const { stdout, stderr } = await latchkey(`sessions list ${email} --json`);
    expect(JSON.parse(stdout)).toHaveLength(100);
    expect(stderr).toMatch(/^These are the ones last seen; there may be more\./);
  });

  it('revoke ends one session', async () => {
    expect(await json(`sessions revoke ${tokens.session.id}`)).toEqual({ revoked: 1 });
    await expectState(tokens, { refresh: 'INVALID_REFRESH_TOKEN', access: 'SESSION_REVOKED' });
    expect(await json(`sessions list ${email}`)).toHaveLength(1);
    expect((await latchkey(`sessions revoke ${tokens.session.id}`)).stdout).toBe('It had ended already, or never was.\n');
  });

  it('revoke --user ends all of a user, with one entry', async () => {
    expect(await json(`sessions revoke --user ${email}`)).toEqual({ revoked: 1 });
    await expectState(tokens, ENDED);
    expect((await latchkey(`sessions list ${email}`)).stdout).toBe('There are no live sessions.\n');
  });

  it('revoke --all-access-tokens makes everyone refresh, and ends no session', async () => {
    // Tokens of the very second count as issued before.
    expect(await json('sessions revoke --all-access-tokens')).toEqual({ revoked: 1 });
    await expectState(tokens, { refresh: 'live', access: 'TOKEN_STALE' });
    // The next second is soon here.
    const refreshed = async () => {
      const { accessToken } = await call.answer<Tokens>('refresh', { input: { refreshToken: tokens.refreshToken } });
      return (await server!.graphql('{ viewer { id } }', {}, bearer(accessToken))).errors;
    };
    await expect.poll(refreshed, { interval: 100 }).toEqual([]);
  });

  it('revoke --all ends all of everyone, a thousand users at a time', async () => {
    await query(
      `WITH made AS (
         INSERT INTO user_account (id, email, email_key) SELECT gen_random_uuid(), n, n FROM generate_series(1, 1500) AS n RETURNING id
       )
       INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
       SELECT gen_random_uuid(), id, 1, '', 1, 'IOS', now() + interval '1 day', now() + interval '1 day' FROM made`,
    );
    const { revoked } = await json<{ revoked: number }>('sessions revoke --all');
    expect(revoked).toBeGreaterThan(1500);
    await expectState(tokens, ENDED);
    const live = `FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.revoked_at IS NULL AND s.user_version >= u.session_version`;
    expect(await query(`SELECT s.id ${live}`)).toEqual([]);
    expect(await query(`SELECT type, reason, user_agent FROM audit_event WHERE user_id = $1 ORDER BY id DESC LIMIT 1`, [userId])).toEqual([
      { type: 'SESSIONS_REVOKED', reason: 'OPERATOR', user_agent: 'latchkey command' },
    ]);
    expect(await json('sessions revoke --all')).toEqual({ revoked: 0 });
    await call.answer('login', { input: { identifier: email, password: PASSWORD } });
    expect(await json(`sessions list ${email}`)).toHaveLength(1);
  });

  describe('revived', () => {
    interface Revived {
      id: string;
      user: string;
      device: string | null;
      reason: string;
      state: string;
    }

    /** What the log tells of endings since the test began. */
    let alreadyWritten: number;
    const serverLog = () => written.slice(alreadyWritten).join('');
    const endings = () => lines.slice(alreadyWritten).filter(({ msg }) => msg === 'sessions have ended');
    beforeEach(() => {
      alreadyWritten = written.length;
    });

    /** The user's rows as they were before anything ended, as a backup brings them back. */
    const restore = async () => {
      await query('UPDATE user_account SET security_version = 1, session_version = 1, disabled = false WHERE id = $1', [userId]);
      await query('UPDATE session SET user_version = 1, revoked_at = NULL, revoked_reason = NULL WHERE user_id = $1', [userId]);
    };
    const signIn = () => call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });

    it('lists what lives although the log says that it has ended, and ends it with --revoke; what began later or was kept goes on', async () => {
      const [first] = (await json<{ id: string }[]>(`sessions list ${email}`)).filter(({ id }) => id !== tokens.session.id);
      await call.answer('logout', { input: { refreshToken: tokens.refreshToken, sessions: 'OTHER_SESSIONS' } });
      await restore();
      const later = await signIn();
      await query(`UPDATE session SET created_at = now() + interval '1 minute' WHERE id = $1`, [later.session.id]);

      const revived = { id: first!.id, user: userId, device: null, reason: 'LOGOUT' };
      expect(await json<Revived[]>('sessions revived', { stdin: serverLog() })).toMatchObject([{ ...revived, state: 'lives' }]);
      expect(await json<Revived[]>('sessions revived --revoke', { stdin: serverLog() })).toMatchObject([{ ...revived, state: 'revoked' }]);
      const wrapped = await latchkey('sessions revived', { stdin: `${JSON.stringify({ log: serverLog() })}\n` });
      expect(wrapped.stdout).toMatch(/Endings in the log: 0\. Is each line as the server wrote it/);
      const { stdout } = await latchkey('sessions revived', { stdin: serverLog() });
      expect(stdout).toBe('No session lives that the log says has ended. Endings in the log: 1.\n');
      const left = await json<{ id: string }[]>(`sessions list ${email}`);
      expect(left.map(({ id }) => id).sort()).toEqual([tokens.session.id, later.session.id].sort());
      const [event] = await query(`SELECT type, session_id, reason FROM audit_event WHERE user_id = $1 ORDER BY id DESC LIMIT 1`, [userId]);
      expect(event).toEqual({ type: 'SESSION_REVOKED', session_id: first!.id, reason: 'OPERATOR' });
    });

    it.each<[what: string, expected: object[], end: () => Promise<unknown>]>([
      ['LOGOUT of one', [{ reason: 'LOGOUT' }], () => call.answer('logout', { input: { refreshToken: tokens.refreshToken } })],
      [
        'a replaced refresh token that is used again',
        [{ reason: 'REFRESH_TOKEN_REUSED' }],
        async () => {
          await query('UPDATE session SET generation = 9, seen_generation = 9 WHERE id = $1', [tokens.session.id]);
          await call.fault('refresh', { input: { refreshToken: tokens.refreshToken } });
        },
      ],
      [
        'revokeSession',
        [{ reason: 'REVOKED' }],
        () => call.answer('revoke-session', { input: { sessionId: tokens.session.id } }, bearer(tokens.accessToken)),
      ],
      [
        'a user who is disabled, and enabled again',
        [{ reason: 'USER_DISABLED', exceptSessionId: null }],
        async () => {
          for (const disabled of [true, false]) await server!.accounts.setDisabled(userId, disabled, OPERATOR);
        },
      ],
      [
        'a new password',
        [{ reason: 'PASSWORD_CHANGED', exceptSessionId: null }],
        () => server!.accounts.resetPassword(userId, NEW_PASSWORD, OPERATOR),
      ],
      ['new roles, which end nothing', [], () => server!.accounts.setRoles(userId, ['user', 'admin'], OPERATOR)],
    ])('is told by the log of %s', async (_what, expected, end) => {
      await end();
      expect(endings()).toMatchObject(expected);
      await restore();
      await query('UPDATE session SET generation = 1 WHERE user_id = $1', [userId]);
      const ids = (await json<Revived[]>('sessions revived', { stdin: serverLog() })).map(({ id }) => id);
      const [isOfUser] = expected.map((ending) => 'exceptSessionId' in ending);
      expect(ids).toHaveLength(expected.length === 0 ? 0 : isOfUser === true ? 2 : 1);
      if (expected.length > 0) expect(ids).toContain(tokens.session.id);
    });

    it('asks for the log where there is nobody to read it from', async () => {
      expect(await latchkey('sessions revived', { isTty: true })).toEqual({
        stdout: '',
        stderr: "Give the servers' log on standard input: latchkey sessions revived < server.log\n",
        exitCode: 1,
      });
    });
  });

  it.each<[string, string, string]>([
    ['nothing', 'sessions revoke', 'Name one: a session, --user <user>, --all, or --all-access-tokens.\n'],
    [
      'two things',
      'sessions revoke 019aa000-0000-7000-8000-00000000000a --all-access-tokens',
      'Name one: a session, --user <user>, --all, or --all-access-tokens.\n',
    ],
    ['what is no session', 'sessions revoke mine', 'A session is named by its id: latchkey sessions list <user>\n'],
    ['a user who does not exist', 'sessions revoke --user nobody', 'There is no such user: nobody\n'],
  ])('revoke of %s says what to name', async (_what, args, message) => {
    expect(await latchkey(args)).toEqual({ stdout: '', stderr: message, exitCode: 1 });
  });
});

describeBesideServer('latchkey keys', () => {
  interface Key {
    kid: string;
    algorithm: string;
    state: string;
    activatesAt: string;
    expiresAt: string | null;
  }

  it('list shows which key signs; rotate publishes the next; revoke ends one, and sessions go on', async () => {
    const [before, ...others] = await json<Key[]>('keys list');
    expect(others).toEqual([]);
    expect(before).toMatchObject({ algorithm: 'EdDSA', state: 'signs', expiresAt: null });

    const { kid: waiting } = await json<{ kid: string }>('keys rotate');
    expect((await json<Key[]>('keys list')).map(({ kid, state }) => [kid, state])).toEqual([
      [waiting, 'verifies'],
      [before!.kid, 'signs'],
    ]);

    const { kid: immediate } = await json<{ kid: string }>('keys rotate --immediately');
    expect((await json<Key[]>('keys list')).map(({ kid, state }) => [kid, state])).toEqual([
      [immediate, 'signs'],
      [before!.kid, 'verifies'],
    ]);
    await expectState(tokens, LIVE);

    expect(await json(`keys revoke ${before!.kid}`)).toEqual({ kid: before!.kid });
    await expectState(tokens, { refresh: 'live', access: 'TOKEN_INVALID' });

    expect(await latchkey('keys revoke nonsense')).toEqual({
      stdout: '',
      stderr: 'There is no such key. See: latchkey keys list\n',
      exitCode: 1,
    });
  });
});

describe('latchkey, with other secrets than the servers have', () => {
  const otherSecrets = () => ({ ...variables, LATCHKEY_SECRETS: 'a-secret-that-no-server-of-this-test-knows' });
  const kids = () => query('SELECT kid FROM signing_key ORDER BY kid');

  it.each(['users list', 'keys list', 'sessions revoke --all-access-tokens', 'purge'])('%s makes no signing key', async (args) => {
    await latchkey('keys rotate --immediately');
    const before = await kids();
    expect(before).not.toEqual([]);
    expect((await latchkey(args, { environment: otherSecrets() })).exitCode).toBe(0);
    expect(await kids()).toEqual(before);
  });

  it.each(['keys rotate', 'keys rotate --immediately', 'keys revoke some-key'])('%s is refused', async (args) => {
    await latchkey('keys rotate --immediately');
    const before = await kids();
    expect(await latchkey(args, { environment: otherSecrets() })).toEqual({
      stdout: '',
      stderr: 'LATCHKEY_SECRETS opens none of the signing keys. Set it as it is for the servers.\n',
      exitCode: 1,
    });
    expect(await kids()).toEqual(before);
  });

  it('keys list shows what the servers have, and that none of it can sign here', async () => {
    await latchkey('keys rotate --immediately');
    const keys = await json<{ state: string }[]>('keys list', { environment: otherSecrets() });
    expect(new Set(keys.map(({ state }) => state))).toEqual(new Set(['verifies (sealed by a secret that is not here)']));
  });
});

describe('latchkey doctor', () => {
  interface Finding {
    check: string;
    ok: boolean;
    finding: string;
    advice: string;
  }

  /** What is wrong, of a doctor who finds something. */
  async function faults(environment: Variables): Promise<Finding[]> {
    const { stdout, exitCode } = await latchkey('doctor --json', { environment });
    expect(exitCode).toBe(1);
    return (JSON.parse(stdout) as Finding[]).filter(({ ok }) => !ok);
  }

  it('finds nothing where nothing is wrong', async () => {
    await latchkey('keys rotate --immediately');
    const findings = await json<Finding[]>('doctor');
    expect(findings.map(({ check, ok, advice }) => [check, ok, advice])).toEqual(
      ['configuration', 'database', 'clock', 'migrations', 'signing keys', 'password peppers'].map((check) => [check, true, '']),
    );
  });

  it('finds a database that is gone, tells no password of it, and looks no further', async () => {
    const found = await faults({ ...base, DATABASE_URL: 'postgres://latchkey:hunter2-canary@127.0.0.1:1/latchkey' });
    expect(found).toEqual([
      {
        check: 'database',
        ok: false,
        finding: 'cannot be reached',
        advice: 'Check DATABASE_URL, the network, and that PostgreSQL runs.',
      },
    ]);
  });

  it('finds a secret that was dropped, and says to put it back', async () => {
    await latchkey('keys rotate --immediately');
    const found = await faults({ ...variables, LATCHKEY_SECRETS: 'a-secret-that-nothing-here-was-sealed-with' });
    expect(found).toMatchObject([
      { check: 'signing keys', advice: expect.stringContaining('put the old secret back behind the new one') as string },
    ]);
  });

  it('finds nothing wrong with keys of another algorithm: they sign until the servers have made the next', async () => {
    await latchkey('keys rotate --immediately');
    const findings = await json<Finding[]>('doctor', { environment: { ...variables, LATCHKEY_SIGNING_ALGORITHM: 'RS256' } });
    expect(findings.find(({ check }) => check === 'signing keys')).toMatchObject({
      ok: true,
      finding: expect.stringContaining('0 can sign with RS256') as string,
    });
  });

  it('tells what it has found although the passwords cannot be counted in time', async () => {
    const database: Partial<Database> = {
      query: async <Row>(sql: string) => {
        if (sql.includes('credential')) throw new Error('canceling statement due to statement timeout');
        return [{ version: 'PostgreSQL 18 on a machine', now: Date.now() / 1000 }] as Row[];
      },
      read: async <T>() => [] as T,
      pendingMigrations: async () => [],
    };
    const findings = await examine(testConfig(), database as Database);
    expect(findings.map(({ check }) => check)).toEqual([
      'configuration',
      'database',
      'clock',
      'migrations',
      'signing keys',
      'password peppers',
    ]);
    expect(findings.at(-1)).toMatchObject({
      ok: false,
      advice: expect.stringContaining('LATCHKEY_DATABASE_TIMEOUT_MS=600000 latchkey doctor') as string,
    });
  });

  it('finds a pepper that was dropped, and says to put it back', async () => {
    const environment: Variables = { ...variables, LATCHKEY_PASSWORD_PEPPERS: 'a-pepper-that-nobody-will-find-in-here' };
    const pepper = newPerson().email;
    await json(`users create ${pepper}`, { environment, stdin: `${PASSWORD}\n` });
    expect((await json<Finding[]>('doctor', { environment })).find(({ check }) => check === 'password peppers')).toMatchObject({
      ok: true,
    });
    expect(await faults(variables)).toEqual([
      {
        check: 'password peppers',
        ok: false,
        finding: '1 user needs one that is not there',
        advice: 'They cannot sign in. Put the old pepper back behind the new one: LATCHKEY_PASSWORD_PEPPERS=new,old',
      },
    ]);
    await query('DELETE FROM user_account WHERE email_key = $1', [pepper]);
  });

  it('finds migrations that are missing; every other command names the one that applies them, which does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-cli-'));
    const environment: Variables = { ...base, LATCHKEY_DATA_DIR: folder };
    try {
      const found = await faults(environment);
      expect(found).toMatchObject([{ check: 'migrations', advice: 'Run: latchkey migrate' }]);
      expect(await latchkey('users list', { environment })).toEqual({
        stdout: '',
        stderr: expect.stringMatching(/^The database lacks (a migration|\d+ migrations)\. Apply first: latchkey migrate\n$/) as string,
        exitCode: 1,
      });
      const { applied } = await json<{ applied: string[] }>('migrate', { environment });
      expect(applied.length).toBeGreaterThan(1);
      expect(await json('migrate', { environment })).toEqual({ applied: [] });
      expect((await latchkey('migrate', { environment })).stdout).toBe('The database is up to date.\n');
      expect((await latchkey('users list', { environment })).stdout).toBe('There are no users.\n');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([
    [3, 5, true],
    [-3, 5, true],
    [9, 5, false],
    [-9, 5, false],
    [3, 1, false],
    [9, 10, true],
    [0.3, 0, true],
    [3, 0, false],
  ])(
    'finds a clock that is wrong: %d s from that of the database, where tokens are checked within %i s',
    async (seconds, tolerance, isGood) => {
      const now = Date.now() / 1000 + seconds;
      const database: Partial<Database> = {
        query: async <Row>() => [{ version: 'PostgreSQL 18 on a machine', now }] as Row[],
        pendingMigrations: async () => ['none of this matters here'],
      };
      const findings = await examine(testConfig({ LATCHKEY_CLOCK_TOLERANCE_SECONDS: String(tolerance) }), database as Database);
      const clock = findings.find(({ check }) => check === 'clock')!;
      expect(clock.ok).toBe(isGood);
      expect(clock.advice).toBe(isGood ? '' : `Set both machines' clocks by NTP: tokens are checked within ${tolerance} s.`);
    },
  );

  it('finds every fault of a configuration, looks no further, and repeats no value', async () => {
    const environment: Variables = { ...variables, LATCHKEY_SECRETS: 'canary', LATCHKEY_ARGON2_ITERATIONS: 'canary' };
    expect(await faults(environment)).toEqual([
      {
        check: 'configuration',
        ok: false,
        finding: 'LATCHKEY_SECRETS is not right',
        advice: 'each secret needs at least 32 characters: openssl rand -base64 32',
      },
      {
        check: 'configuration',
        ok: false,
        finding: 'LATCHKEY_ARGON2_ITERATIONS is not right',
        advice: expect.stringContaining('expected number') as string,
      },
    ]);
    const { stdout, stderr, exitCode } = await latchkey('doctor', { environment });
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 1 });
    expect(stdout).toContain('openssl rand -base64 32');
    expect(stdout).not.toContain('canary');
  });
});

describe('latchkey', () => {
  it('purge removes what is due, and counts it', async () => {
    await query(`INSERT INTO throttle (key, updated_at) VALUES ('network:192.0.2.1', now() - interval '2 days')`);
    expect(await json('purge')).toEqual({ sessions: 0, revocations: 0, throttles: 1, signingKeys: 0, auditEvents: 0 });
    expect((await latchkey('purge')).stdout).toBe('Removed: 0 sessions, 0 revocations, 0 throttles, 0 signingKeys, 0 auditEvents.\n');
  });

  it('hash-tune measures parameters, those in use first', async () => {
    vi.spyOn(argon2, 'hash').mockResolvedValue('a hash');
    const rows = await json<{ memoryKiB: number; iterations: number; milliseconds: number }[]>('hash-tune');
    expect(rows[0]).toMatchObject({ memoryKiB: 7168, iterations: 1 });
    expect(rows).toHaveLength(5);
    for (const { milliseconds } of rows) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });

  it('schema prints what stands in schema/schema.graphql', async () => {
    const { stdout } = await latchkey('schema');
    expect(stdout).toBe(await readFile(join(root, 'schema/schema.graphql'), 'utf8'));
  });

  it('schema --json prints what introspection answers, of which the same schema can be built', async () => {
    const schema = buildClientSchema(await json<IntrospectionQuery>('schema'));
    const { stdout } = await latchkey('schema');
    expect(printSchema(schema)).toBe(printSchema(buildSchema(stdout)));
  });

  it.each<[what: string, args: string, environment: Variables, message: RegExp]>([
    ['a configuration with faults', 'users list', { LATCHKEY_SECRETS: 'short' }, /^The configuration has a fault:\n/],
    ['a database that is gone', 'keys list', { DATABASE_URL: 'postgres://127.0.0.1:1/latchkey' }, /latchkey doctor$/],
    ['a name that nobody has', 'sessions list nobody', {}, /^There is no such user: nobody$/],
    ['input that is refused', 'users create nonsense', {}, /^email: Give an e-mail address/],
  ])('tells of %s as JSON where JSON is wanted', async (_what, args, environment, message) => {
    await latchkey('migrate');
    const { stdout, stderr, exitCode } = await latchkey(`${args} --json`, {
      environment: { ...variables, ...environment },
      stdin: `${PASSWORD}\n`,
    });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(JSON.parse(stderr)).toEqual({ error: expect.stringMatching(message) as string });
  });

  it.each(['users list', 'keys list', 'purge', 'migrate'])('%s says where to look when the database is gone', async (args) => {
    const { stdout, stderr, exitCode } = await latchkey(args, {
      environment: { ...base, DATABASE_URL: 'postgres://latchkey:hunter2-canary@127.0.0.1:1/latchkey' },
    });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toContain('See what is wrong: latchkey doctor');
    expect(stderr).not.toContain('hunter2');
  });
});

describe('the latchkey program', () => {
  beforeAll(build);

  async function spawnCli(args: readonly string[], stdin = ''): Promise<Run> {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, ['dist/cli/main.js', ...args], { cwd: root, env: { PATH, HOME, ...variables }, stdio: 'pipe' });
    child.stdin.end(stdin);
    const [stdout, stderr, exitCode] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1))),
    ]);
    return { stdout, stderr, exitCode };
  }

  it('reads a password from standard input, prints JSON and nothing else, and ends with 0', async () => {
    const { stdout, stderr, exitCode } = await spawnCli(['users', 'create', 'spawned@example.com', '--json'], `${PASSWORD}\n`);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(JSON.parse(stdout)).toEqual({ id: expect.stringMatching(UUID) as string });
  });

  it.each<[string, string[]]>([
    ['as an option', ['users', 'create', 'x@example.com', '--password', 'hunter2-canary']],
    ['as an argument', ['users', 'create', 'x@example.com', 'hunter2-canary']],
    ['as an argument of a reset', ['users', 'reset-password', 'x@example.com', 'hunter2-canary']],
  ])('takes no password %s', async (_how, args) => {
    const { stdout, stderr, exitCode } = await spawnCli(args, PASSWORD);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toContain('hunter2');
  });

  it('tells of a command line that cannot be read as JSON where JSON is wanted', async () => {
    const { stdout, stderr, exitCode } = await spawnCli(['users', 'list', '--before', 'x', '--json']);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(JSON.parse(stderr)).toEqual({ error: expect.stringMatching(/^error: unknown option '--before'/) as string });
  });

  it('ends with 1 at an unknown command, and shows what there is', async () => {
    const { stderr, exitCode } = await spawnCli(['user']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/unknown command/);
  });
});
