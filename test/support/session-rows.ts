import { setTimeout as pause } from 'node:timers/promises';

import type { PostgresCluster } from './postgres-cluster.js';

/** What the tests of faults look at in a session's row. */
export interface SessionState {
  generation: number;
  seenGeneration: number;
  revokedReason: string | null;
}

export async function sessionState({ query }: PostgresCluster, sessionId: string): Promise<SessionState> {
  const [row] = await query<SessionState>(
    `SELECT generation, seen_generation AS "seenGeneration", revoked_reason AS "revokedReason" FROM session WHERE id = $1`,
    [sessionId],
  );
  return row!;
}

/** Waits until the row of a session is as wanted. */
export async function waitForSession(
  cluster: PostgresCluster,
  sessionId: string,
  isWanted: (state: SessionState) => boolean,
): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const state = await sessionState(cluster, sessionId);
    if (isWanted(state)) return;
    if (Date.now() > deadline) throw new Error(`The session stays as it is: ${JSON.stringify(state)}`);
    await pause(20);
  }
}

/** Moves everything that happened to the session into the past: the database's clock cannot be moved. */
export async function ageSession({ query }: PostgresCluster, sessionId: string, seconds: number): Promise<void> {
  await query(
    `UPDATE session
        SET rotated_at = rotated_at - d, auth_time = auth_time - d, created_at = created_at - d, last_seen_at = last_seen_at - d,
            idle_expires_at = idle_expires_at - d, absolute_expires_at = absolute_expires_at - d
       FROM make_interval(secs => $2) AS d
      WHERE id = $1`,
    [sessionId, seconds],
  );
}
