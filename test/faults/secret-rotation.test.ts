import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createSecretRing } from '../../src/crypto/secret-ring.js';
import type { Tokens } from '../support/calls.js';
import { operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, HonestClient } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { sessionState } from '../support/session-rows.js';
import { startStorm, STORM_VARIABLES } from '../support/storm.js';

const OLD = 'the-secret-that-everything-was-sealed-with';
const NEW = 'the-secret-that-everything-will-be-sealed-with';

describeOnPostgres('LATCHKEY_SECRETS, replaced while fifty clients refresh', () => {
  let cluster: PostgresCluster;
  let replicas: [Replica, Replica];

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    const variables = { DATABASE_URL: cluster.url, LATCHKEY_SECRETS: OLD, ...STORM_VARIABLES };
    replicas = [await createReplica(variables), await createReplica(variables)];
    for (const replica of replicas) await replica.start();
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.remove();
  });

  const roll = async (secrets: string) => {
    for (const replica of replicas) {
      await replica.stop();
      await replica.start({ LATCHKEY_SECRETS: secrets });
      await pause(500);
    }
  };

  /** Signing keys, and sessions of those who are awake, that the secret has not sealed yet. */
  const sealedBefore = async (secret: string, asleep: readonly string[]) => {
    const [row] = await cluster.query<{ count: number }>(
      `SELECT ((SELECT count(*) FROM session WHERE secret_id <> $1 AND id <> ALL ($2::uuid[]))
             + (SELECT count(*) FROM signing_key WHERE secret_id <> $1))::int AS count`,
      [createSecretRing([secret]).active.id, asleep],
    );
    return row!.count;
  };

  it('R14: rolled out in steps it signs nobody out; a secret that is dropped ends what it alone sealed, and revokes nothing', async () => {
    const sleepers = await Promise.all(Array.from({ length: 5 }, () => HonestClient.register([replicas[0].url])));
    const storm = await startStorm(replicas.map(({ url }) => url));

    // Accepted everywhere before it is used anywhere.
    await roll(`${OLD},${NEW}`);
    await roll(`${NEW},${OLD}`);
    // Everyone who is awake has a token of the new secret, and the signing keys are sealed anew.
    const asleep = sleepers.map(({ tokens }) => tokens.session.id);
    await expect.poll(() => sealedBefore(NEW, asleep), { timeout: 30_000 }).toBe(0);
    // Whose row says so may still wait for the answer.
    await storm.healed();
    await roll(NEW);
    await storm.end();

    const codes = [];
    for (const { tokens } of sleepers) {
      const { refreshToken } = tokens;
      const outcome = await call<Tokens>(replicas[0].url, operation('refresh'), { input: { refreshToken } });
      codes.push(outcome.kind === 'refused' ? outcome.code : outcome.kind);
      expect(await sessionState(cluster, tokens.session.id)).toMatchObject({ generation: 1, revokedReason: null });
    }
    const ended = await cluster.query('SELECT revoked_reason FROM session WHERE revoked_at IS NOT NULL');
    const entries = await cluster.query(`SELECT kind FROM revocation WHERE kind <> 'keys'`);
    printFigures('R14', {
      'replicas restarted': 6,
      'calls made': storm.calls,
      refreshed: storm.refreshes,
      'to be tried again': storm.retries,
      'sessions lost': storm.lost.length,
      'sessions ended': ended.length,
      'sleepers of the dropped secret refused': codes.length,
    });
    expect(storm.unexpected).toEqual([]);
    expect(storm.lost).toEqual([]);
    expect(codes).toEqual(sleepers.map(() => 'INVALID_REFRESH_TOKEN'));
    expect(ended).toEqual([]);
    expect(entries).toEqual([]);
  });
});
