import type { Command } from 'commander';
import { validate as isUuid } from 'uuid';

import type { Core } from '../core.js';
import type { RevocationEntry } from '../persistence/revocation.store.js';
import { OPERATOR, type Cli, type JsonOption } from './command.js';
import { printResult, printRows } from './io.js';
import { userIdOf } from './users.js';

/** `sessions`: see and end them. */
export function addSessionCommands(program: Command, { command, output, withCore }: Cli): void {
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
    }),
  );

  command(sessions, 'revoke [session]', 'end one session; all of a user; or every access token that was issued until now')
    .option('--user <user>', 'all sessions of this user')
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
}

interface Choice {
  user?: string;
  allAccessTokens?: true;
}

async function revoke(
  { stores }: Core,
  session: string | undefined,
  { user, allAccessTokens }: Choice,
): Promise<{ entries: RevocationEntry[]; what: string }> {
  if ([session, user, allAccessTokens].filter((choice) => choice !== undefined).length !== 1) {
    throw new Error('Name one: a session, --user <user>, or --all-access-tokens.');
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
  return { entries: await stores.revocations.revokeGlobally(OPERATOR), what: 'every access token issued until now' };
}
