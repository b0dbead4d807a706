import { createInterface } from 'node:readline';

import type { Command } from 'commander';
import { NIL, validate as isUuid } from 'uuid';

import { systemClock } from '../clock.js';
import type { Core } from '../core.js';
import type { RevocationEntry } from '../persistence/revocation.store.js';
import { LISTED_SESSIONS, type PastEnding, type RevivedSession } from '../persistence/session.store.js';
import { readEnding } from '../sessions/endings-log.js';
import { OPERATOR, type Cli, type JsonOption } from './command.js';
import { printResult, printRows, type Terminal } from './io.js';
import { userIdOf } from './users.js';

const ENDINGS_IN_A_QUERY = 1000;
const NO_ENDINGS = ' Is each line as the server wrote it, and not inside a JSON string of a collector?';

/** `sessions`: see and end them. */
export function addSessionCommands(program: Command, { command, output, terminal, withCore }: Cli): void {
  const sessions = program.command('sessions').description('see and end sessions');

  command(sessions, 'list <user>', 'list the live sessions of a user').action((user: string, options: JsonOption) =>
    withCore(async ({ stores }) => {
      const found = await stores.sessions.liveByUsers([await userIdOf(user, stores.users)]);
      const rows = found.map(({ id, deviceName, devicePlatform, lastSeenAt, expiresAt, ipAddress }) => ({
        id,
        device: deviceName,
        platform: devicePlatform,
        lastSeenAt: lastSeenAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        ipAddress,
      }));
      printRows(rows, { ...output(options), empty: 'There are no live sessions.' });
      if (rows.length === LISTED_SESSIONS)
        process.stderr.write('These are the ones last seen; there may be more. To end all: latchkey sessions revoke --user\n');
    }),
  );

  command(sessions, 'revoke [session]', 'end one session; all of a user or of everyone; or every access token that was issued until now')
    .option('--user <user>', 'all sessions of this user')
    .option('--all', 'all sessions of everyone: they sign in again')
    .option('--all-access-tokens', 'every access token of everyone: clients refresh')
    .action((session: string | undefined, options: JsonOption & Choice) =>
      withCore(async (core) => {
        const { entries, what } = await revoke(core, session, options);
        core.announce(entries);
        printResult(
          entries.length === 0 ? 'It had ended already, or never was.' : `Ended ${what}.`,
          { revoked: entries.length },
          output(options),
        );
      }),
    );

  command(sessions, 'revived', "list the sessions that live although the servers' log, on standard input, says that they have ended")
    .option('--revoke', 'end them')
    .action((options: JsonOption & { revoke?: true }) =>
      withCore(async (core) => {
        const endings = await readEndings(terminal);
        const revived = await findRevived(core, endings);
        for (const { id } of options.revoke === true ? revived : []) {
          core.announce(await core.stores.sessions.revoke(id, 'OPERATOR', OPERATOR));
        }
        const rows = revived.map(({ id, userId, deviceName, lastSeenAt, endedAt, reason }) => ({
          id,
          user: userId,
          device: deviceName,
          lastSeenAt: lastSeenAt.toISOString(),
          endedAt,
          reason,
          state: options.revoke === true ? 'revoked' : 'lives',
        }));
        printRows(rows, {
          ...output(options),
          empty: `No session lives that the log says has ended. Endings in the log: ${String(endings.length)}.${endings.length === 0 ? NO_ENDINGS : ''}`,
        });
      }),
    );
}

interface Choice {
  user?: string;
  all?: true;
  allAccessTokens?: true;
}

async function revoke(
  { stores }: Core,
  session: string | undefined,
  { user, all, allAccessTokens }: Choice,
): Promise<{ entries: RevocationEntry[]; what: string }> {
  if ([session, user, all, allAccessTokens].filter((choice) => choice !== undefined).length !== 1) {
    throw new Error('Name one: a session, --user <user>, --all, or --all-access-tokens.');
  }
  if (user !== undefined) {
    const id = await userIdOf(user, stores.users);
    const entries = await stores.sessions.revokeAll(id, { except: null, reason: 'OPERATOR' }, OPERATOR);
    return { entries, what: `every session of ${id}` };
  }
  if (session !== undefined) {
    if (!isUuid(session)) throw new Error('A session is named by its id: latchkey sessions list <user>');
    return { entries: await stores.sessions.revoke(session, 'OPERATOR', OPERATOR), what: session };
  }
  if (all === true) {
    const entries = await revokeEveryone(stores);
    return { entries, what: `every session of ${String(entries.length)} users` };
  }
  const entries = await stores.revocations.revokeGlobally(systemClock.now() / 1000, OPERATOR);
  if (entries.length === 0) {
    throw new Error("The database's clock and this machine's differ by more than a minute. Set both by NTP first. See: latchkey doctor");
  }
  return { entries, what: 'every access token issued until now' };
}

async function revokeEveryone({ sessions }: Core['stores']): Promise<RevocationEntry[]> {
  const ended: RevocationEntry[] = [];
  for (;;) {
    const batch = await sessions.revokeEveryone(ended.at(-1)?.key ?? NIL, 'OPERATOR', OPERATOR);
    if (batch.length === 0) return ended;
    for (const entry of batch) ended.push(entry);
  }
}

async function readEndings({ stdin }: Terminal): Promise<PastEnding[]> {
  if (stdin.isTTY) throw new Error("Give the servers' log on standard input: latchkey sessions revived < server.log");
  const endings: PastEnding[] = [];
  for await (const line of createInterface({ input: stdin, crlfDelay: Infinity })) {
    const ending = readEnding(line);
    if (ending !== undefined) endings.push(ending);
  }
  return endings;
}

/** Each once, whatever number of endings it had. */
async function findRevived({ stores }: Core, endings: readonly PastEnding[]): Promise<RevivedSession[]> {
  const found = new Map<string, RevivedSession>();
  for (let from = 0; from < endings.length; from += ENDINGS_IN_A_QUERY) {
    const batch = await stores.sessions.revivedAmong(endings.slice(from, from + ENDINGS_IN_A_QUERY));
    for (const session of batch) found.set(session.id, session);
  }
  return [...found.values()];
}
