import argon2 from 'argon2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { AuthError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const LIMIT = 5;
const PASSWORD = 'not the password of anyone';
const LOGIN = operation('login');

describe('A10: the limit on one address', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  /** Believes what this machine says of others. */
  let proxied: TestServer;
  /** Believes nobody, and a proxy elsewhere. */
  let open: TestServer;
  let elsewhere: TestServer;
  let guesses = 0;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    database = await openDatabase(testConfig(testDatabase.variables), createLogger({ logLevel: 'silent' }));
    const start = (more: Variables) =>
      startTestServer({
        variables: { ...testDatabase.variables, LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: String(LIMIT), ...more },
        // Its minute does not pass.
        overrides: { clock: { now: () => Date.now(), monotonic: () => 0 }, database: { ...database, close: () => Promise.resolve() } },
      });
    proxied = await start({ LATCHKEY_TRUST_PROXY: '127.0.0.1' });
    open = await start({});
    elsewhere = await start({ LATCHKEY_TRUST_PROXY: '10.0.0.0/8' });
  });

  afterAll(async () => {
    for (const server of [proxied, open, elsewhere]) await server.close();
    await database.close();
    await testDatabase.drop();
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Tries a password for somebody else each time: no account is limited. */
  const identifier = () => `nobody${(guesses += 1)}@example.com`;
  const guess = async (server: TestServer, headers: Record<string, string>): Promise<string> => {
    const { errors } = await server.graphql(LOGIN, { input: { identifier: identifier(), password: PASSWORD } }, headers);
    return errors[0]!.extensions.code;
  };
  const codes = async (server: TestServer, each: readonly Record<string, string>[]) => {
    const all: string[] = [];
    for (const headers of each) all.push(await guess(server, headers));
    return all;
  };
  const limitedAfter = (count: number, more: number) => [
    ...Array<string>(count).fill('INVALID_CREDENTIALS'),
    ...Array<string>(more).fill('RATE_LIMITED'),
  ];

  it('counts ten thousand IPv6 addresses of one /64 as one, for the work of a few', async () => {
    const addresses = Array.from(
      { length: 10_000 },
      (_, i) => `2001:db8:0:7:${i.toString(16)}:${((i * 7919) & 0xffff).toString(16)}:0:${(i & 0xff).toString(16)}`,
    );
    const spy = vi.spyOn(argon2, 'verify');
    const byHttp = addresses.slice(0, 2 * LIMIT).map((address) => ({ 'x-forwarded-for': address }));
    expect(await codes(proxied, byHttp)).toEqual(limitedAfter(LIMIT, LIMIT));
    const rest = addresses
      .slice(2 * LIMIT)
      .map((ipAddress) =>
        proxied.accounts
          .authenticate(identifier(), PASSWORD, { ipAddress, userAgent: null, signedIn: null })
          .catch((error: unknown) => error),
      );
    const faults = (await Promise.all(rest)).map((error) => error instanceof AuthError && error.fault.code);
    expect(new Set(faults)).toEqual(new Set(['RATE_LIMITED']));
    expect(spy).toHaveBeenCalledTimes(LIMIT);
    expect(await guess(proxied, { 'x-forwarded-for': '2001:db8:0:8::1' })).toBe('INVALID_CREDENTIALS');
  });

  it('counts an IPv4 address as itself, in every form that it comes in', async () => {
    const forms = [
      '192.0.2.9',
      '::ffff:192.0.2.9',
      '::FFFF:192.0.2.9',
      '::ffff:c000:209',
      '0:0:0:0:0:ffff:c000:0209',
      '0000:0000:0000:0000:0000:ffff:192.0.2.9',
    ];
    expect(
      await codes(
        proxied,
        forms.map((address) => ({ 'x-forwarded-for': address })),
      ),
    ).toEqual(limitedAfter(LIMIT, forms.length - LIMIT));
    expect(await guess(proxied, { 'x-forwarded-for': '192.0.2.10' })).toBe('INVALID_CREDENTIALS');
  });

  it('counts all whose address a proxy does not tell as one', async () => {
    const nameless = ['unknown', '_hidden', '192.0.2.300', '192.0.2.11:port', ''].map((address) => ({
      'x-forwarded-for': `198.51.100.1, ${address}`,
    }));
    expect(await codes(proxied, nameless)).toEqual(limitedAfter(LIMIT, nameless.length - LIMIT));
  });

  it('counts what the proxy saw, not what a client wrote before it', async () => {
    const forged = Array.from({ length: LIMIT + 3 }, (_, i) => ({ 'x-forwarded-for': `198.51.100.${i}, 2001:db8::${i}, 203.0.113.5` }));
    expect(await codes(proxied, forged)).toEqual(limitedAfter(LIMIT, 3));
  });

  it.each<[string, () => TestServer]>([
    ['no proxy is trusted', () => open],
    ['another proxy is', () => elsewhere],
  ])('counts the connection, whatever a client says of where it comes from, when %s', async (_name, server) => {
    const forged = Array.from({ length: LIMIT + 3 }, (_, i) => ({
      'x-forwarded-for': `198.51.100.${i}`,
      'x-real-ip': `198.51.100.${i}`,
      'x-client-ip': `198.51.100.${i}`,
      'cf-connecting-ip': `198.51.100.${i}`,
      forwarded: `for=198.51.100.${i}`,
      'x-forwarded-host': `host${i}.example`,
      'x-forwarded-proto': 'https',
    }));
    expect(await codes(server(), forged)).toEqual(limitedAfter(LIMIT, 3));
  });
});
