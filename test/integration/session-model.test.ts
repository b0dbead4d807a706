import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { TokenPair } from '../../src/sessions/token-pair.js';
import { OPERATOR } from '../support/callers.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { codeOf, openSessionEngine, principalOf, type SessionEngine } from '../support/session-engine.js';

/** All in all; CI asks for more. */
const SEQUENCES = Number(process.env['MODEL_SEQUENCES'] ?? 2000);
/** Of a sequence that failed, as the failure says them: MODEL_SEED=… MODEL_PATH=… run it again. Otherwise each run tries others. */
const { MODEL_SEED, MODEL_PATH } = process.env;
const REPLAY = MODEL_SEED === undefined ? {} : { seed: Number(MODEL_SEED), ...(MODEL_PATH === undefined ? {} : { path: MODEL_PATH }) };
/** Sequences run side by side, each with a session of its own. */
const LANES = MODEL_SEED === undefined ? 8 : 1;

const GRACE = 10;
const IDLE = 1000;
const ABSOLUTE = 5000;
const SECRETS = ['the-first-secret-of-the-model-of-sessions', 'the-second-secret-of-the-model-of-sessions'] as const;

/** What the rules of refresh tokens say of a session, kept apart from what the engine does. */
interface Model {
  current: number;
  seen: number;
  /** Ages in seconds. */
  sinceRotation: number;
  sinceIdleStart: number;
  sinceStart: number;
  lastAttempt: string | undefined;
  ended: boolean;
  /** The first token of each generation, as it was given out. */
  issued: Map<number, TokenPair>;
}

/** The client that follows the rules: one refresh at a time, the same attempt on every retry. */
interface Honest {
  held: TokenPair;
  attempt: string | undefined;
}

interface World {
  engine: SessionEngine;
  /** Replicas on the same database, by their secrets: the first alone, and the second before the first. */
  replicas: { before: readonly SessionEngine[]; after: readonly SessionEngine[] };
  secrets: 'before' | 'after';
  /** How many replicas have died: the next one answers. */
  deaths: number;
  model: Model;
  honest: Honest;
  attempts: number;
  /** Whether anyone but the honest client has ever presented a token. */
  hasThief: boolean;
}

type Verdict = 'rotated' | 'same' | 'repeated' | 'ended' | 'reused';
type Answer = { kind: 'pair'; pair: TokenPair } | { kind: 'refused' };

/** What the table says, in its own words; it decides nothing else than the model's state. */
function expected(model: Model, generation: number, attempt: string | undefined): Verdict {
  if (model.ended || model.sinceIdleStart >= IDLE || model.sinceStart >= ABSOLUTE) return 'ended';
  if (generation === model.current) return model.sinceRotation < GRACE ? 'same' : 'rotated';
  if (generation < model.current - 1) return 'reused';
  const isSameAttempt = attempt !== undefined && attempt === model.lastAttempt;
  return isSameAttempt || model.seen < model.current || model.sinceRotation < GRACE ? 'repeated' : 'reused';
}

function replicaOf({ replicas, secrets, deaths }: World): SessionEngine {
  const alive = replicas[secrets];
  return alive[deaths % alive.length]!;
}

/** Presents a token to the engine, and checks its answer against the model, which moves along. */
async function present(world: World, presented: TokenPair, generation: number, attempt: string | undefined): Promise<Answer> {
  const { model } = world;
  const engine = replicaOf(world);
  const verdict = expected(model, generation, attempt);
  // An honest client that retries is never taken for a thief.
  if (!world.hasThief) expect(verdict).not.toBe('reused');
  let answer: Answer;
  try {
    answer = { kind: 'pair', pair: await engine.refresh(presented, attempt ?? null) };
  } catch (error) {
    expect(await codeOf(Promise.reject(error as Error))).toBe('INVALID_REFRESH_TOKEN');
    answer = { kind: 'refused' };
  }
  // No refresh succeeds after the session ended, and no replay of a token that its holder moved on from.
  expect(answer.kind, `generation ${generation} of ${model.current}, ${verdict}`).toBe(
    verdict === 'ended' || verdict === 'reused' ? 'refused' : 'pair',
  );
  if (verdict === 'reused') model.ended = true;
  if (answer.kind === 'refused') return answer;

  if (verdict === 'rotated') {
    model.current += 1;
    model.sinceRotation = 0;
    model.sinceIdleStart = 0;
    model.lastAttempt = attempt;
    // There is never a second token of a generation: at most one lives.
    expect(model.issued.has(model.current)).toBe(false);
    model.issued.set(model.current, answer.pair);
  } else {
    expect(answer.pair.refreshToken).toBe(model.issued.get(model.current)!.refreshToken);
    if (verdict === 'same') {
      await engine.activity.flush();
      model.seen = Math.max(model.seen, model.current);
    }
  }
  // No access token outlives the session.
  expect(answer.pair.expiresIn).toBeLessThanOrEqual(ABSOLUTE - model.sinceStart);
  return answer;
}

/** Their sums meet each boundary exactly, or stay five seconds away: a slow machine does not cross one. */
const secondsPassed = fc.constantFrom(5, 10, 60, 400, 1000);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('refresh' as const), reply: fc.constantFrom('arrives', 'is lost', 'is lost') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('refresh without an attempt' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('use the access token' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: secondsPassed }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('steal' as const), back: fc.nat(4), use: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forge' as const), bit: fc.nat(559) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('log out' as const),
      sessions: fc.constantFrom('THIS_SESSION' as const, 'ALL_SESSIONS' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('log out the others' as const), from: fc.constantFrom('here', 'elsewhere') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set the database back' as const), by: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose the replica' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rotate the secrets' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(world: World, taken: Step): Promise<void> {
  const { engine, model, honest } = world;
  switch (taken.do) {
    case 'refresh': {
      honest.attempt ??= `attempt ${(world.attempts += 1)}`;
      const answer = await present(world, honest.held, generationOf(world, honest.held), honest.attempt);
      if (answer.kind === 'pair' && taken.reply === 'arrives') {
        honest.held = answer.pair;
        honest.attempt = undefined;
      }
      return;
    }
    case 'refresh without an attempt': {
      if (honest.attempt !== undefined) return;
      const answer = await present(world, honest.held, generationOf(world, honest.held), undefined);
      if (answer.kind === 'pair') honest.held = answer.pair;
      return;
    }
    case 'use the access token': {
      const generation = generationOf(world, honest.held);
      engine.activity.see({ sessionId: honest.held.grant.sessionId, generation });
      await engine.activity.flush();
      model.seen = Math.max(model.seen, generation);
      return;
    }
    case 'pass':
      await engine.age(honest.held, taken.seconds);
      model.sinceRotation += taken.seconds;
      model.sinceIdleStart += taken.seconds;
      model.sinceStart += taken.seconds;
      return;
    case 'steal': {
      const generation = Math.max(1, model.current - taken.back);
      world.hasThief = true;
      const answer = await present(world, model.issued.get(generation)!, generation, undefined);
      if (answer.kind === 'pair' && taken.use) {
        engine.activity.see({ sessionId: honest.held.grant.sessionId, generation: answer.pair.grant.generation });
        await engine.activity.flush();
        model.seen = Math.max(model.seen, answer.pair.grant.generation);
      }
      return;
    }
    case 'forge': {
      const before = await engine.row(honest.held);
      const bytes = Buffer.from(honest.held.refreshToken.slice(5), 'base64url');
      bytes[taken.bit >> 3]! ^= 1 << (taken.bit & 7);
      const queries = engine.queries;
      expect(await codeOf(engine.refresh({ refreshToken: `lkr1_${bytes.toString('base64url')}` }))).toBe('INVALID_REFRESH_TOKEN');
      // What we did not issue changes nothing, and does not even reach the database.
      expect(engine.queries).toBe(queries);
      expect((await engine.row(honest.held)).version).toBe(before.version);
      return;
    }
    case 'log out':
      await engine.sessions.logout(principalOf(honest.held), OPERATOR, null, taken.sessions);
      model.ended = true;
      return;
    case 'log out the others': {
      const by = taken.from === 'here' ? honest.held : await engine.signIn(honest.held.grant.userId);
      await engine.sessions.logout(principalOf(by), OPERATOR, null, 'OTHER_SESSIONS');
      if (taken.from === 'elsewhere') model.ended = true;
      return;
    }
    case 'set the database back': {
      // For as long as one token is presented: what else a restore does to a session is in test/faults/restored-backup.test.ts.
      await engine.setGenerationBack(honest.held, taken.by);
      const before = await engine.row(honest.held);
      const held = model.issued.get(model.current)!;
      expect(await codeOf(replicaOf(world).refresh(held, honest.attempt ?? null))).toBe('INVALID_REFRESH_TOKEN');
      // A token of a later generation is refused, and revokes nothing.
      expect((await engine.row(honest.held)).version).toBe(before.version);
      await engine.setGenerationBack(honest.held, -taken.by);
      return;
    }
    case 'lose the replica':
      world.deaths += 1;
      return;
    case 'rotate the secrets':
      world.secrets = 'after';
  }
}

function generationOf({ model }: World, pair: TokenPair): number {
  const found = [...model.issued].find(([, issued]) => issued.refreshToken === pair.refreshToken);
  return found![0];
}

describe('a session, whatever happens to it', () => {
  let testDatabase: TestDatabase;
  let engine: SessionEngine;
  let replicas: World['replicas'];

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    const lifetimes = {
      LATCHKEY_REFRESH_IDLE_LIFETIME_SECONDS: String(IDLE),
      LATCHKEY_REFRESH_ABSOLUTE_LIFETIME_SECONDS: String(ABSOLUTE),
      LATCHKEY_REFRESH_GRACE_SECONDS: String(GRACE),
      LATCHKEY_SECRETS: SECRETS[0],
    };
    engine = await openSessionEngine(testDatabase, lifetimes);
    const rotated = { LATCHKEY_SECRETS: `${SECRETS[1]},${SECRETS[0]}` };
    replicas = {
      before: [engine, await engine.replica({})],
      after: [await engine.replica(rotated), await engine.replica(rotated)],
    };
  });

  afterAll(async () => {
    await engine.close();
    await testDatabase.drop();
  });

  it.concurrent.each(Array.from({ length: LANES }, (_, lane) => [lane]))(
    'keeps the rules of refresh tokens (lane %i)',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
          const pair = await engine.signIn(await engine.newUser());
          const model: Model = {
            current: 1,
            seen: 0,
            // Never rotated: the floor does not hold it back.
            sinceRotation: Number.POSITIVE_INFINITY,
            sinceIdleStart: 0,
            sinceStart: 0,
            lastAttempt: undefined,
            ended: false,
            issued: new Map([[1, pair]]),
          };
          const world: World = {
            engine,
            replicas,
            secrets: 'before',
            deaths: 0,
            model,
            honest: { held: pair, attempt: undefined },
            attempts: 0,
            hasThief: false,
          };
          for (const taken of steps) await take(world, taken);
          // What the row says in the end is what the model says.
          const { generation, isRevoked } = await engine.row(pair);
          expect({ generation, isRevoked }).toEqual({ generation: model.current, isRevoked: model.ended });
        }),
        { numRuns: Math.ceil(SEQUENCES / LANES), ...REPLAY },
      );
    },
    600_000,
  );
});
