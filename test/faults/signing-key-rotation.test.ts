import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { printFigures } from '../support/figures.js';
import { call, WHO_AM_I } from '../support/honest-client.js';
import { compactJwt, signers } from '../support/jwt.js';
import type { LogLine } from '../support/log.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { startStorm } from '../support/storm.js';

const SECRET = 'the-secret-that-seals-the-signing-keys';
const DELAY_MS = 100;
const FORGERIES = 1000;
/** As the key ring asks for its keys. */
const LOAD = 'from "signing_key"';
/** An unknown kid loads the keys once in so long. */
const RELOAD_INTERVAL_MS = 30_000;
/** It looks after its keys once in so long, for which it loads them twice. */
const MAINTENANCE_INTERVAL_MS = 60_000;
const PATIENCE = { timeout: 20_000 };

describeOnPostgres('signing keys, one replica slow to learn of them', () => {
  let cluster: PostgresCluster;
  let proxy: FaultProxy;
  let quick: Replica;
  let lagging: Replica;
  let startedAt: number;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port }, [LOAD]);
    const url = new URL(cluster.url);
    url.port = String(proxy.port);
    const variables = { LATCHKEY_SECRETS: SECRET, LATCHKEY_REFRESH_GRACE_SECONDS: '1' };
    quick = await createReplica({ ...variables, DATABASE_URL: cluster.url });
    lagging = await createReplica({ ...variables, DATABASE_URL: url.href });
    await quick.start();
    startedAt = performance.now();
    await lagging.start();
  });

  afterAll(async () => {
    await quick.kill();
    await lagging.kill();
    await proxy.close();
    await cluster.remove();
  });

  it('R15: a thousand tokens with a thousand unknown kids make it load its keys once', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const now = Math.floor(Date.now() / 1000);
    const forge = () => {
      const header = { alg: 'EdDSA', typ: 'at+jwt', kid: randomBytes(32).toString('base64url') };
      const claims = {
        iss: 'latchkey',
        aud: 'latchkey-api',
        sub: randomUUID(),
        sid: randomUUID(),
        iat: now,
        exp: now + 900,
        jti: randomUUID(),
      };
      return compactJwt(header, claims, signers.eddsa(privateKey));
    };
    const before = proxy.timesAsked(LOAD);
    const begunAt = performance.now();
    let refused = 0;
    for (let sent = 0; sent < FORGERIES; sent += 50) {
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => call(lagging.url, WHO_AM_I, {}, bearer(forge()))));
      refused += outcomes.filter((outcome) => outcome.kind === 'refused' && outcome.code === 'TOKEN_INVALID').length;
    }
    const endedAt = performance.now();
    const loads = proxy.timesAsked(LOAD) - before;
    const allowed = Math.ceil((endedAt - begunAt) / RELOAD_INTERVAL_MS) + 2 * Math.floor((endedAt - startedAt) / MAINTENANCE_INTERVAL_MS);
    printFigures('R15', { 'tokens with unknown kids': FORGERIES, refused, 'loads of the keys': loads });
    expect(before).toBeGreaterThan(0);
    expect(refused).toBe(FORGERIES);
    // One, where a thousand calls take less than half a minute.
    expect(loads).toBeLessThanOrEqual(allowed);
    // The next test needs an unknown kid looked up again.
    await lagging.stop();
    await lagging.start();
  });

  it('R15: rotation under fifty clients, of which any asks any replica, fails no call', async () => {
    proxy.delay(DELAY_MS);
    const storm = await startStorm([quick.url, lagging.url]);
    const rotate = (...options: string[]) =>
      promisify(execFile)(process.execPath, ['dist/cli/main.js', 'keys', 'rotate', ...options], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { NODE_ENV: 'test', DATABASE_URL: cluster.url, LATCHKEY_SECRETS: SECRET },
      });
    const kidsOfBoth = () => Promise.all([quick, lagging].map(({ url }) => kidsOf(url)));
    const kidsInUse = () => new Set(storm.clients.map(({ tokens }) => decodeProtectedHeader(tokens.accessToken).kid));
    await storm.healed();
    const first = await kidsOf(quick.url);
    await rotate();
    // Published before it signs, on both.
    await expect.poll(async () => (await kidsOfBoth()).map(({ length }) => length), PATIENCE).toEqual([2, 2]);
    const published = await kidsOf(quick.url);
    await storm.healed();
    expect([...kidsInUse()]).toEqual(first);
    await rotate('--immediately');
    await expect.poll(() => [...kidsInUse()].filter((kid) => !published.includes(kid!)).length, PATIENCE).toBe(1);
    await expect.poll(() => kidsInUse().size, PATIENCE).toBe(1);
    await storm.end();
    const [kid, ...others] = kidsInUse();
    // A database that does not answer in time makes a call be tried again, whatever the keys do; nothing else may.
    const unanswered = [quick, lagging].flatMap(({ log }) => log).filter(tellsOfTimeout).length;
    printFigures('R15', {
      'calls made': storm.calls,
      refreshed: storm.refreshes,
      failures: storm.unexpected.length + storm.lost.length,
      'to be tried again': storm.retries,
      'not answered by the database in time': unanswered,
      'sessions lost': storm.lost.length,
    });
    expect(storm.unexpected).toEqual([]);
    expect(storm.lost).toEqual([]);
    expect(unanswered > 0 ? 0 : storm.retries).toBe(0);
    expect(others).toEqual([]);
    expect(published).not.toContain(kid);
  });
});

function tellsOfTimeout({ err }: LogLine): boolean {
  return ((err as { message: string } | undefined)?.message ?? '').includes('timeout');
}

async function kidsOf(url: string): Promise<string[]> {
  const response = await fetch(`${url}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
}
