import type { Accounts } from '../../src/accounts/accounts.js';
import { createServer, type ServerOverrides } from '../../src/server.js';
import { createClient, type GraphqlClient } from './client.js';
import { testConfig, type Variables } from './config.js';
import { createTestDatabase } from './database.js';

export interface TestServer {
  /** Like `http://127.0.0.1:49152`. */
  url: string;
  graphql: GraphqlClient;
  /** For what no operation does: making the first administrator. */
  accounts: Accounts;
  close(): Promise<void>;
}

interface TestServerOptions {
  /** Keys of the configuration. With a database among them the server uses that one, and leaves it when it closes. */
  variables?: Variables;
  /** Objects in place of the real ones, a clock above all. */
  overrides?: ServerOverrides;
}

let lastStart: Promise<unknown> = Promise.resolve();

/** One start at a time: each computes without a pause, and the statements of another would run out of time meanwhile. */
function inTurn<T>(start: () => Promise<T>): Promise<T> {
  const turn = lastStart.then(start);
  lastStart = turn.catch(() => undefined);
  return turn;
}

/** The whole server on a free port, with a migrated database of its own. */
export async function startTestServer({ variables = {}, overrides = {} }: TestServerOptions = {}): Promise<TestServer> {
  const database =
    variables.DATABASE_URL === undefined && variables.LATCHKEY_DATA_DIR === undefined ? await createTestDatabase() : undefined;
  const server = await inTurn(() => createServer(testConfig({ ...database?.variables, ...variables }), overrides));
  return {
    url: server.url,
    graphql: createClient(server.url),
    accounts: server.accounts,
    close: async () => {
      await server.close();
      await database?.drop();
    },
  };
}
