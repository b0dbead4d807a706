import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { describeOnPostgres } from '../support/database.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { printFigures } from '../support/figures.js';
import { call, callUntilAnswered, HonestClient, WHAT_IS_MY_ADDRESS, WHO_AM_I } from '../support/honest-client.js';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.js';
import { build } from '../support/process.js';
import { createReplica, type Replica } from '../support/replica.js';
import { ageSession, sessionState, waitForSession } from '../support/session-rows.js';

const ATTEMPT = 'the attempt whose reply is lost';
const LOOPBACK = '127.0.0.1';

describeOnPostgres('a refresh whose reply is lost', () => {
  let cluster: PostgresCluster;
  let toDatabase: FaultProxy;
  let replica: Replica;
  let toReplica: FaultProxy;
  let address: string;

  beforeAll(async () => {
    await build();
    cluster = await startPostgresCluster();
    toDatabase = await startFaultProxy({ host: LOOPBACK, port: cluster.port });
    const url = new URL(cluster.url);
    url.port = String(toDatabase.port);
    replica = await createReplica({ DATABASE_URL: url.href });
    await replica.start();
    toReplica = await startFaultProxy({ host: LOOPBACK, port: Number(new URL(replica.url).port) });
    address = `http://${LOOPBACK}:${toReplica.port}`;
  });

  afterAll(async () => {
    await replica.kill();
    await toReplica.close();
    await toDatabase.close();
    await cluster.remove();
  });

  let calls = 0;
  const send = <T>(document: string, variables: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
    callUntilAnswered(() => {
      calls += 1;
      return call<T>(replica.url, document, variables, headers);
    });
  const refresh = (refreshToken: string, attemptId: string | null = null) =>
    send<Tokens>(operation('refresh'), { input: { refreshToken, attemptId } });
  const use = ({ accessToken }: Tokens, document = WHO_AM_I) => send(document, {}, bearer(accessToken));

  const rotated = (sessionId: string) => waitForSession(cluster, sessionId, ({ generation }) => generation === 2);

  const killBeforeTheReply = async ({ tokens }: HonestClient) => {
    // Leaves a connection idle, on which the statement gets to the database.
    await use(tokens, WHAT_IS_MY_ADDRESS);
    toDatabase.loseReplies();
    const lost = call(replica.url, operation('refresh'), { input: { refreshToken: tokens.refreshToken, attemptId: ATTEMPT } });
    await rotated(tokens.session.id);
    await replica.kill();
    expect((await lost).kind).toBe('retry');
    toDatabase.heal();
    const healedAt = performance.now();
    await replica.start();
    return healedAt;
  };

  const loseTheReply = async ({ tokens }: HonestClient) => {
    toReplica.loseReplies();
    const lost = call(address, operation('refresh'), { input: { refreshToken: tokens.refreshToken, attemptId: ATTEMPT } });
    await rotated(tokens.session.id);
    toReplica.dropAll();
    toReplica.heal();
    const healedAt = performance.now();
    expect((await lost).kind).toBe('retry');
    return healedAt;
  };

  it.each([
    ['the server is killed after the commit', killBeforeTheReply, 3],
    ['the network loses the reply', loseTheReply, 10],
  ])('R5: when %s, a retry gets the same successor however late, until someone has used it', async (_name, lose, rounds) => {
    let retries = 0;
    const healings: number[] = [];
    const lost = new Set<string>();
    const refused: string[] = [];
    const accepted: unknown[] = [];
    const callsBefore = calls;
    for (let round = 0; round < rounds; round += 1) {
      const client = await HonestClient.register([replica.url]);
      const { refreshToken, session } = client.tokens;
      const retry = async (attempt: string | null) => {
        const outcome = await refresh(refreshToken, attempt);
        retries += 1;
        if (outcome.kind === 'answered') return outcome.answer;
        lost.add(session.id);
        return undefined;
      };
      const healedAt = await lose(client);
      const successor = await retry(ATTEMPT);
      healings.push(performance.now() - healedAt);
      if (successor === undefined) continue;

      expect(successor.refreshToken).not.toBe(refreshToken);
      for (const seconds of [0, 60, 3600]) {
        await ageSession(cluster, session.id, seconds);
        for (const attempt of [ATTEMPT, null, 'another attempt']) {
          expect((await retry(attempt))?.refreshToken).toBe(successor.refreshToken);
        }
      }
      expect(await sessionState(cluster, session.id)).toMatchObject({ generation: 2, revokedReason: null });

      expect((await use(successor)).kind).toBe('answered');
      await waitForSession(cluster, session.id, ({ seenGeneration }) => seenGeneration === 2);
      // The very attempt may still come late: nobody else knows its name.
      expect((await retry(ATTEMPT))?.refreshToken).toBe(successor.refreshToken);
      const theft = await refresh(refreshToken);
      expect(await sessionState(cluster, session.id)).toMatchObject({ revokedReason: 'REFRESH_TOKEN_REUSED' });
      for (const outcome of [theft, await refresh(successor.refreshToken), await use(successor)]) {
        if (outcome.kind === 'refused') refused.push(outcome.code);
        else accepted.push(outcome);
      }
    }
    printFigures('R5', {
      'replies lost': rounds,
      'calls made': calls - callsBefore,
      'late retries': retries,
      'sessions lost before the theft': lost.size,
      'tokens accepted after it': accepted.length,
      'healed after ms': Math.max(...healings),
    });
    expect([...lost]).toEqual([]);
    expect(accepted).toEqual([]);
    expect(refused).toEqual(healings.flatMap(() => ['INVALID_REFRESH_TOKEN', 'INVALID_REFRESH_TOKEN', 'SESSION_REVOKED']));
  });
});
