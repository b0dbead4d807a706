import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';

const MILLION = 1_000_000;
const SESSIONS = 100_000;
const LARGEST_GROWTH_BYTES = 64 * 1024 * 1024;

interface Measured {
  size: number;
  grownBytes: number;
  missed: number;
  falsePositives: number;
}

describeOnPostgres('very many revocations', () => {
  let cluster: PostgresCluster;
  let replicas: [Replica, Replica];

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    replicas = [await createReplica({ DATABASE_URL: cluster.url }), await createReplica({ DATABASE_URL: cluster.url })];
    await replicas[0].start();
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  it('R16: a million of them take less than 64 MB of memory', async () => {
    const script = fileURLToPath(new URL('../support/revocation-memory.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, String(MILLION)]);
    const { size, grownBytes, missed, falsePositives } = JSON.parse(stdout) as Measured;
    printFigures('R16', { revocations: size, 'resident MB': grownBytes / 1024 / 1024, missed, 'false positives': falsePositives });
    expect({ size, missed, falsePositives }).toEqual({ size: MILLION, missed: 0, falsePositives: 0 });
    expect(grownBytes).toBeLessThan(LARGEST_GROWTH_BYTES);
  });

  it('R16: the logout of all of a hundred thousand sessions writes one row to the feed', async () => {
    const [{ url }] = replicas;
    const { tokens } = await HonestClient.register([url]);
    await cluster.query(
      `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
       SELECT gen_random_uuid(), user_id, 1, current_hash, secret_id, 'OTHER', idle_expires_at, absolute_expires_at
         FROM session, generate_series(2, $2) WHERE id = $1`,
      [tokens.session.id, SESSIONS],
    );
    const begun = performance.now();
    const outcome = await call(url, operation('logout'), { input: { refreshToken: tokens.refreshToken, sessions: 'ALL_SESSIONS' } });
    const tookMs = performance.now() - begun;
    // Beside what told the replicas of the first signing key.
    const rows = await cluster.query(`SELECT kind FROM revocation WHERE kind <> 'keys'`);
    const live = await cluster.query(
      'SELECT 1 FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.revoked_at IS NULL AND s.user_version >= u.session_version',
    );
    printFigures('R16', { 'sessions ended': SESSIONS, 'rows of the feed': rows.length, 'sessions left': live.length, 'took ms': tookMs });
    expect(outcome.kind).toBe('answered');
    expect(rows).toEqual([{ kind: 'user' }]);
    expect(live).toEqual([]);
    expect((await call(url, WHO_AM_I, {}, bearer(tokens.accessToken))).kind).toBe('refused');
    expect(await call(url, operation('refresh'), { input: { refreshToken: tokens.refreshToken } })).toEqual({
      kind: 'refused',
      code: 'INVALID_REFRESH_TOKEN',
    });
  });

  it('R16: a hundred thousand at once reach a replica that runs, and a million one that starts', async () => {
    const [running, starting] = replicas;
    /** Revokes many sessions in one transaction, this one last, as replicas find them after a long time without the database. */
    const revokeMany = (count: number, { tokens }: HonestClient) =>
      cluster.query(
        `INSERT INTO revocation (kind, key, expires_at)
         SELECT 'session', CASE WHEN n < $2 THEN gen_random_uuid() ELSE $1::uuid END, now() + interval '15 minutes' FROM generate_series(1, $2) AS n`,
        [tokens.session.id, count],
      );
    const isRefused = async ({ url }: Replica, { tokens }: HonestClient) =>
      (await call(url, WHO_AM_I, {}, bearer(tokens.accessToken))).kind === 'refused';
    const [first, second] = await Promise.all([HonestClient.register([running.url]), HonestClient.register([running.url])]);

    await revokeMany(SESSIONS, first);
    const begun = performance.now();
    while (!(await isRefused(running, first)) && performance.now() < begun + 20_000) await pause(20);
    const seenAfterMs = performance.now() - begun;
    expect(await isRefused(running, first)).toBe(true);

    await running.kill();
    await revokeMany(MILLION - SESSIONS, second);
    const launched = performance.now();
    await starting.start();
    const readyAfterMs = performance.now() - launched;
    printFigures('R16', { 'read at once': SESSIONS, 'after ms': seenAfterMs, 'read at start': MILLION, 'ready after ms': readyAfterMs });
    expect(await isRefused(starting, first)).toBe(true);
    expect(await isRefused(starting, second)).toBe(true);
  });
});
