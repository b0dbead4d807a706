import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { systemClock } from '../../src/clock.js';
import { createSecretRing } from '../../src/crypto/secret-ring.js';
import { createKeyRing, type KeyRing, type SigningKeyStore } from '../../src/keys/key-ring.js';
import { generateSigningKey, type SigningAlgorithm } from '../../src/keys/signing-key.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createSigningKeyStore } from '../../src/persistence/signing-key.store.js';
import { createAccessTokens } from '../../src/tokens/access-token.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { keyPairOf } from '../support/signing-keys.js';

const SECRET = 'the-secret-of-every-replica-in-this-test';
const NEW_SECRET = 'the-secret-that-replaces-it-in-this-test';
const LIFETIME_SECONDS = 90 * 86_400;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const log = createLogger({ logLevel: 'silent' });

let testDatabase: TestDatabase;
let database: Database;
let store: SigningKeyStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openDatabase(testConfig(testDatabase.variables), log);
  store = createSigningKeyStore(database);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

afterEach(() => database.query('DELETE FROM signing_key'));

interface Replica {
  secrets?: string[];
  algorithm?: SigningAlgorithm;
}

async function startReplica({ secrets = [SECRET], algorithm = 'EdDSA' }: Replica = {}): Promise<KeyRing> {
  const ring = createKeyRing({
    store,
    secrets: createSecretRing(secrets),
    algorithm,
    lifetimeSeconds: LIFETIME_SECONDS,
    clock: systemClock,
    log,
  });
  await ring.load();
  return ring;
}

const tokensOf = (keys: KeyRing) => createAccessTokens({ keys, clock: systemClock, settings: testConfig() });

async function issueWith(keys: KeyRing): Promise<string> {
  const now = Math.floor(systemClock.now() / 1000);
  return tokensOf(keys).issue({
    subject: '01939f00-0000-7000-8000-00000000aaaa',
    sessionId: '01939f00-0000-7000-8000-00000000bbbb',
    generation: 1,
    userVersion: 1,
    scopes: [],
    authTime: now,
    issuedAt: now,
    expiresAt: now + 900,
  });
}

describe('signing keys in the database', () => {
  it.each<SigningAlgorithm>(['EdDSA', 'ES256', 'RS256'])('keep their private part under a seal: %s', async (algorithm) => {
    const secrets = createSecretRing([SECRET]);
    const key = await generateSigningKey(secrets, algorithm, new Date());
    await store.insertUnlessPresent(key, []);
    const jwk = keyPairOf(secrets, key).privateKey.export({ format: 'jwk' });
    const values = Object.entries(jwk).flatMap(([member, value]) => (PRIVATE_MEMBERS.includes(member) ? [String(value)] : []));
    expect(values.length).toBeGreaterThan(0);

    const [row] = await database.query<{ text: string; sealed: Uint8Array; members: string[] }>(
      `SELECT k::text AS text, sealed_private_jwk AS sealed, ARRAY(SELECT jsonb_object_keys(public_jwk)) AS members FROM signing_key k`,
    );
    const readable = row!.text + Buffer.from(row!.sealed).toString('latin1');
    for (const value of values) {
      expect(readable).not.toContain(value);
      expect(readable).not.toContain(Buffer.from(value, 'base64url').toString('hex'));
    }
    expect(row!.members.filter((member) => PRIVATE_MEMBERS.includes(member))).toEqual([]);
  });

  it('come back as they were stored, and active from the time of the database', async () => {
    const key = await generateSigningKey(createSecretRing([SECRET]), 'ES256', new Date(0));
    await store.insertUnlessPresent(key, []);
    const [stored] = await store.list();
    expect(stored).toEqual({ ...key, activatesAt: expect.any(Date) as Date });
    expect(stored!.activatesAt.getTime()).toBeGreaterThan(0);
  });

  it('are one for each algorithm, unless the one there cannot be used or has an end', async () => {
    const secrets = createSecretRing([SECRET]);
    const [first, second, third, other] = await Promise.all(
      (['EdDSA', 'EdDSA', 'EdDSA', 'ES256'] as const).map((algorithm) => generateSigningKey(secrets, algorithm, new Date())),
    );
    const kids = async () => (await store.list()).map((key) => key.kid).sort();

    await store.insertUnlessPresent(first!, []);
    await store.insertUnlessPresent(second!, []);
    await store.insertUnlessPresent(other!, []);
    expect(await kids()).toEqual([first!.kid, other!.kid].sort());

    await store.insertUnlessPresent(second!, [first!.kid]);
    expect(await kids()).toEqual([first!.kid, second!.kid, other!.kid].sort());

    await database.query(`UPDATE signing_key SET expires_at = now() + interval '1 hour'`);
    await store.insertUnlessPresent(third!, []);
    expect(await kids()).toHaveLength(4);
  });
});

describe('replicas on one database', () => {
  it('sign with the same key when one starts after the other', async () => {
    const [one, other] = [await startReplica(), await startReplica()];
    expect(other.signingKey().kid).toBe(one.signingKey().kid);
    expect(other.jwks()).toEqual(one.jwks());
    expect(await store.list()).toHaveLength(1);
  });

  it('verify the tokens of all others when they start at once', async () => {
    const replicas = await Promise.all(Array.from({ length: 8 }, () => startReplica()));
    for (const issuer of replicas) {
      const token = await issueWith(issuer);
      for (const verifier of replicas) expect(await tokensOf(verifier).verify(token)).toMatchObject({ kind: 'verified' });
    }
  });

  it('verify the tokens of one that signs with another algorithm', async () => {
    const before = await startReplica({ algorithm: 'EdDSA' });
    const after = await startReplica({ algorithm: 'RS256' });
    expect(await tokensOf(before).verify(await issueWith(after))).toMatchObject({ kind: 'verified' });
    expect(await tokensOf(after).verify(await issueWith(before))).toMatchObject({ kind: 'verified' });
  });

  it('go on with the same key while the old secret is still accepted', async () => {
    const before = await startReplica({ secrets: [SECRET] });
    const after = await startReplica({ secrets: [NEW_SECRET, SECRET] });
    expect(after.signingKey().kid).toBe(before.signingKey().kid);
  });

  it('make another key once the old secret is dropped, and still verify what the old one signed', async () => {
    const before = await startReplica({ secrets: [SECRET] });
    const token = await issueWith(before);
    const after = await startReplica({ secrets: [NEW_SECRET] });
    expect(after.signingKey().kid).not.toBe(before.signingKey().kid);
    expect(await tokensOf(after).verify(token)).toMatchObject({ kind: 'verified' });
    expect(await tokensOf(before).verify(await issueWith(after))).toMatchObject({ kind: 'verified' });
  });
});
