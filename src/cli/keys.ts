import type { Command } from 'commander';

import { OperatorError } from '../errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Cli, JsonOption } from './command.js';
import { printResult, printRows } from './io.js';

/** `keys`: see and rotate the signing keys. */
export function addKeyCommands(program: Command, { command, output, withCore }: Cli): void {
  const keys = program.command('keys').description('see and rotate signing keys');

  command(keys, 'list', 'list the keys that verify, the newest first').action((options: JsonOption) =>
    withCore(({ keys: ring }) => {
      const keys = ring.list();
      const signing = keys.some(({ sign }) => sign !== undefined) ? ring.signingKey().kid : undefined;
      const rows = keys.map(({ kid, algorithm, activatesAt, expiresAt, sign }) => ({
        kid,
        algorithm,
        state: kid === signing ? 'signs' : sign === undefined ? 'verifies (sealed by a secret that is not here)' : 'verifies',
        activatesAt: activatesAt.toISOString(),
        expiresAt: expiresAt?.toISOString() ?? null,
      }));
      printRows(rows, { ...output(options), empty: 'There are no signing keys yet: the first server to start makes one.' });
      return Promise.resolve();
    }),
  );

  command(keys, 'rotate', 'publish a new signing key, which signs in ten minutes')
    .option('--immediately', 'let it sign at once: verifiers that cache the key set refuse its tokens until they fetch it anew')
    .action((options: JsonOption & { immediately?: true }) =>
      withCore(async ({ keys: ring }) => {
        requireSecretsOf(ring);
        await ring.rotate(options.immediately === true);
        const newest = ring.list()[0]?.kid;
        printResult(`Published ${newest ?? ''}.`, { kid: newest }, output(options));
      }),
    );

  command(keys, 'revoke <kid>', 'refuse whatever a key has signed: for a key that has leaked').action((kid: string, options: JsonOption) =>
    withCore(async ({ keys: ring }) => {
      requireSecretsOf(ring);
      if (!(await ring.revoke(kid))) throw new Error('There is no such key. See: latchkey keys list');
      await ring.maintain();
      printResult(`Revoked ${kid}. Clients refresh.`, { kid }, output(options));
    }),
  );
}

/** A key that is made with other secrets than the servers' would be believed by them, and whoever has those secrets could sign with it. */
function requireSecretsOf(ring: KeyRing): void {
  const keys = ring.list();
  if (keys.length === 0 || keys.some(({ sign }) => sign !== undefined)) return;
  throw new OperatorError('LATCHKEY_SECRETS opens none of the signing keys. Set it as it is for the servers.');
}
