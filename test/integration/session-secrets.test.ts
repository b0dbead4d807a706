import { readdirSync, readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openRefreshToken } from '../../src/tokens/refresh-token.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openSessionEngine, type SessionEngine } from '../support/session-engine.js';

const SESSIONS = 2000;
const BITS = 256;

describe('S8: the secret of a refresh token', () => {
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

  it('comes to no two sessions, and none of its 256 bits is the same in all', async () => {
    const userId = await engine.newUser();
    const secrets = new Set<string>();
    const ones = new Array<number>(BITS).fill(0);
    for (let count = 0; count < SESSIONS; count += 1) {
      const { secret } = openRefreshToken(engine.secrets, (await engine.signIn(userId)).refreshToken)!;
      secrets.add(secret.toString('hex'));
      for (let bit = 0; bit < BITS; bit += 1) ones[bit]! += (secret[bit >> 3]! >> (bit & 7)) & 1;
    }
    expect(secrets.size).toBe(SESSIONS);
    // Eight standard deviations from one half: a UUID, whose version is always the same, does not come near.
    const furthest = Math.max(...ones.map((count) => Math.abs(count - SESSIONS / 2)));
    expect(furthest).toBeLessThan(8 * Math.sqrt(SESSIONS / 4));
  });
});

it('S8: no secret is made by Math.random or of a UUID, which is for ids alone', () => {
  const root = new URL('../../src/', import.meta.url);
  const lines = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('graphiql'))
    .flatMap((path) => readFileSync(new URL(path, root), 'utf8').split('\n'));
  expect(lines.filter((line) => line.includes('Math.random'))).toEqual([]);
  const uuids = lines.filter((line) => /\b(?:randomUUID|uuidv\d|v\d)\(/.test(line)).map((line) => line.trim());
  expect(uuids.length).toBeGreaterThan(3);
  for (const line of uuids) expect(line).toMatch(/^(?:id|jti|genReqId|const userId)\b/);
});
