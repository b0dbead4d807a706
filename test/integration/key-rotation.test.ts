import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { systemClock } from '../../src/clock.js';
import { createCore, type Core } from '../../src/core.js';
import { createSecretRing } from '../../src/crypto/secret-ring.js';
import { createKeyRing, type KeyRing } from '../../src/keys/key-ring.js';
import type { SigningAlgorithm } from '../../src/keys/signing-key.js';
import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createSigningKeyStore } from '../../src/persistence/signing-key.store.js';
import { createAccessTokens, type AccessTokens } from '../../src/tokens/access-token.js';
import { createCalls, newPerson, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { testConfig, type Variables } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

const OLD = 'the-secret-of-every-replica-in-this-test';
const NEW = 'the-secret-that-replaces-it-in-this-test';
const LIFETIME = 30 * 86_400;
/** How long a key is published before it signs, and how long it verifies after it has signed last. */
const PUBLISHED = 600;
const VERIFIES = 3720;
const log = createLogger({ logLevel: 'silent' });

/** Runs with the database's own, and ahead of it as a test likes. */
const clock = {
  aheadSeconds: 0,
  now: () => systemClock.now() + clock.aheadSeconds * 1000,
  monotonic: () => systemClock.monotonic() + clock.aheadSeconds * 1000,
};

let testDatabase: TestDatabase;
let database: Database;
/** How often the table was read. */
let reads = 0;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const opened = await openDatabase(testConfig(testDatabase.variables), log);
  database = {
    ...opened,
    read: (work) => {
      reads += 1;
      return opened.read(work);
    },
  };
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(() => {
  clock.aheadSeconds = 0;
});

afterEach(() => database.query('DELETE FROM signing_key'));

interface Replica {
  keys: KeyRing;
  tokens: AccessTokens;
}

async function startReplica({
  secrets = [OLD],
  algorithm = 'EdDSA',
}: { secrets?: string[]; algorithm?: SigningAlgorithm } = {}): Promise<Replica> {
  const store = createSigningKeyStore(database);
  const keys = createKeyRing({ store, secrets: createSecretRing(secrets), algorithm, lifetimeSeconds: LIFETIME, clock, log });
  await keys.maintain();
  return { keys, tokens: createAccessTokens({ keys, clock, settings: testConfig() }) };
}

/** Lets the keys get older, by moving all that happened to them into the past. */
async function age(seconds: number): Promise<void> {
  await database.query(
    `UPDATE signing_key SET created_at = created_at - d, activates_at = activates_at - d, expires_at = expires_at - d
       FROM make_interval(secs => $1) AS d`,
    [seconds],
  );
}

async function issue({ tokens }: Replica, lifetimeSeconds = 900): Promise<string> {
  const now = Math.floor(clock.now() / 1000);
  return tokens.issue({
    subject: '01939f00-0000-7000-8000-00000000aaaa',
    sessionId: '01939f00-0000-7000-8000-00000000bbbb',
    generation: 1,
    userVersion: 1,
    scopes: [],
    authTime: now,
    issuedAt: now,
    expiresAt: now + lifetimeSeconds,
  });
}

const verdict = async ({ tokens }: Replica, token: string) => (await tokens.verify(token)).kind;
const kids = ({ keys }: Replica) => keys.list().map(({ kid }) => kid);
const published = ({ keys }: Replica) => keys.jwks().keys.map(({ kid }) => kid);
const signer = ({ keys }: Replica) => keys.signingKey().kid;

describe('a signing key that is due', () => {
  it('is not replaced a moment before', async () => {
    const replica = await startReplica();
    await age(LIFETIME - 5);
    await replica.keys.maintain();
    expect(kids(replica)).toHaveLength(1);
  });

  it('has a successor that is published ten minutes before it signs, and then signs without being asked', async () => {
    const replica = await startReplica();
    const old = signer(replica);
    await age(LIFETIME + 1);
    await replica.keys.maintain();
    const [successor] = kids(replica);
    expect(successor).not.toBe(old);
    expect(published(replica).sort()).toEqual([old, successor].sort());
    clock.aheadSeconds = PUBLISHED - 5;
    expect(signer(replica)).toBe(old);
    clock.aheadSeconds = PUBLISHED + 1;
    expect(signer(replica)).toBe(successor);
  });

  it('has one successor, however often it is looked at', async () => {
    const replica = await startReplica();
    await age(LIFETIME + 1);
    for (let i = 0; i < 5; i += 1) await replica.keys.maintain();
    expect(kids(replica)).toHaveLength(2);
  });

  it('verifies until the last token that it signed has expired, and not much longer', async () => {
    const replica = await startReplica();
    const old = signer(replica);
    await age(LIFETIME + 1);
    await replica.keys.maintain();
    clock.aheadSeconds = PUBLISHED - 5;
    const last = await issue(replica, 3600);
    clock.aheadSeconds += 3599;
    expect(await verdict(replica, last)).toBe('verified');
    expect(published(replica)).toContain(old);
    clock.aheadSeconds = PUBLISHED + VERIFIES + 1;
    expect(published(replica)).not.toContain(old);
    expect(await replica.keys.verificationKey(old)).toBeUndefined();
  });

  it('is replaced by one that all replicas agree on, when they find it due at the same instant', async () => {
    const replicas = await Promise.all(Array.from({ length: 6 }, () => startReplica()));
    const before = signer(replicas[0]!);
    for (const replica of replicas) await replica.keys.load();
    await age(LIFETIME + 1);
    await Promise.all(replicas.map(({ keys }) => keys.maintain()));
    clock.aheadSeconds = PUBLISHED + 1;
    for (const issuer of replicas) {
      const token = await issue(issuer);
      for (const verifier of replicas) expect(await verdict(verifier, token)).toBe('verified');
    }
    for (const { keys } of replicas) await keys.maintain();
    expect(new Set(replicas.map(signer)).size).toBe(1);
    expect(signer(replicas[0]!)).not.toBe(before);
  });

  it('is known to a replica that lags behind as soon as it sees a token of it, by one look in thirty seconds', async () => {
    const [ahead, behind] = [await startReplica(), await startReplica()];
    await age(LIFETIME + 1);
    await ahead.keys.maintain();
    clock.aheadSeconds = PUBLISHED + 1;
    const token = await issue(ahead);
    reads = 0;
    expect(await verdict(behind, token)).toBe('verified');
    expect(reads).toBe(1);
    for (let i = 0; i < 10; i += 1) expect(await behind.keys.verificationKey(`unknown ${i}`)).toBeUndefined();
    expect(reads).toBe(1);
    clock.aheadSeconds += 31;
    await behind.keys.verificationKey('unknown');
    expect(reads).toBe(2);
  });
});

describe('a key that an operator rotates', () => {
  it('is followed by one that waits ten minutes, and by no second one meanwhile', async () => {
    const replica = await startReplica();
    const old = signer(replica);
    await replica.keys.rotate(false);
    await replica.keys.rotate(false);
    expect(kids(replica)).toHaveLength(2);
    expect(signer(replica)).toBe(old);
  });

  it('immediately, is followed by one that signs at once; what it signed stays good', async () => {
    const replica = await startReplica();
    const token = await issue(replica);
    const old = signer(replica);
    await replica.keys.rotate(true);
    expect(signer(replica)).not.toBe(old);
    expect(await verdict(replica, token)).toBe('verified');
  });

  it('immediately, does not wait for a successor that waits, and that one never signs', async () => {
    const replica = await startReplica();
    await replica.keys.rotate(false);
    const [waiting] = kids(replica);
    await replica.keys.rotate(true);
    const now = signer(replica);
    expect(kids(replica)[0]).toBe(now);
    clock.aheadSeconds = PUBLISHED + 1;
    expect(signer(replica)).toBe(now);
    expect(published(replica)).not.toContain(waiting);
  });
});

describe('keys of two algorithms, each of which a replica signs with', () => {
  it('leave each other alone, however often they are looked at and replaced', async () => {
    const [one, other] = [await startReplica({ algorithm: 'EdDSA' }), await startReplica({ algorithm: 'ES256' })];
    await other.keys.maintain();
    // The new one is published before it signs.
    expect(signer(other)).toBe(signer(one));
    clock.aheadSeconds = PUBLISHED + 1;
    const old = [signer(one), signer(other)];
    expect(old[0]).not.toBe(old[1]);
    for (let i = 0; i < 5; i += 1) {
      await one.keys.maintain();
      await other.keys.maintain();
    }
    await one.keys.rotate(true);
    await other.keys.maintain();
    expect(signer(one)).not.toBe(old[0]);
    expect(signer(other)).toBe(old[1]);
    expect(kids(other)).toHaveLength(3);
    expect(await verdict(one, await issue(other))).toBe('verified');
  });

  it('are retired once nobody renews those of one any more', async () => {
    await startReplica({ algorithm: 'ES256' });
    await age(86_400);
    const replica = await startReplica({ algorithm: 'EdDSA' });
    await replica.keys.maintain();
    await age(PUBLISHED + LIFETIME + 1);
    await replica.keys.maintain();
    const ends = await database.query<{ algorithm: string }>('SELECT algorithm FROM signing_key WHERE expires_at IS NOT NULL');
    expect(ends.map(({ algorithm }) => algorithm).sort()).toEqual(['ES256', 'EdDSA']);
  });
});

describe('what becomes of a key', () => {
  it('is in the audit trail, in the statement that does it', async () => {
    await database.query('DELETE FROM audit_event');
    const { keys } = await startReplica();
    const first = keys.signingKey().kid;
    await keys.rotate(true);
    const second = keys.signingKey().kid;
    await keys.rotate(false);
    await keys.rotate(false);
    await keys.revoke(first);
    await keys.revoke('no such key');
    const events = await database.query<{ type: string; reason: string }>('SELECT type, reason FROM audit_event ORDER BY id');
    expect(events.map(({ type, reason }) => [type, reason])).toEqual([
      ['SIGNING_KEY_MADE', first],
      ['SIGNING_KEY_MADE', second],
      ['SIGNING_KEY_MADE', keys.list()[0]?.kid],
      ['SIGNING_KEY_REVOKED', first],
    ]);
  });
});

describe('a key that is revoked', () => {
  it('ends what it signed at once, what is remembered as good too, and another signs', async () => {
    const replica = await startReplica();
    const token = await issue(replica);
    expect(await verdict(replica, token)).toBe('verified');
    const kid = signer(replica);
    expect(await replica.keys.revoke(kid)).toBe(true);
    expect(await verdict(replica, token)).toBe('rejected');
    expect(published(replica)).not.toContain(kid);
    expect(await verdict(replica, await issue(replica))).toBe('verified');
  });

  it('ends on every other replica with its next look at the table', async () => {
    const [one, other] = [await startReplica(), await startReplica()];
    const token = await issue(one);
    expect(await verdict(other, token)).toBe('verified');
    await one.keys.revoke(signer(one));
    await other.keys.maintain();
    expect(await verdict(other, token)).toBe('rejected');
    expect(signer(other)).toBe(signer(one));
  });

  it('while its successor waits, lets that one sign', async () => {
    const replica = await startReplica();
    await replica.keys.rotate(false);
    const [waiting, old] = kids(replica);
    await replica.keys.revoke(old!);
    expect(signer(replica)).toBe(waiting);
    expect(kids(replica)).toEqual([waiting]);
  });

  it('is told apart from one that does not exist', async () => {
    expect(await (await startReplica()).keys.revoke('no such key')).toBe(false);
  });
});

describe('a key that was sealed under another secret', () => {
  it('is sealed anew under the active one, so that the old one can be dropped', async () => {
    const before = await startReplica({ secrets: [OLD] });
    const token = await issue(before);
    await startReplica({ secrets: [NEW, OLD] });
    const after = await startReplica({ secrets: [NEW] });
    expect(signer(after)).toBe(signer(before));
    expect(await verdict(after, token)).toBe('verified');
    expect(await verdict(before, await issue(after))).toBe('verified');
  });

  it('verifies but does not sign when no secret opens it', async () => {
    const before = await startReplica({ secrets: [OLD] });
    const token = await issue(before);
    const after = await startReplica({ secrets: [NEW] });
    expect(signer(after)).not.toBe(signer(before));
    expect(await verdict(after, token)).toBe('verified');
  });
});

describe('servers', () => {
  const servers: TestServer[] = [];
  const variables = (): Variables => ({ ...testDatabase.variables, LATCHKEY_REFRESH_GRACE_SECONDS: '0' });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  async function startServer(...secrets: string[]): Promise<TestServer> {
    const shared: Database = { ...database, close: () => Promise.resolve() };
    const server = await startTestServer({
      variables: { ...variables(), LATCHKEY_SECRETS: secrets.join(',') },
      overrides: { database: shared },
    });
    servers.push(server);
    return server;
  }

  /** What the command line runs on. */
  async function withCore(work: (core: Core) => Promise<void>): Promise<void> {
    const config = testConfig({ ...variables(), LATCHKEY_SECRETS: OLD });
    const core = await createCore({ config, clock: systemClock, log, database, reservedDatabase: database });
    await core.keys.maintain();
    try {
      await work(core);
    } finally {
      await core.keyMaintenance.stop();
    }
  }

  const register = ({ graphql }: TestServer) => createCalls(graphql).answer<Tokens>('register', { input: newPerson() });
  const refresh = ({ graphql }: TestServer, { refreshToken }: Tokens) =>
    createCalls(graphql).answer<Tokens>('refresh', { input: { refreshToken } });
  const accessState = async ({ graphql }: TestServer, { accessToken }: Tokens) =>
    (await graphql('{ viewer { id } }', {}, bearer(accessToken))).errors[0]?.extensions.reason ?? 'live';

  it('refuse what a revoked key has signed within about a second, and sign nobody out', async () => {
    const [one, other] = [await startServer(OLD), await startServer(OLD)];
    const tokens = await register(one);
    expect(await accessState(other, tokens)).toBe('live');
    // The statement that revokes it tells them: nothing else may be lost on the way.
    await withCore(async ({ keys }) => {
      await keys.revoke(keys.signingKey().kid);
    });
    for (const server of [one, other]) await expect.poll(() => accessState(server, tokens), { timeout: 5000 }).toBe('TOKEN_INVALID');
    const next = await refresh(other, tokens);
    expect(await accessState(one, next)).toBe('live');
    expect(await accessState(other, next)).toBe('live');
  });

  it('go from one secret to the next, one after the other, and sign nobody out', async () => {
    const steps = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]];
    let running = await startServer(...steps[0]!);
    let tokens = await register(running);
    for (const secrets of steps.slice(1)) {
      const next = await startServer(...secrets);
      // While both are there, either may be asked.
      for (const server of [next, running, next]) {
        tokens = await refresh(server, tokens);
        expect(await accessState(running, tokens)).toBe('live');
        expect(await accessState(next, tokens)).toBe('live');
      }
      running = next;
    }
  });

  it('refuse the refresh tokens of a secret that was dropped, and revoke nothing: it may come back', async () => {
    const before = await startServer(OLD);
    const tokens = await register(before);
    const after = await startServer(NEW);
    const { errors } = await after.graphql(operation('refresh'), { input: { refreshToken: tokens.refreshToken } });
    expect(errors[0]!.extensions.code).toBe('INVALID_REFRESH_TOKEN');
    expect(await database.query('SELECT 1 FROM session WHERE id = $1 AND revoked_at IS NOT NULL', [tokens.session.id])).toEqual([]);
    const back = await startServer(NEW, OLD);
    expect((await refresh(back, tokens)).session.id).toBe(tokens.session.id);
  });
});
