import { availableParallelism } from 'node:os';

import { describe, expect, it } from 'vitest';

import { ConfigError, DEVELOPMENT_SECRET_PREFIX, environmentSchema, loadConfig } from '../../../src/config/config.js';

type Variables = Record<string, string | undefined>;

const SECRET = 'a-secret-of-production-made-by-openssl-rand';
const OLD_SECRET = 'an-older-secret-that-is-accepted-still';
const PRODUCTION: Variables = {
  NODE_ENV: 'production',
  LATCHKEY_SECRETS: SECRET,
  DATABASE_URL: 'postgres://latchkey:password@db.internal/latchkey',
};

function faultsOf(variables: Variables): readonly string[] {
  try {
    loadConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ key, expected }) => `${key}: ${expected}`);
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

describe('a configuration that is refused', () => {
  it.each<[keyof typeof environmentSchema.shape, string]>([
    ['NODE_ENV', 'staging'],
    ['NODE_ENV', 'Production'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', 'http'],
    ['PORT', 'NaN'],
    ['PORT', 'Infinity'],
    ['DATABASE_URL', 'mysql://db/latchkey'],
    ['DATABASE_URL', 'file:///etc/passwd'],
    ['DATABASE_URL', 'localhost'],
    ['LATCHKEY_SECRETS', 'too-short'],
    ['LATCHKEY_SECRETS', `${SECRET},too-short`],
    ['LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS', '0'],
    ['LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS', '3601'],
    ['LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS', '15m'],
    ['LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS', '0'],
    ['LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS', '31536001'],
    ['LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS', '315360001'],
    ['LATCHKEY_REFRESH_GRACE_SECONDS', '-1'],
    ['LATCHKEY_REFRESH_GRACE_SECONDS', '61'],
    ['LATCHKEY_CLOCK_TOLERANCE_SECONDS', '61'],
    ['LATCHKEY_SIGNING_ALGORITHM', 'HS256'],
    ['LATCHKEY_SIGNING_ALGORITHM', 'none'],
    ['LATCHKEY_SIGNING_KEY_LIFETIME_SECONDS', '3599'],
    ['LATCHKEY_TOKEN_CACHE_ENTRIES', '-1'],
    ['LATCHKEY_PASSWORD_MIN_LENGTH', '7'],
    ['LATCHKEY_PASSWORD_MIN_LENGTH', '65'],
    ['LATCHKEY_PASSWORD_PEPPERS', `${SECRET},short`],
    ['LATCHKEY_ARGON2_MEMORY_KIB', '7167'],
    ['LATCHKEY_ARGON2_ITERATIONS', '0'],
    ['LATCHKEY_ARGON2_PARALLELISM', '0'],
    ['LATCHKEY_ARGON2_CONCURRENCY', '0'],
    ['LATCHKEY_ARGON2_QUEUE', '-1'],
    ['LATCHKEY_ADDRESS_LIMIT_PER_MINUTE', '0'],
    ['LATCHKEY_AUDIT_RETENTION_DAYS', '0'],
    ['LATCHKEY_METRICS_PORT', '65536'],
    ['LATCHKEY_CORS_ORIGINS', 'https://a.example/'],
    ['LATCHKEY_CORS_ORIGINS', 'https://a.example,https://a.example/app'],
    ['LATCHKEY_CORS_ORIGINS', 'https://a.example?x'],
    ['LATCHKEY_CORS_ORIGINS', 'https://me@a.example'],
    ['LATCHKEY_CORS_ORIGINS', 'https://A.example'],
    ['LATCHKEY_CORS_ORIGINS', 'https://a.example:443'],
    ['LATCHKEY_CORS_ORIGINS', 'a.example'],
    ['LATCHKEY_CORS_ORIGINS', 'localhost:5173'],
    ['LATCHKEY_CORS_ORIGINS', 'https://*.example'],
    ['LATCHKEY_CORS_ORIGINS', '*'],
    ['LATCHKEY_CORS_ORIGINS', 'null'],
    ['LATCHKEY_TRUST_PROXY', '10.0.0.0/99'],
    ['LATCHKEY_TRUST_PROXY', '10.0.0.0/8,10.0.0'],
    ['LATCHKEY_TRUST_PROXY', '0.0.0.0/0'],
    ['LATCHKEY_TRUST_PROXY', '::/0'],
    ['LATCHKEY_TRUST_PROXY', 'fd00::/129'],
    ['LATCHKEY_TRUST_PROXY', 'proxy.internal'],
    ['LATCHKEY_TRUST_PROXY', 'true'],
    ['LATCHKEY_GRAPHIQL', 'maybe'],
    ['LATCHKEY_INTROSPECTION', '2'],
    ['LATCHKEY_ALLOW_PGLITE', 'sure'],
    ['LATCHKEY_DATABASE_POOL_MAX', '0'],
    ['LATCHKEY_DATABASE_TIMEOUT_MS', '99'],
    ['LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS', '601'],
    ['LATCHKEY_LOG_LEVEL', 'loud'],
  ])('names %s when it is %s', (name, value) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: `));
  });

  it('tells every fault at once', () => {
    const faults = faultsOf({ PORT: 'x', LATCHKEY_SECRETS: 'short', LATCHKEY_LOG_LEVEL: 'loud', LATCHKEY_SECRET: SECRET });
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['PORT', 'LATCHKEY_SECRETS', 'LATCHKEY_LOG_LEVEL', 'LATCHKEY_SECRET']);
  });

  it('has a message with a line for each fault', () => {
    expect(() => loadConfig({ PORT: 'x' })).toThrow(/^The configuration has a fault:\n {2}PORT: [^\n]+$/);
    expect(() => loadConfig({ PORT: 'x', LATCHKEY_LOG_LEVEL: 'loud' })).toThrow(
      /^The configuration has 2 faults:\n {2}PORT: .+\n {2}LATCHKEY_LOG/,
    );
  });

  it.each(Object.keys(environmentSchema.shape))('never repeats what %s was set to', (name) => {
    const canary = 'canary-7f3a';
    const value = name === 'DATABASE_URL' ? `mysql://user:${canary}@db/latchkey` : canary;
    try {
      loadConfig({ LATCHKEY_LOG_LEVEL: 'loud', [name]: value });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).not.toContain(canary);
      return;
    }
    throw new Error('The configuration was accepted.');
  });

  it.each(['LATCHKEY_SECRET', 'LATCHKEY_ARGON2_MEMORY', 'LATCHKEY_latchkey', 'LATCHKEY_'])(
    'names %s, which is no key: it may have been meant to make something safer',
    (name) => {
      expect(faultsOf({ [name]: 'x' })).toEqual([`${name}: no such key; README lists them`]);
    },
  );
});

describe('a session that is not refreshed', () => {
  const lifetimes = (idle: number): Variables => ({
    LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '900',
    LATCHKEY_REFRESH_GRACE_SECONDS: '10',
    LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: String(idle),
  });

  it.each([600, 900, 910])('may not end before an active client refreshes: %i s', (idle) => {
    expect(faultsOf(lifetimes(idle))).toEqual([
      expect.stringMatching(/^LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: expected more than/) as string,
    ]);
  });

  it('may end any time after that', () => {
    expect(loadConfig(lifetimes(911)).refreshIdleLifetimeSeconds).toBe(911);
  });
});

describe('production', () => {
  it.each<[rule: string, change: Variables, fault: RegExp]>([
    ['without secrets', { LATCHKEY_SECRETS: undefined }, /^LATCHKEY_SECRETS: production needs a secret/],
    ['with an empty secret', { LATCHKEY_SECRETS: '' }, /^LATCHKEY_SECRETS: production needs a secret/],
    ['with nothing but commas for secrets', { LATCHKEY_SECRETS: ' , ,' }, /^LATCHKEY_SECRETS: production needs a secret/],
    ['on a secret made for development', { LATCHKEY_SECRETS: DEVELOPMENT_SECRET_PREFIX + SECRET }, /^LATCHKEY_SECRETS: holds a secret/],
    [
      'that still accepts a secret made for development',
      { LATCHKEY_SECRETS: `${SECRET},${DEVELOPMENT_SECRET_PREFIX}${SECRET}` },
      /^LATCHKEY_SECRETS: holds a secret/,
    ],
    ['on the embedded database', { DATABASE_URL: undefined }, /^DATABASE_URL: production needs a PostgreSQL/],
    [
      'whose permission is no yes',
      { DATABASE_URL: undefined, LATCHKEY_ALLOW_PGLITE: 'false' },
      /^DATABASE_URL: production needs a PostgreSQL/,
    ],
  ])('does not start %s', (_, change, fault) => {
    const faults = faultsOf({ ...PRODUCTION, ...change });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  it.each<[rule: string, change: Variables]>([
    ['development secrets', { LATCHKEY_SECRETS: DEVELOPMENT_SECRET_PREFIX + SECRET, LATCHKEY_ALLOW_DEVELOPMENT_SECRETS: 'true' }],
    ['the embedded database', { DATABASE_URL: undefined, LATCHKEY_ALLOW_PGLITE: 'true' }],
  ])('starts on %s where that is switched on by name', (_, change) => {
    expect(loadConfig({ ...PRODUCTION, ...change }).environment).toBe('production');
  });

  it('serves neither GraphiQL nor introspection unless each is switched on by name', () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({ graphiql: false, introspection: false });
    expect(loadConfig({ ...PRODUCTION, LATCHKEY_GRAPHIQL: 'true' })).toMatchObject({ graphiql: true, introspection: false });
    expect(loadConfig({ ...PRODUCTION, LATCHKEY_INTROSPECTION: 'on' })).toMatchObject({ graphiql: false, introspection: true });
  });
});

describe('the configuration', () => {
  it('has a default for every key but the secrets', () => {
    expect(loadConfig({})).toEqual({
      environment: 'development',
      host: 'localhost',
      port: 4000,
      databaseUrl: undefined,
      dataDir: '.latchkey',
      secrets: [],
      issuer: 'latchkey',
      audience: 'latchkey-api',
      clientId: 'latchkey-app',
      accessTokenLifetimeSeconds: 900,
      refreshIdleLifetimeSeconds: 2_592_000,
      refreshAbsoluteLifetimeSeconds: 31_536_000,
      refreshGraceSeconds: 10,
      clockToleranceSeconds: 5,
      signingAlgorithm: 'EdDSA',
      signingKeyLifetimeSeconds: 2_592_000,
      tokenCacheEntries: 50_000,
      passwordMinLength: 15,
      passwordPeppers: [],
      argon2: { memoryKiB: 19_456, iterations: 2, parallelism: 1, concurrency: Math.min(2, availableParallelism()), queueLimit: 64 },
      addressLimitPerMinute: 1200,
      auditRetentionDays: 365,
      metricsPort: undefined,
      corsOrigins: [],
      trustProxy: [],
      graphiql: true,
      introspection: true,
      databasePoolMax: 10,
      databaseTimeoutMs: 5000,
      shutdownTimeoutSeconds: 10,
      logLevel: 'info',
    });
  });

  it('takes each value from the key that is named for it', () => {
    const config = loadConfig({
      NODE_ENV: 'test',
      HOST: '0.0.0.0',
      PORT: '0',
      DATABASE_URL: 'postgresql://latchkey:p%40ss@db:5433/latchkey?sslmode=require',
      LATCHKEY_DATA_DIR: 'data',
      LATCHKEY_SECRETS: `${SECRET}, ${OLD_SECRET}\n`,
      LATCHKEY_ISSUER: 'https://auth.example.com',
      LATCHKEY_AUDIENCE: 'https://api.example.com',
      LATCHKEY_CLIENT_ID: 'app',
      LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: '3600',
      LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: '4001',
      LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS: '4002',
      LATCHKEY_REFRESH_GRACE_SECONDS: '0',
      LATCHKEY_CLOCK_TOLERANCE_SECONDS: '0',
      LATCHKEY_SIGNING_ALGORITHM: 'RS256',
      LATCHKEY_SIGNING_KEY_LIFETIME_SECONDS: '86400',
      LATCHKEY_TOKEN_CACHE_ENTRIES: '0',
      LATCHKEY_PASSWORD_MIN_LENGTH: '8',
      LATCHKEY_PASSWORD_PEPPERS: `${SECRET},${OLD_SECRET}`,
      LATCHKEY_ARGON2_MEMORY_KIB: '65536',
      LATCHKEY_ARGON2_ITERATIONS: '3',
      LATCHKEY_ARGON2_PARALLELISM: '4',
      LATCHKEY_ARGON2_CONCURRENCY: '5',
      LATCHKEY_ARGON2_QUEUE: '6',
      LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: '8',
      LATCHKEY_AUDIT_RETENTION_DAYS: '10',
      LATCHKEY_METRICS_PORT: '9464',
      LATCHKEY_CORS_ORIGINS: 'https://a.example.com,http://localhost:5173,app://my-app',
      LATCHKEY_TRUST_PROXY: '10.0.0.0/8 ::1',
      LATCHKEY_GRAPHIQL: 'false',
      LATCHKEY_INTROSPECTION: '0',
      LATCHKEY_DATABASE_POOL_MAX: '7',
      LATCHKEY_DATABASE_TIMEOUT_MS: '800',
      LATCHKEY_SHUTDOWN_TIMEOUT_SECONDS: '9',
      LATCHKEY_LOG_LEVEL: 'silent',
    });
    expect(config).toEqual({
      environment: 'test',
      host: '0.0.0.0',
      port: 0,
      databaseUrl: 'postgresql://latchkey:p%40ss@db:5433/latchkey?sslmode=require',
      dataDir: 'data',
      secrets: [SECRET, OLD_SECRET],
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      clientId: 'app',
      accessTokenLifetimeSeconds: 3600,
      refreshIdleLifetimeSeconds: 4001,
      refreshAbsoluteLifetimeSeconds: 4002,
      refreshGraceSeconds: 0,
      clockToleranceSeconds: 0,
      signingAlgorithm: 'RS256',
      signingKeyLifetimeSeconds: 86_400,
      tokenCacheEntries: 0,
      passwordMinLength: 8,
      passwordPeppers: [SECRET, OLD_SECRET],
      argon2: { memoryKiB: 65_536, iterations: 3, parallelism: 4, concurrency: 5, queueLimit: 6 },
      addressLimitPerMinute: 8,
      auditRetentionDays: 10,
      metricsPort: 9464,
      corsOrigins: ['https://a.example.com', 'http://localhost:5173', 'app://my-app'],
      trustProxy: ['10.0.0.0/8', '::1'],
      graphiql: false,
      introspection: false,
      databasePoolMax: 7,
      databaseTimeoutMs: 800,
      shutdownTimeoutSeconds: 9,
      logLevel: 'silent',
    });
  });

  it('takes an empty variable for an absent one', () => {
    const empty = Object.fromEntries(Object.keys(environmentSchema.shape).map((name) => [name, '']));
    expect(loadConfig(empty)).toEqual(loadConfig({}));
  });

  it('leaves the rest of the environment alone', () => {
    expect(loadConfig({ PATH: '/bin', HOME: '/', npm_config_loglevel: 'error' })).toEqual(loadConfig({}));
  });
});
