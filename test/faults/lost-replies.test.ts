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

  const refresh = (refreshToken: string, attemptId: string | null = null) =>
    callUntilAnswered(() => call<Tokens>(replica.url, operation('refresh'), { input: { refreshToken, attemptId } }));

  const successorOf = async (refreshToken: string, attemptId: string | null = null) => {
    const outcome = await refresh(refreshToken, attemptId);
    if (outcome.kind !== 'answered') throw new Error(`An honest retry was answered ${JSON.stringify(outcome)}`);
    return outcome.answer;
  };

  const rotated = (sessionId: string) => waitForSession(cluster, sessionId, ({ generation }) => generation === 2);

  const killBeforeTheReply = async ({ tokens }: HonestClient) => {
    // Leaves a connection idle, on which the statement gets to the database.
    await callUntilAnswered(() => call(replica.url, WHAT_IS_MY_ADDRESS, {}, bearer(tokens.accessToken)));
    toDatabase.loseReplies();
    const lost = call(replica.url, operation('refresh'), { input: { refreshToken: tokens.refreshToken, attemptId: ATTEMPT } });
    await rotated(tokens.session.id);
    await replica.kill();
    expect((await lost).kind).toBe('retry');
    toDatabase.heal();
    await replica.start();
  };

  const loseTheReply = async ({ tokens }: HonestClient) => {
    toReplica.loseReplies();
    const lost = call(address, operation('refresh'), { input: { refreshToken: tokens.refreshToken, attemptId: ATTEMPT } });
    await rotated(tokens.session.id);
    toReplica.dropAll();
    toReplica.heal();
    expect((await lost).kind).toBe('retry');
  };

  it.each([
    ['the server is killed after the commit', killBeforeTheReply, 3],
    ['the network loses the reply', loseTheReply, 10],
  ])('R5: when %s, a retry gets the same successor however late, until someone has used it', async (_name, lose, rounds) => {
    let retries = 0;
    for (let round = 0; round < rounds; round += 1) {
      const client = await HonestClient.register([replica.url]);
      const { refreshToken, session } = client.tokens;
      await lose(client);

      const successor = await successorOf(refreshToken, ATTEMPT);
      expect(successor.refreshToken).not.toBe(refreshToken);
      for (const seconds of [0, 60, 3600]) {
        await ageSession(cluster, session.id, seconds);
        for (const attempt of [ATTEMPT, null, 'another attempt']) {
          expect((await successorOf(refreshToken, attempt)).refreshToken).toBe(successor.refreshToken);
          retries += 1;
        }
      }
      expect(await sessionState(cluster, session.id)).toMatchObject({ generation: 2, revokedReason: null });

      const used = await call(replica.url, WHO_AM_I, {}, bearer(successor.accessToken));
      expect(used.kind).toBe('answered');
      await waitForSession(cluster, session.id, ({ seenGeneration }) => seenGeneration === 2);
      // The very attempt may still come late: nobody else knows its name.
      expect((await successorOf(refreshToken, ATTEMPT)).refreshToken).toBe(successor.refreshToken);
      expect(await refresh(refreshToken)).toEqual({ kind: 'refused', code: 'INVALID_REFRESH_TOKEN' });
      expect(await sessionState(cluster, session.id)).toMatchObject({ revokedReason: 'REFRESH_TOKEN_REUSED' });
      expect(await refresh(successor.refreshToken)).toEqual({ kind: 'refused', code: 'INVALID_REFRESH_TOKEN' });
      expect(await call(replica.url, WHO_AM_I, {}, bearer(successor.accessToken))).toEqual({ kind: 'refused', code: 'SESSION_REVOKED' });
    }
    printFigures('R5', {
      'replies lost': rounds,
      'late retries': retries,
      'sessions lost before the theft': 0,
      'tokens accepted after it': 0,
    });
  });
});
