import { type Config, type environmentSchema, loadConfig } from '../../src/config/config.js';

/** The environment's keys, as a test sets them. */
export type Variables = Partial<Record<keyof typeof environmentSchema.shape, string>>;

const defaults: Variables = {
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  PORT: '0',
  LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
  // The cheapest that the schema lets through: the cost of a hash is not what these tests are about.
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_ITERATIONS: '1',
  LATCHKEY_LOG_LEVEL: 'silent',
  // The page needs a build, and the API does not.
  LATCHKEY_GRAPHIQL: 'false',
};

/** The configuration as `main.ts` would read it, with cheap passwords, a fixed secret and a silent log. */
export function testConfig(variables: Variables = {}): Config {
  return loadConfig({ ...defaults, ...variables });
}
