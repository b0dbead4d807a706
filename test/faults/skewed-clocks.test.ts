import { afterAll, beforeAll, expect, it } from 'vitest';

import { systemClock } from '../../src/clock.js';
import { createSecretRing } from '../../src/crypto/secret-ring.js';
import { createKeyRing } from '../../src/keys/key-ring.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createSigningKeyStore } from '../../src/persistence/signing-key.store.js';
import { createAccessTokens, type AccessTokens } from '../../src/tokens/access-token.js';
import type { Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { latchkey } from '../support/command.js';
import { testConfig, type Variables } from '../support/config.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I } from '../support/honest-client.js';
import { recordingLog } from '../support/log.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { ageSession, sessionState } from '../support/session-rows.js';

const preload = new URL('../support/skewed-clock.mjs', import.meta.url).href;
const DAY = 24 * 60 * 60;
const LIFETIME = 900;
const IDLE_LIFETIME = 30 * DAY;
/** Wide, so that a test that is held up for some seconds is on the same side of it still. */
const TOLERANCE = 30;

describeOnPostgres('a replica whose clock is two minutes wrong', () => {
  let cluster: PostgresCluster;
  let fast: Replica;
  let slow: Replica;
  let database: Database;
  let accessTokens: AccessTokens;
  let variables: Variables;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    variables = {
      DATABASE_URL: cluster.url,
      LATCHKEY_SECRETS: 'a-secret-that-is-used-in-tests-and-nowhere-else',
      LATCHKEY_CLOCK_TOLERANCE_SECONDS: String(TOLERANCE),
    };
    const skewed = (seconds: number) => createReplica(variables, { NODE_OPTIONS: `--import ${preload}`, SKEW_SECONDS: String(seconds) });
    fast = await skewed(120);
    slow = await skewed(-120);
    await fast.start();
    await slow.start();

    // Tokens of any age, as the database's clock would have dated them.
    const config = testConfig(variables);
    const { log } = recordingLog();
    database = await openDatabase(config, log);
    const keys = createKeyRing({
      store: createSigningKeyStore(database),
      secrets: createSecretRing(config.secrets),
      algorithm: config.signingAlgorithm,
      lifetimeSeconds: config.signingKeyLifetimeSeconds,
      clock: systemClock,
      log,
    });
    await keys.load();
    accessTokens = createAccessTokens({ keys, clock: systemClock, settings: config });
  });

  afterAll(async () => {
    await fast.kill();
    await slow.kill();
    await database.close();
    await cluster.remove();
  });

  /** An access token of a session, issued and expiring so many seconds from now. */
  const tokenOf = ({ session, user }: Tokens, { issued, expires }: { issued: number; expires: number }) => {
    const now = Math.floor(Date.now() / 1000);
    return accessTokens.issue({
      subject: user.id,
      sessionId: session.id,
      generation: 1,
      userVersion: 1,
      scopes: [],
      authTime: now + issued,
      issuedAt: now + issued,
      expiresAt: now + expires,
    });
  };

  it.each([
    ['fast', 'expires in 140 s', { issued: -760, expires: 140 }, 'answered'],
    ['fast', 'expires in 105 s, 15 s ago there', { issued: -795, expires: 105 }, 'answered'],
    ['fast', 'expires in 75 s, 45 s ago there', { issued: -825, expires: 75 }, 'TOKEN_EXPIRED'],
    ['fast', 'was issued just now', { issued: 0, expires: 900 }, 'answered'],
    ['slow', 'expired 105 s ago, in 15 s there', { issued: -1005, expires: -105 }, 'answered'],
    ['slow', 'expired 135 s ago, 15 s ago there', { issued: -1035, expires: -135 }, 'answered'],
    ['slow', 'expired 165 s ago, 45 s ago there', { issued: -1065, expires: -165 }, 'TOKEN_EXPIRED'],
    ['slow', 'was issued 105 s ago, in 15 s there', { issued: -105, expires: 795 }, 'answered'],
    ['slow', 'was issued 75 s ago, in 45 s there', { issued: -75, expires: 825 }, 'TOKEN_INVALID'],
  ])('R13: the %s one judges a token that %s by its own clock, within the tolerance alone', async (name, _what, times, verdict) => {
    const replica = name === 'fast' ? fast : slow;
    const { tokens } = await HonestClient.register([replica.url]);
    const outcome = await call(replica.url, WHO_AM_I, {}, bearer(await tokenOf(tokens, times)));
    expect(outcome.kind === 'refused' ? outcome.code : outcome.kind).toBe(verdict);
  });

  it.each([['fast'], ['slow']])('R13: refreshing at the %s one goes by the clock of the database', async (name) => {
    const { url } = name === 'fast' ? fast : slow;
    const refresh = ({ refreshToken }: Tokens) =>
      callUntilAnswered(() => call<Tokens>(url, operation('refresh'), { input: { refreshToken } }));
    const pairOf = async (tokens: Tokens) => {
      const outcome = await refresh(tokens);
      if (outcome.kind !== 'answered') throw new Error(`refused: ${JSON.stringify(outcome)}`);
      return outcome.answer;
    };
    const { tokens } = await HonestClient.register([url]);
    const { id } = tokens.session;

    const second = await pairOf(tokens);
    expect(second).toMatchObject({ expiresIn: LIFETIME, refreshTokenExpiresIn: IDLE_LIFETIME });
    expect((await pairOf(second)).refreshToken).toBe(second.refreshToken);
    await ageSession(cluster, id, 11);
    const third = await pairOf(second);
    expect(third.refreshToken).not.toBe(second.refreshToken);
    await ageSession(cluster, id, IDLE_LIFETIME - 60);
    const fourth = await pairOf(third);
    expect(fourth.refreshToken).not.toBe(third.refreshToken);
    await ageSession(cluster, id, IDLE_LIFETIME + 1);
    expect(await refresh(fourth)).toEqual({ kind: 'refused', code: 'INVALID_REFRESH_TOKEN' });
    expect(await sessionState(cluster, id)).toMatchObject({ generation: 4, revokedReason: null });
  });

  it('R13: a revocation is kept for as long as the slow one believes the tokens that it ends, restarts and purges notwithstanding', async () => {
    const [revoked, other] = await Promise.all([HonestClient.register([slow.url]), HonestClient.register([slow.url])]);
    await callUntilAnswered(() => call(fast.url, operation('logout'), { input: { refreshToken: revoked.tokens.refreshToken } }));
    // Everything that the revocation was for has expired two minutes and a half ago, by the database's clock.
    await cluster.query(`UPDATE revocation SET expires_at = now() - interval '60 seconds'`);
    await latchkey(['purge'], variables);
    await slow.kill();
    await slow.start();
    const times = { issued: -1000, expires: -100 };
    const believed = await call(slow.url, WHO_AM_I, {}, bearer(await tokenOf(other.tokens, times)));
    const refused = await call(slow.url, WHO_AM_I, {}, bearer(await tokenOf(revoked.tokens, times)));
    const atTheFast = await call(fast.url, WHO_AM_I, {}, bearer(await tokenOf(revoked.tokens, { issued: -700, expires: 200 })));
    printFigures('R13', {
      'seconds of skew': '+-120',
      'tokens accepted after revocation': [refused, atTheFast].filter(({ kind }) => kind === 'answered').length,
    });
    expect(believed.kind).toBe('answered');
    expect(refused).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
    expect(atTheFast).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
  });
});
