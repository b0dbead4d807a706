import process from 'node:process';
import { parseArgs } from 'node:util';

import { createAuth, OfflineError } from '@latchkey/client';
import { unencryptedFileStorage } from '@latchkey/client/node-file';
import { ViewerDocument, type DevicePlatform } from '@latchkey/client/operations';
import { createRequest, GraphQLRequestError } from '@latchkey/client/request';

import { sessionFile } from './session-file.ts';
import { printable, readPassword } from './terminal.ts';

const USAGE = `Usage: node main.ts <command> [--endpoint <url>]

  login <e-mail or username>   asks for the password, or reads it from standard input
  whoami                       who is signed in, by the server's word
  sessions                     every device that is signed in
  logout [--everywhere]        ends the session here, or every session of the user

The endpoint is http://localhost:4000/graphql unless another is given.
`;

/** What the user can do something about: printed as it is, without a stack. */
class CliError extends Error {
  readonly exitCode: 1 | 2;

  /** `exitCode` 1: it did not work. 2: it was asked for in the wrong way. */
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const DEVICE_PLATFORMS: Partial<Record<NodeJS.Platform, DevicePlatform>> = { darwin: 'MACOS', linux: 'LINUX', win32: 'WINDOWS' };

async function main(args: string[]): Promise<void> {
  const { command, operands, endpoint, everywhere } = parse(args);
  const path = sessionFile(endpoint);
  const auth = createAuth({
    endpoint: endpoint.href,
    storage: unencryptedFileStorage(path),
    device: { name: 'latchkey-example', platform: DEVICE_PLATFORMS[process.platform] ?? 'OTHER' },
  });
  const request = createRequest({ endpoint: endpoint.href, auth });

  const isSignedOut = (): boolean => auth.state.status === 'signed-out';

  async function login(): Promise<void> {
    const [identifier, ...tooMany] = operands;
    if (identifier === undefined || tooMany.length > 0) throw new CliError(`login needs one e-mail address or username.\n\n${USAGE}`, 2);
    const password = await readPassword();
    if (password === '') throw new CliError('Give the password on standard input, or run this at a terminal to be asked for it.');
    const result = await auth.login({ identifier, password });
    if (!result.ok) throw new CliError(result.error.code === 'OFFLINE' ? whatToDo(result.error.reason) : result.error.message);
    print(`Signed in as ${result.session.user.email}.`);
  }

  async function viewer() {
    await auth.ready;
    if (isSignedOut()) {
      // The server may not know yet of the last logout: it is told before the program ends.
      await auth.logout();
      throw new CliError('You are not signed in. Sign in first: login <e-mail or username>');
    }
    try {
      return (await request(ViewerDocument, {})).viewer;
    } catch (error) {
      if (error instanceof OfflineError) throw new CliError(whatToDo(error.reason));
      // The kit has been told that the session is over, and has forgotten it.
      if (isSignedOut()) throw new CliError('Your session has ended. Sign in again: login <e-mail or username>');
      if (error instanceof GraphQLRequestError) throw new CliError(error.message);
      throw error;
    }
  }

  async function whoami(): Promise<void> {
    const { email, username, roles } = await viewer();
    print(`${email}${username === null ? '' : ` (${username})`}, roles: ${roles.join(', ')}`);
  }

  async function sessions(): Promise<void> {
    for (const { current, device, lastSeenAt } of (await viewer()).sessions) {
      print(`${current ? '*' : ' '} ${lastSeenAt}  ${device.platform.padEnd(7)}  ${device.name ?? '-'}`);
    }
  }

  async function logout(): Promise<void> {
    const { forgotten, revoked } = await auth.logout({ everywhere });
    if (!forgotten) throw new CliError(`The session could not be removed. Remove this file yourself: ${path}`);
    print(revoked ? 'Signed out.' : 'Signed out here. The server was not reached; it is told the next time that this program runs.');
  }

  /** `reason` is an `OfflineReason`. No session is lost by any of them. */
  function whatToDo(reason: string | undefined): string {
    if (reason === 'storage') return `The session cannot be read or written. Check who may use this file and its folder: ${path}`;
    if (reason === 'rate-limited') return 'The server asks for patience. Try again in a minute.';
    if (reason === 'network') return `${endpoint.href} cannot be reached. Check the address, the network, and that the server runs.`;
    return `${endpoint.href} cannot answer just now. Try again shortly.`;
  }

  const commands = new Map(Object.entries({ login, whoami, sessions, logout }));
  const run = commands.get(command);
  if (run === undefined) throw new CliError(USAGE, 2);
  if (run !== login && operands.length > 0) throw new CliError(`${command} takes no more words.\n\n${USAGE}`, 2);
  try {
    await run();
  } finally {
    // Or a timer that waits for the network would keep the process.
    auth.close();
  }
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { endpoint: { type: 'string', default: 'http://localhost:4000/graphql' }, everywhere: { type: 'boolean', default: false } },
    });
    const [command = '', ...operands] = positionals;
    return { command, operands, endpoint: new URL(values.endpoint), everywhere: values.everywhere };
  } catch (error) {
    // Both throw nothing else.
    throw new CliError(`${error instanceof Error ? error.message : ''}\n\n${USAGE}`, 2);
  }
}

function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
