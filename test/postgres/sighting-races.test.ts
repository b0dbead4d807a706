import { afterAll, beforeAll, expect, it } from 'vitest';
import pg from 'pg';

import { createTestDatabase, describeOnPostgres, type TestDatabase } from '../support/database.js';
import { openSessionEngine, type SessionEngine } from '../support/session-engine.js';

describeOnPostgres('sightings that race', () => {
  let testDatabase: TestDatabase;
  let engine: SessionEngine;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    engine = await openSessionEngine(testDatabase);
  });

  afterAll(async () => {
    await engine.close();
    await testDatabase.drop();
  });

  it('with rotations and with each other deadlock nobody, and none is lost', async () => {
    const userId = await engine.newUser();
    const replicas = await Promise.all([engine.replica({}), engine.replica({}), engine.replica({})]);
    let pairs = await Promise.all(Array.from({ length: 40 }, () => engine.signIn(userId)));
    for (let round = 0; round < 8; round += 1) {
      const generation = round + 1;
      const sightings = pairs.map(({ grant }) => ({ sessionId: grant.sessionId, generation }));
      // Each replica meets the sessions in an order of its own, as requests come.
      replicas.forEach(({ activity }, i) => {
        for (const sighting of i === 0 ? sightings : i === 1 ? sightings.toReversed() : sightings.toSorted(byLastCharacters))
          activity.see(sighting);
      });
      [pairs] = await Promise.all([
        Promise.all(pairs.map((pair) => engine.refresh(pair))),
        ...replicas.map(({ activity }) => activity.flush()),
      ]);
      // What a rotation held was left for the next write.
      await Promise.all(replicas.map(({ activity }) => activity.flush()));
      const rows = await Promise.all(pairs.map((pair) => engine.row(pair)));
      expect(rows.map(({ generation: now, seenGeneration }) => [now, seenGeneration])).toEqual(
        pairs.map(() => [generation + 1, generation]),
      );
      await Promise.all(pairs.map((pair) => engine.age(pair, 60)));
    }
    expect(replicas.flatMap(({ lines }) => lines)).toEqual([]);
  });

  it('with a transaction that holds a row do not wait for it: the others are written, that one is tried again', async () => {
    const userId = await engine.newUser();
    const [held, free] = [await engine.signIn(userId), await engine.signIn(userId)];
    const holder = new pg.Client({ connectionString: testDatabase.url });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM session WHERE id = $1 FOR UPDATE', [held.grant.sessionId]);
      for (const { grant } of [held, free]) engine.activity.see({ sessionId: grant.sessionId, generation: 1 });
      await engine.activity.flush();
      expect((await engine.row(free)).seenGeneration).toBe(1);
      expect((await engine.row(held)).seenGeneration).toBe(0);
      await holder.query('COMMIT');
      await engine.activity.flush();
      expect((await engine.row(held)).seenGeneration).toBe(1);
    } finally {
      await holder.end();
    }
  });
});

/** Ids of one millisecond begin alike: their ends are as good as random. */
function byLastCharacters(a: { sessionId: string }, b: { sessionId: string }): number {
  return a.sessionId.slice(-12) < b.sessionId.slice(-12) ? -1 : 1;
}
