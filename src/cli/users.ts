import type { Command } from 'commander';
import { validate as isUuid } from 'uuid';

import { emailKey } from '../accounts/email.js';
import type { UserStore } from '../persistence/user.store.js';
import { OPERATOR, type Cli, type JsonOption } from './command.js';
import { printResult, printRows, readPassword } from './io.js';

const PAGE = 100;

/** `users`: make and manage them. */
export function addUserCommands(program: Command, { command, output, terminal, withCore }: Cli): void {
  const users = program.command('users').description('make and manage users');

  command(users, 'create <email>', 'make a user; the password is asked for, or read from standard input')
    .option('--username <name>', 'a name to sign in with')
    .option('--role <role...>', 'its roles', ['user'])
    .action((email: string, options: JsonOption & { username?: string; role: string[] }) =>
      withCore(async ({ accounts, stores }) => {
        const unknown = await unknownRoles(options.role, stores.users);
        if (unknown.length > 0) throw new Error(`There is no such role: ${unknown.join(', ')}`);
        const password = await readPassword(`Password for ${email}: `, terminal);
        const { userId } = await accounts.register({ email, username: options.username, password }, OPERATOR, options.role);
        printResult(`Made ${userId}.`, { id: userId }, output(options));
      }),
    );

  command(users, 'list', 'list users in the order of registration')
    .option('--after <id>', 'those that registered after this one')
    .action((options: JsonOption & { after?: string }) =>
      withCore(async ({ stores }) => {
        if (options.after !== undefined && !isUuid(options.after)) throw new Error('Give the id of the last user listed: --after <id>');
        const { users: page, hasMore } = await stores.users.page(PAGE, options.after);
        const rows = page.map(({ id, email, username, roles, disabled, createdAt }) => ({
          id,
          email,
          username,
          roles: roles.join(' '),
          disabled,
          createdAt: createdAt.toISOString(),
        }));
        printRows(rows, { ...output(options), empty: 'There are no users.' });
        if (hasMore) process.stderr.write(`There are more: --after ${rows.at(-1)?.id ?? ''}\n`);
      }),
    );

  for (const [name, isDisabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    command(users, `${name} <user>`, isDisabled ? 'end every session of a user and refuse new ones' : 'let a user sign in again').action(
      (user: string, options: JsonOption) =>
        withCore(async ({ accounts, stores }) => {
          const id = await userIdOf(user, stores.users);
          await accounts.setDisabled(id, isDisabled, OPERATOR);
          printResult(`${isDisabled ? 'Disabled' : 'Enabled'} ${id}.`, { id, disabled: isDisabled }, output(options));
        }),
    );
  }

  command(users, 'unlock <user>', 'forget the wrong passwords that keep a user from signing in').action(
    (user: string, options: JsonOption) =>
      withCore(async ({ accounts, stores }) => {
        const id = await userIdOf(user, stores.users);
        await accounts.unlock(id, OPERATOR);
        printResult(`${id} may try again.`, { id }, output(options));
      }),
  );

  command(users, 'roles <user> <roles...>', 'replace the roles of a user').action((user: string, roles: string[], options: JsonOption) =>
    withCore(async ({ accounts, stores }) => {
      const id = await userIdOf(user, stores.users);
      await accounts.setRoles(id, roles, OPERATOR);
      printResult(`${id} now has: ${roles.join(', ')}.`, { id, roles }, output(options));
    }),
  );

  command(users, 'reset-password <user>', 'set a password, asked for or read from standard input, and end every session').action(
    (user: string, options: JsonOption) =>
      withCore(async ({ accounts, stores }) => {
        const id = await userIdOf(user, stores.users);
        await accounts.resetPassword(id, await readPassword('New password: ', terminal), OPERATOR);
        printResult(`${id} has a new password; every session has ended.`, { id }, output(options));
      }),
  );
}

/** A user is named by id, e-mail address or username. */
export async function userIdOf(name: string, users: UserStore): Promise<string> {
  const found = await users.idByKey(emailKey(name));
  if (found === undefined) throw new Error(`There is no such user: ${name}`);
  return found;
}

async function unknownRoles(roles: readonly string[], users: UserStore): Promise<string[]> {
  const known = new Set((await users.roles()).map(({ name }) => name));
  return roles.filter((role) => !known.has(role));
}
