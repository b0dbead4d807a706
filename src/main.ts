import './node-version.js';
import './compile-cache.js';

import { resolve } from 'node:path';

import type { Config } from './config/config.js';
import type { DevelopmentUser } from './development.js';
import type { LatchkeyServer } from './server.js';

// Dependencies are loaded once the version of Node is known to do.
const { loadConfig } = await import('./config/config.js');
const { AuthError, explainToOperator, OperatorError } = await import('./errors.js');
const { ensureDevelopmentUser, withDevelopmentSecrets } = await import('./development.js');
const { createLogger } = await import('./log.js');
const { createServer } = await import('./server.js');

async function main(): Promise<void> {
  const config = await withDevelopmentSecrets(loadConfig(process.env));
  const log = createLogger(config);
  process.on('unhandledRejection', (error) => {
    log.error({ err: error }, 'a promise was rejected and nobody looked');
  });

  let user: DevelopmentUser | undefined;
  const server = await createServer(config, {
    log,
    // Before it is served: whoever waits until it is ready finds the user there.
    prepare: async (accounts) => {
      user = await ensureDevelopmentUser(config, accounts);
    },
  });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      log.info({ signal }, 'stopping: requests in flight may finish');
      server.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'could not stop cleanly');
          process.exit(1);
        },
      );
    });
  }

  if (config.environment === 'development') greet(config, server, user);
  else log.info({ url: server.url }, 'listening');
}

/** What someone who has just started it wants to know, the most useful first. */
function greet(config: Config, server: LatchkeyServer, user: DevelopmentUser | undefined): void {
  const signIn =
    user === undefined
      ? [['Sign in as', '(the database is not on this machine: make a user by "npx latchkey users create")']]
      : [
          ['Sign in as', user.email],
          ['password', user.password ?? '(made with another data folder, which keeps it)'],
        ];
  const lines = [
    config.graphiql ? ['GraphiQL', `${server.url}/graphiql/`] : ['GraphQL', `POST ${server.url}/graphql`],
    ...signIn,
    ['Data', config.databaseUrl === undefined ? resolve(config.dataDir) : 'the PostgreSQL of DATABASE_URL'],
    ['Secrets', process.env['LATCHKEY_SECRETS'] ? 'from LATCHKEY_SECRETS' : `for development only, in ${resolve(config.dataDir)}`],
  ];
  process.stdout.write(`\nLatchkey is ready.\n\n${lines.map(([name = '', value = '']) => `  ${name.padEnd(11)} ${value}`).join('\n')}\n\n`);
}

main().catch((error: unknown) => {
  // What the operator can mend needs its message; anything else, where it came from too.
  const isKnown = error instanceof OperatorError || error instanceof AuthError || !(error instanceof Error);
  const text = isKnown ? explainToOperator(error) : (error.stack ?? error.message);
  process.stderr.write(`Latchkey did not start.\n${text}\n`);
  process.exit(1);
});
