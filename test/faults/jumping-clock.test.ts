import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { bearer, operation } from '../support/client.js';
import type { Tokens } from '../support/calls.js';
import { latchkey } from '../support/command.js';
import { describeOnPostgres } from '../support/database.js';
import { printFigures } from '../support/figures.js';
import { tally } from '../support/flood.js';
import { call, callUntilAnswered, HonestClient, WHO_AM_I, type Outcome } from '../support/honest-client.js';
import { createMovableClock, type MovableClock } from '../support/movable-clock.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';

const CLIENTS = 20;
const HOUR = 3600;
const MINUTE = 60;

describeOnPostgres('a database whose clock jumps by an hour, forth and back', () => {
  let clock: MovableClock;
  let cluster: PostgresCluster;
  let staying: Replica;
  let restarted: Replica;

  beforeAll(async () => {
    await build();
    clock = await createMovableClock();
    cluster = await startPostgresCluster([], clock.environment);
    staying = await createReplica({ DATABASE_URL: cluster.url });
    restarted = await createReplica({ DATABASE_URL: cluster.url });
    await staying.start();
    await restarted.start();
  });

  afterAll(async () => {
    await staying.kill();
    await restarted.kill();
    await cluster.remove();
    clock.remove();
  });

  const who = (url: string, { accessToken }: Tokens) => callUntilAnswered(() => call(url, WHO_AM_I, {}, bearer(accessToken)));
  const verdictOf = (outcome: Outcome<unknown>) => (outcome.kind === 'refused' ? outcome.code : outcome.kind);
  const refresh = async (refreshToken: string, attemptId: string) => {
    const outcome = await callUntilAnswered(() => call<Tokens>(staying.url, operation('refresh'), { input: { refreshToken, attemptId } }));
    if (outcome.kind !== 'answered') throw new Error(`refresh: ${JSON.stringify(outcome)}`);
    return outcome.answer;
  };

  it('R13: nobody is signed out, what is ended stays so wherever the clock stands, and new tokens are good again once it is right', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => HonestClient.register([staying.url, restarted.url])));
    const leavers = await Promise.all([1, 2, 3, 4].map(() => HonestClient.register([staying.url])));
    const ended: Tokens[] = [];
    /** Ends the next session, by an access token that the right clock has dated. */
    const endOne = async () => {
      const { tokens } = leavers[ended.length]!;
      await callUntilAnswered(() => call(staying.url, operation('logout'), { input: { refreshToken: tokens.refreshToken } }));
      ended.push(tokens);
    };
    const datedRight = clients.map(({ tokens }) => tokens);
    let acceptedThoughEnded = 0;

    const jumpTo = async (offsetSeconds: number) => {
      clock.set(offsetSeconds);
      const [row] = await cluster.query<{ ahead: number }>('SELECT extract(epoch FROM now())::float8 - $1 AS ahead', [Date.now() / 1000]);
      expect(Math.abs(row!.ahead - offsetSeconds)).toBeLessThan(10);
      await endOne();
      // What is kept in the database is all that a replica knows which starts now.
      await latchkey(['purge'], { DATABASE_URL: cluster.url });
      await restarted.kill();
      await restarted.start();
      for (const tokens of ended) {
        for (const { url } of [staying, restarted]) {
          const verdict = verdictOf(await who(url, tokens));
          if (verdict === 'answered') acceptedThoughEnded += 1;
          else expect(verdict).toBe('SESSION_REVOKED');
        }
      }
      await Promise.all(clients.map((client) => client.refresh()));
      const newer = await Promise.all(clients.map(({ tokens }) => who(staying.url, tokens)));
      const older = await Promise.all(datedRight.map((tokens) => who(restarted.url, tokens)));
      return { newer: tally(newer.map(verdictOf)), older: tally(older.map(verdictOf)) };
    };

    // A reply that is lost, and asked for again after the jump.
    const unlucky = await HonestClient.register([staying.url]);
    const attempt = randomUUID();
    const lost = await refresh(unlucky.tokens.refreshToken, attempt);
    expect(verdictOf(await who(staying.url, lost))).toBe('answered');

    await endOne();
    const ahead = await jumpTo(HOUR);
    const found = await refresh(unlucky.tokens.refreshToken, attempt);
    const behind = await jumpTo(-HOUR);
    const right = await jumpTo(0);

    const lostClients = clients.flatMap(({ lost: why, unexpected }) => why ?? unexpected ?? []);
    const rows = await cluster.query<{ reason: string; count: number }>(
      `SELECT revoked_reason AS reason, count(*)::int AS count FROM session WHERE revoked_at IS NOT NULL GROUP BY 1`,
    );
    printFigures('R13', {
      'seconds of the jumps': '+3600, -7200, +3600',
      'refreshes made': clients.reduce((sum, { refreshes }) => sum + refreshes, 0),
      'sessions lost': lostClients.length,
      'ended tokens accepted': acceptedThoughEnded,
      'new tokens while it is ahead': JSON.stringify(ahead.newer),
      'while it is behind': JSON.stringify(behind.newer),
      'once it is right': JSON.stringify(right.newer),
    });
    expect(lostClients).toEqual([]);
    expect(acceptedThoughEnded).toBe(0);
    expect(found.refreshToken).toBe(lost.refreshToken);
    expect(rows).toEqual([{ reason: 'LOGOUT', count: leavers.length }]);
    // Judged by the replica's clock: not yet valid, or no more; what the right clock has dated is good throughout.
    expect([ahead.newer, behind.newer, right.newer]).toEqual([
      { TOKEN_INVALID: CLIENTS },
      { TOKEN_EXPIRED: CLIENTS },
      { answered: CLIENTS },
    ]);
    expect([ahead.older, behind.older, right.older]).toEqual([{ answered: CLIENTS }, { answered: CLIENTS }, { answered: CLIENTS }]);
  });

  // A leap second is not tried: POSIX time has none, and a clock that is stepped or smeared for it is a second off, as any may be.
  it.each([
    ['forward', { before: 0, after: HOUR }],
    ['back', { before: HOUR, after: 0 }],
  ])('R13: when daylight saving puts the clocks of the database %s, no time that it keeps moves', async (_name, offsets) => {
    const offset = async () => {
      const [row] = await cluster.query<{ offset: number }>('SELECT extract(timezone FROM now())::int AS offset');
      return row!.offset;
    };
    const setZone = async (zone: string) => {
      await cluster.query(`ALTER SYSTEM SET timezone = '${zone}'`);
      await cluster.query('SELECT pg_reload_conf()');
    };
    await setZone(zoneThatChangesIn(MINUTE, offsets.before));
    await expect.poll(offset).toBe(offsets.before);
    const [stays, leaves] = [await HonestClient.register([staying.url]), await HonestClient.register([staying.url])];
    const before = stays.tokens;
    await callUntilAnswered(() => call(staying.url, operation('logout'), { input: { refreshToken: leaves.tokens.refreshToken } }));

    await setZone(zoneThatChangesIn(-MINUTE, offsets.before));
    await expect.poll(offset).toBe(offsets.after);
    await latchkey(['purge'], { DATABASE_URL: cluster.url });
    await restarted.kill();
    await restarted.start();
    const after = await refresh(before.refreshToken, randomUUID());
    const living = await Promise.all([staying, restarted].flatMap(({ url }) => [who(url, before), who(url, after)]));
    const ended = await Promise.all([staying, restarted].map(({ url }) => who(url, leaves.tokens)));
    await setZone('UTC');
    printFigures('R13', {
      'seconds that daylight saving moved the clocks': offsets.after - offsets.before,
      'sessions lost': living.filter(({ kind }) => kind !== 'answered').length,
      'tokens accepted after revocation': ended.filter(({ kind }) => kind === 'answered').length,
    });
    const lifetimes = { expiresIn: 900, refreshTokenExpiresIn: 30 * 24 * HOUR };
    expect(before).toMatchObject(lifetimes);
    expect(after).toMatchObject(lifetimes);
    expect(living.map(verdictOf)).toEqual(living.map(() => 'answered'));
    expect(ended.map(verdictOf)).toEqual(ended.map(() => 'SESSION_REVOKED'));
  });

  it('R13: a signing key that was revoked meanwhile does not come back; what goes by the date of tokens is not done meanwhile', async () => {
    const variables = { DATABASE_URL: cluster.url };
    const { tokens } = await HonestClient.register([staying.url]);
    expect(verdictOf(await who(staying.url, tokens))).toBe('answered');
    const [key] = JSON.parse(await latchkey(['keys', 'list', '--json'], variables)) as { kid: string }[];
    clock.set(HOUR);
    await expect(latchkey(['sessions', 'revoke', '--all-access-tokens'], variables)).rejects.toThrow('differ by more than a minute');
    await latchkey(['keys', 'revoke', key!.kid], variables);
    clock.set(0);
    await restarted.kill();
    await restarted.start();
    for (const { url } of [staying, restarted]) {
      await expect.poll(async () => verdictOf(await who(url, tokens)), { timeout: 5000 }).toBe('TOKEN_INVALID');
    }
    await expect(latchkey(['sessions', 'revoke', '--all-access-tokens'], variables)).resolves.toContain('Ended');
  });
});

/** A time zone, as POSIX writes one, that leaves this offset so many seconds from now, and comes back to it half a year before and after. */
function zoneThatChangesIn(seconds: number, offsetBefore: number): string {
  const now = new Date();
  const sinceNewYear = Math.floor((now.getTime() - Date.UTC(now.getUTCFullYear(), 0, 1)) / 1000) + seconds;
  const day = Math.floor(sinceNewYear / (24 * HOUR));
  // By the clock on the wall, for which a day may go on beyond its 24 hours.
  const time = (sinceNewYear % (24 * HOUR)) + offsetBefore;
  const change = `${day}/${Math.floor(time / HOUR)}:${Math.floor(time / MINUTE) % MINUTE}:${time % MINUTE}`;
  const changeBack = `${(day + 182) % 365}/12`;
  return `WINTER0SUMMER-1,${offsetBefore === 0 ? `${change},${changeBack}` : `${changeBack},${change}`}`;
}
