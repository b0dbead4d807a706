import { availableParallelism } from 'node:os';

import { z } from 'zod';

import { OperatorError } from '../errors.js';

/** Every secret generated for development begins so, and production refuses it. */
export const DEVELOPMENT_SECRET_PREFIX = 'development-';

/** What README's table says of a key beside its name: the default stands in the schema. */
export interface KeyMeta {
  description: string;
  /** `s`, `ms`, `KiB`, `bytes`: what the number counts. */
  unit?: string;
  /** Shown in place of the schema's default where that is worked out, or secret. */
  shownDefault?: string;
}

const key = <T extends z.ZodType>(schema: T, meta: KeyMeta): T => schema.meta({ ...meta });
const seconds = (min: number, max: number, fallback: number) => z.coerce.number().int().min(min).max(max).default(fallback);
const count = seconds;
const flag = (fallback: boolean) => z.stringbool().default(fallback);
const list = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter((item) => item !== ''));

/** As a browser sends it: with neither path nor default port, in lower case. Not only of web pages: an app may have a protocol of its own. */
const origin = z.string().refine(
  (text) => {
    const url = URL.parse(text);
    return url !== null && text === `${url.protocol}//${url.host}` && !text.includes('*');
  },
  { error: 'expected origins as browsers send them, without a path or a final slash: https://app.example.com, http://localhost:5173' },
);
const network = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: 'expected addresses or networks: 10.0.0.7, 10.0.0.0/8, fd00::/8' })
  .refine((text) => !text.endsWith('/0'), { error: 'name the networks of your proxies: whoever is in one says what address a caller has' });

const DAY = 86_400;

/** Each key of the environment that Latchkey reads: name, default, unit and description. README's table is made from it. */
export const environmentSchema = z.object({
  NODE_ENV: key(z.enum(['development', 'test', 'production']).default('development'), {
    description: 'production refuses development secrets, PGlite, GraphiQL and introspection unless each is switched on by name',
  }),
  HOST: key(z.string().default('localhost'), { description: 'the address to listen on; 0.0.0.0 inside a container' }),
  PORT: key(count(0, 65_535, 4000), { description: 'the port to listen on; 0 takes a free one' }),
  DATABASE_URL: key(z.url({ protocol: /^postgres(ql)?$/, error: 'expected postgres://user:password@host:port/database' }).optional(), {
    description: 'a PostgreSQL 15 or later; without it, an embedded PGlite database in the data folder',
    shownDefault: 'PGlite',
  }),
  LATCHKEY_DATA_DIR: key(z.string().default('.latchkey'), {
    description: 'the folder of the embedded database and of development secrets',
  }),
  LATCHKEY_SECRETS: key(
    list.pipe(z.array(z.string().min(32, { error: 'each secret needs at least 32 characters: openssl rand -base64 32' }))),
    {
      description: 'server secrets, separated by commas: the first is used, the rest are still accepted',
      shownDefault: 'generated in development, required in production',
    },
  ),
  LATCHKEY_ISSUER: key(z.string().min(1).default('latchkey'), {
    description: 'the iss claim; the same on every replica; a public https URL where other services verify our tokens',
  }),
  LATCHKEY_AUDIENCE: key(z.string().min(1).default('latchkey-api'), {
    description: 'the aud claim that access tokens carry and must carry',
  }),
  LATCHKEY_CLIENT_ID: key(z.string().min(1).default('latchkey-app'), { description: 'the client_id claim (RFC 9068 section 2.2)' }),
  LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: key(seconds(1, 3600, 900), { unit: 's', description: 'how long an access token lives' }),
  LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: key(seconds(1, 365 * DAY, 30 * DAY), {
    unit: 's',
    description: 'a session ends when it is not refreshed for so long; more than access token and grace together',
  }),
  LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS: key(seconds(1, 3650 * DAY, 365 * DAY), {
    unit: 's',
    description: 'a session ends so long after sign-in, however active',
  }),
  LATCHKEY_REFRESH_GRACE_SECONDS: key(seconds(0, 60, 10), {
    unit: 's',
    description: 'a refresh token rotates at most once in so long, and its predecessor is honoured for as long; 0 is strict',
  }),
  LATCHKEY_CLOCK_TOLERANCE_SECONDS: key(seconds(0, 60, 5), {
    unit: 's',
    description: "how far a replica's clock may differ from the database's when exp, nbf and iat are checked",
  }),
  LATCHKEY_SIGNING_ALGORITHM: key(z.enum(['EdDSA', 'ES256', 'RS256']).default('EdDSA'), {
    description: 'the algorithm of new signing keys, which sign ten minutes after they are made; keys of the others still verify',
  }),
  LATCHKEY_SIGNING_KEY_LIFETIME_SECONDS: key(seconds(3600, 3650 * DAY, 30 * DAY), {
    unit: 's',
    description: 'a signing key is replaced after so long; its successor is published ten minutes before it signs',
  }),
  LATCHKEY_TOKEN_CACHE_ENTRIES: key(count(0, 10_000_000, 50_000), {
    description: 'how many verified access tokens a replica remembers',
  }),
  LATCHKEY_PASSWORD_MIN_LENGTH: key(count(8, 64, 15), {
    unit: 'code points',
    description: 'the shortest password accepted (NIST SP 800-63B-4 section 3.1.1.2)',
  }),
  LATCHKEY_PASSWORD_PEPPERS: key(
    list.pipe(z.array(z.string().min(32, { error: 'each pepper needs at least 32 characters: openssl rand -base64 32' }))),
    {
      description: 'peppers of password hashes, separated by commas: the first is used, the rest are still accepted',
      shownDefault: 'none',
    },
  ),
  LATCHKEY_ARGON2_MEMORY_KIB: key(count(7168, 4_194_304, 19_456), { unit: 'KiB', description: 'argon2id memory per hash' }),
  LATCHKEY_ARGON2_ITERATIONS: key(count(1, 20, 2), { description: 'argon2id passes' }),
  LATCHKEY_ARGON2_PARALLELISM: key(count(1, 16, 1), { description: 'argon2id lanes' }),
  LATCHKEY_ARGON2_CONCURRENCY: key(count(1, 64, Math.min(2, availableParallelism())), {
    description: 'password hashes computed at once; more starve the thread pool that token checks share',
    shownDefault: '2, or 1 on a single core',
  }),
  LATCHKEY_ARGON2_QUEUE: key(count(0, 10_000, 64), {
    description: 'logins and whatever else hashes a password that may wait; beyond it, SERVICE_UNAVAILABLE',
  }),
  LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: key(count(1, 1_000_000, 1200), {
    description: 'passwords that one address (IPv6: one /64) may try or set in a minute, on each replica',
  }),
  LATCHKEY_AUDIT_RETENTION_DAYS: key(count(1, 3650, 365), { unit: 'days', description: 'audit events are removed after so long' }),
  LATCHKEY_METRICS_PORT: key(z.coerce.number().int().min(0).max(65_535).optional(), {
    description: 'serve Prometheus metrics at /metrics on this port; 0 takes a free one',
    shownDefault: 'off',
  }),
  LATCHKEY_CORS_ORIGINS: key(list.pipe(z.array(origin)), {
    description: 'origins of web apps that may call the API, separated by commas',
    shownDefault: 'none',
  }),
  LATCHKEY_TRUST_PROXY: key(list.pipe(z.array(network)), {
    description: 'addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas',
    shownDefault: 'none',
  }),
  LATCHKEY_GRAPHIQL: key(z.stringbool().optional(), {
    description: 'serve GraphiQL at /graphiql',
    shownDefault: 'true outside production',
  }),
  LATCHKEY_INTROSPECTION: key(z.stringbool().optional(), {
    description: 'answer introspection queries',
    shownDefault: 'true outside production',
  }),
  LATCHKEY_ALLOW_PGLITE: key(flag(false), { description: 'let production run on the embedded database' }),
  LATCHKEY_ALLOW_DEVELOPMENT_SECRETS: key(flag(false), {
    description: 'let production run on secrets that were generated for development',
  }),
  LATCHKEY_DATABASE_POOL_MAX: key(count(2, 500, 10), { description: 'database connections per replica' }),
  LATCHKEY_DATABASE_TIMEOUT_MS: key(count(100, 600_000, 5000), {
    unit: 'ms',
    description: 'the longest wait for a connection or a statement, and for a lock, which is never waited for longer than 5 s',
  }),
  LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS: key(seconds(0, 600, 10), {
    unit: 's',
    description: 'how long requests in flight may take after SIGTERM',
  }),
  LATCHKEY_LOG_LEVEL: key(z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'), {
    description: 'the least severe lines written',
  }),
});

type Environment = z.infer<typeof environmentSchema>;

/** The whole configuration, typed; nothing below `main.ts` and `cli/` reads the environment. */
export interface Config {
  environment: Environment['NODE_ENV'];
  host: string;
  port: number;
  /** Undefined: the embedded PGlite database in `dataDir`. */
  databaseUrl: string | undefined;
  dataDir: string;
  /** First entry active, the rest still accepted. */
  secrets: readonly string[];
  issuer: string;
  audience: string;
  clientId: string;
  accessTokenLifetimeSeconds: number;
  refreshIdleLifetimeSeconds: number;
  refreshAbsoluteLifetimeSeconds: number;
  /** Both the floor between two rotations and the grace of the token before; 0 is strict. */
  refreshGraceSeconds: number;
  clockToleranceSeconds: number;
  signingAlgorithm: 'EdDSA' | 'ES256' | 'RS256';
  signingKeyLifetimeSeconds: number;
  tokenCacheEntries: number;
  passwordMinLength: number;
  /** First entry active, the rest still accepted; empty: passwords are hashed without. */
  passwordPeppers: readonly string[];
  argon2: { memoryKiB: number; iterations: number; parallelism: number; concurrency: number; queueLimit: number };
  addressLimitPerMinute: number;
  auditRetentionDays: number;
  /** Undefined: no metrics are served. */
  metricsPort: number | undefined;
  corsOrigins: readonly string[];
  trustProxy: readonly string[];
  graphiql: boolean;
  introspection: boolean;
  databasePoolMax: number;
  databaseTimeoutMs: number;
  shutdownTimeoutSeconds: number;
  logLevel: Environment['LATCHKEY_LOG_LEVEL'];
}

/** A key that is not as it must be, and what is expected of it; never the value. */
export interface ConfigFault {
  key: string;
  expected: string;
}

/** Every fault of the environment at once. */
export class ConfigError extends OperatorError {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key: name, expected }) => `  ${name}: ${expected}`);
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${String(faults.length)} faults`}:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * Reads the configuration from environment variables.
 *
 * A blank variable counts as absent. A misspelt `LATCHKEY_` name is a fault: it may have been meant to make something safer.
 *
 * @throws {ConfigError} with every fault.
 */
export function loadConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value.trim() !== ''));
  const parsed = environmentSchema.safeParse(given);
  const faults = [
    ...(parsed.error?.issues ?? []).map(({ path, message }) => ({ key: String(path[0]), expected: message })),
    ...Object.keys(given)
      .filter((name) => name.startsWith('LATCHKEY_') && !(name in environmentSchema.shape))
      .map((name) => ({ key: name, expected: 'no such key; README lists them' })),
    ...(given['NODE_ENV'] === 'production' ? productionFaults(given) : []),
    ...(parsed.success ? lifetimeFaults(parsed.data) : []),
  ];
  // Each item of a list can have the same fault.
  const distinct = new Map(faults.map((fault) => [`${fault.key}: ${fault.expected}`, fault]));
  if (!parsed.success || distinct.size > 0) throw new ConfigError([...distinct.values()]);
  return toConfig(parsed.data);
}

/** A session is kept alive by refreshing: who waits until the access token has run out must still be in time. */
function lifetimeFaults(env: Environment): ConfigFault[] {
  const least = env.LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS + env.LATCHKEY_REFRESH_GRACE_SECONDS;
  if (env.LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS > least) return [];
  const expected =
    'expected more than LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS and LATCHKEY_REFRESH_GRACE_SECONDS together, or those who are active are signed out';
  return [{ key: 'LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS', expected }];
}

function productionFaults(given: Readonly<Record<string, string | undefined>>): ConfigFault[] {
  const isOn = (name: keyof Environment) => z.stringbool().safeParse(given[name]).data === true;
  const secrets = list.parse(given['LATCHKEY_SECRETS']);
  const faults: ConfigFault[] = [];
  if (secrets.length === 0) {
    faults.push({ key: 'LATCHKEY_SECRETS', expected: 'production needs a secret of its own: openssl rand -base64 32' });
  }
  if (secrets.some((secret) => secret.startsWith(DEVELOPMENT_SECRET_PREFIX)) && !isOn('LATCHKEY_ALLOW_DEVELOPMENT_SECRETS')) {
    faults.push({
      key: 'LATCHKEY_SECRETS',
      expected: 'holds a secret that was generated for development; make a new one, or set LATCHKEY_ALLOW_DEVELOPMENT_SECRETS=true',
    });
  }
  if (given['DATABASE_URL'] === undefined && !isOn('LATCHKEY_ALLOW_PGLITE')) {
    faults.push({ key: 'DATABASE_URL', expected: 'production needs a PostgreSQL; or set LATCHKEY_ALLOW_PGLITE=true' });
  }
  return faults;
}

function toConfig(env: Environment): Config {
  const isProduction = env.NODE_ENV === 'production';
  return {
    environment: env.NODE_ENV,
    host: env.HOST,
    port: env.PORT,
    databaseUrl: env.DATABASE_URL,
    dataDir: env.LATCHKEY_DATA_DIR,
    secrets: env.LATCHKEY_SECRETS,
    issuer: env.LATCHKEY_ISSUER,
    audience: env.LATCHKEY_AUDIENCE,
    clientId: env.LATCHKEY_CLIENT_ID,
    accessTokenLifetimeSeconds: env.LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS,
    refreshIdleLifetimeSeconds: env.LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS,
    refreshAbsoluteLifetimeSeconds: env.LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS,
    refreshGraceSeconds: env.LATCHKEY_REFRESH_GRACE_SECONDS,
    clockToleranceSeconds: env.LATCHKEY_CLOCK_TOLERANCE_SECONDS,
    signingAlgorithm: env.LATCHKEY_SIGNING_ALGORITHM,
    signingKeyLifetimeSeconds: env.LATCHKEY_SIGNING_KEY_LIFETIME_SECONDS,
    tokenCacheEntries: env.LATCHKEY_TOKEN_CACHE_ENTRIES,
    passwordMinLength: env.LATCHKEY_PASSWORD_MIN_LENGTH,
    passwordPeppers: env.LATCHKEY_PASSWORD_PEPPERS,
    argon2: {
      memoryKiB: env.LATCHKEY_ARGON2_MEMORY_KIB,
      iterations: env.LATCHKEY_ARGON2_ITERATIONS,
      parallelism: env.LATCHKEY_ARGON2_PARALLELISM,
      concurrency: env.LATCHKEY_ARGON2_CONCURRENCY,
      queueLimit: env.LATCHKEY_ARGON2_QUEUE,
    },
    addressLimitPerMinute: env.LATCHKEY_ADDRESS_LIMIT_PER_MINUTE,
    auditRetentionDays: env.LATCHKEY_AUDIT_RETENTION_DAYS,
    metricsPort: env.LATCHKEY_METRICS_PORT,
    corsOrigins: env.LATCHKEY_CORS_ORIGINS,
    trustProxy: env.LATCHKEY_TRUST_PROXY,
    graphiql: env.LATCHKEY_GRAPHIQL ?? !isProduction,
    introspection: env.LATCHKEY_INTROSPECTION ?? !isProduction,
    databasePoolMax: env.LATCHKEY_DATABASE_POOL_MAX,
    databaseTimeoutMs: env.LATCHKEY_DATABASE_TIMEOUT_MS,
    shutdownTimeoutSeconds: env.LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS,
    logLevel: env.LATCHKEY_LOG_LEVEL,
  };
}
