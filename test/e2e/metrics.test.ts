import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createServer, type LatchkeyServer } from '../../src/server.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer, createClient, operation, type GraphqlClient } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** Every metric there is, and its labels. */
const METRICS: Record<string, readonly string[]> = {
  latchkey_requests_total: ['operation', 'outcome'],
  latchkey_request_seconds: ['operation', 'le'],
  latchkey_logins_total: ['outcome'],
  latchkey_refreshes_total: ['verdict'],
  latchkey_revocations_total: ['kind'],
  latchkey_access_token_checks_total: ['result'],
  latchkey_revocation_feed_age_seconds: [],
  latchkey_revocations_live: [],
  latchkey_argon2_waiting: [],
  latchkey_database_connections: [],
  latchkey_database_connections_idle: [],
  latchkey_database_waiting: [],
};

let testDatabase: TestDatabase;
let server: LatchkeyServer;
let graphql: GraphqlClient;
let call: Calls;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const variables: Variables = { ...testDatabase.variables, LATCHKEY_METRICS_PORT: '0', LATCHKEY_REFRESH_GRACE_SECONDS: '0' };
  server = await createServer(testConfig(variables));
  graphql = createClient(server.url);
  call = createCalls(graphql);
});

afterAll(async () => {
  await server.close();
  await testDatabase.drop();
});

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const scrape = async () => (await fetch(server.metricsUrl!)).text();

function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)!;
      return {
        name,
        labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text])),
        value: Number(value),
      };
    });
}

/** The value of a series; 0 when nobody has counted it yet. */
async function valueOf(name: string, labels: Record<string, string> = {}): Promise<number> {
  const wanted = JSON.stringify(labels);
  return samplesOf(await scrape()).find((sample) => sample.name === name && JSON.stringify(sample.labels) === wanted)?.value ?? 0;
}

/** By how much some work raises a series. */
async function raise(name: string, labels: Record<string, string>, work: () => Promise<unknown>): Promise<number> {
  const before = await valueOf(name, labels);
  await work();
  return (await valueOf(name, labels)) - before;
}

describe('metrics', () => {
  it('are served on a port of their own, in the format of Prometheus, and nowhere else', async () => {
    const response = await fetch(server.metricsUrl!);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(new URL(server.metricsUrl!).port).not.toBe(new URL(server.url).port);
    expect((await fetch(new URL('/metrics', server.url))).status).toBe(404);
  });

  it.each([
    ['GET', '/'],
    ['GET', '/metrics/'],
    ['GET', '/metrics?name=x'],
    ['POST', '/metrics'],
    ['POST', '/graphql'],
    ['GET', '/graphql'],
  ])('are all there is on that port: %s %s', async (method, path) => {
    const response = await fetch(new URL(path, server.metricsUrl), { method });
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('There is nothing here but /metrics.\n');
  });

  it('are not served unless a port is given', async () => {
    const own = await createTestDatabase();
    const silent = await createServer(testConfig(own.variables));
    expect(silent.metricsUrl).toBeUndefined();
    await silent.close();
    await own.drop();
  });

  it.each<[what: string, name: string, labels: Record<string, string>, work: () => Promise<unknown>]>([
    [
      'a request by its operation',
      'latchkey_requests_total',
      { operation: 'Viewer', outcome: 'UNAUTHENTICATED' },
      () => graphql(operation('viewer')),
    ],
    [
      'a sign-in',
      'latchkey_requests_total',
      { operation: 'Register', outcome: 'ok' },
      () => call.answer('register', { input: newPerson() }),
    ],
    ['its time', 'latchkey_request_seconds_count', { operation: 'Viewer' }, () => graphql(operation('viewer'))],
    [
      'a password that is wrong',
      'latchkey_logins_total',
      { outcome: 'failed' },
      () => call.fault('login', { input: { identifier: 'nobody', password: PASSWORD } }),
    ],
    [
      'a password that is right',
      'latchkey_logins_total',
      { outcome: 'succeeded' },
      async () => {
        const person = newPerson();
        await call.answer('register', { input: person });
        await call.answer('login', { input: { identifier: person.email, password: person.password } });
      },
    ],
    [
      'a password that was not looked at',
      'latchkey_logins_total',
      { outcome: 'throttled' },
      async () => {
        for (let i = 0; i < 6; i += 1) await call.fault('login', { input: { identifier: 'somebody', password: PASSWORD } });
      },
    ],
    [
      'garbage for a refresh token',
      'latchkey_refreshes_total',
      { verdict: 'garbage' },
      () => call.fault('refresh', { input: { refreshToken: 'x' } }),
    ],
    [
      'a token that is no token',
      'latchkey_access_token_checks_total',
      { result: 'rejected' },
      () => graphql(operation('viewer'), {}, bearer('a.b.c')),
    ],
  ])('count %s', async (_what, name, labels, work) => {
    expect(await raise(name, labels, work)).toBe(1);
  });

  it('count refresh tokens by what became of them', async () => {
    const refresh = (refreshToken: string) => graphql<{ refresh: Tokens }>(operation('refresh'), { input: { refreshToken } });
    const first = await call.answer<Tokens>('register', { input: newPerson() });
    let second = first;
    expect(
      await raise('latchkey_refreshes_total', { verdict: 'rotated' }, async () => {
        second = (await refresh(first.refreshToken)).data!.refresh;
      }),
    ).toBe(1);
    expect(await raise('latchkey_refreshes_total', { verdict: 'repeated' }, () => refresh(first.refreshToken))).toBe(1);
    expect(await raise('latchkey_refreshes_total', { verdict: 'rotated' }, () => refresh(second.refreshToken))).toBe(1);
    expect(await raise('latchkey_refreshes_total', { verdict: 'reused' }, () => refresh(first.refreshToken))).toBe(1);
    expect(await raise('latchkey_refreshes_total', { verdict: 'ended' }, () => refresh(second.refreshToken))).toBe(1);
    expect(await valueOf('latchkey_revocations_total', { kind: 'session' })).toBeGreaterThan(0);
    expect(await valueOf('latchkey_revocations_live')).toBeGreaterThan(0);
  });

  it('count access tokens that were verified, and those that were remembered', async () => {
    const { accessToken } = await call.answer<Tokens>('register', { input: newPerson() });
    const viewer = () => graphql('{ viewer { id } }', {}, bearer(accessToken));
    expect(await raise('latchkey_access_token_checks_total', { result: 'verified' }, viewer)).toBe(1);
    expect(await raise('latchkey_access_token_checks_total', { result: 'cached' }, viewer)).toBe(1);
  });

  it('count what a client calls an operation as "other", unless it is the name of a field', async () => {
    const names = ['Steal', 'viewer', '__proto__', 'constructor', 'toString', 'x'.repeat(500), 'Viewer2'];
    const other = await raise('latchkey_requests_total', { operation: 'other', outcome: 'UNAUTHENTICATED' }, async () => {
      for (const name of names) await graphql(`query ${name} { viewer { id } }`);
      await graphql('{ viewer { id } }');
    });
    expect(other).toBe(names.length + 1);
  });

  it('have all there should be, with few labels, each with few values, none of a client', async () => {
    for (const [document, variables] of [
      ['{', {}],
      ['{ nothing }', {}],
      ['query ($a: Int!) { users(first: $a) { totalCount } }', { a: 'canary-variable' }],
      ['mutation Canary { login(input: { identifier: "canary-literal", password: "canary-password-15" }) { scope } }', {}],
    ] as const) {
      await graphql(document, variables, { 'user-agent': 'canary-agent' });
    }
    await graphql('{ viewer { id } }', {}, bearer('canary.canary.canary'));

    const text = await scrape();
    const samples = samplesOf(text);
    expect(text).not.toMatch(/canary/i);
    const families = new Set([...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name));
    expect(families).toEqual(new Set(Object.keys(METRICS)));
    for (const [name, labels] of Object.entries(METRICS)) {
      const own = samples.filter((sample) => sample.name === name || sample.name.replace(/_(bucket|sum|count)$/, '') === name);
      expect(own.length, name).toBeGreaterThan(0);
      expect(new Set(own.flatMap((sample) => Object.keys(sample.labels))), name).toEqual(new Set(labels));
    }
    const values = new Set(
      samples
        .flatMap((sample) => Object.entries(sample.labels))
        .filter(([label]) => label !== 'le')
        .map(([, value]) => value),
    );
    for (const value of values) expect(value).toMatch(/^[A-Za-z_]{2,32}$/);
    expect(text).toMatch(/^# HELP latchkey_requests_total \S/m);
  });

  it('tell how it stands: the feed is fresh, nobody waits', async () => {
    await expect.poll(() => valueOf('latchkey_revocation_feed_age_seconds')).toBeLessThan(2);
    expect(await valueOf('latchkey_argon2_waiting')).toBe(0);
    expect(await valueOf('latchkey_database_connections')).toBeGreaterThan(0);
    expect(await valueOf('latchkey_database_waiting')).toBe(0);
  });
});
