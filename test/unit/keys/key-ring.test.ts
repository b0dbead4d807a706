import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { createSecretRing, type SecretRing } from '../../../src/crypto/secret-ring.js';
import { createKeyRing, type KeyRing } from '../../../src/keys/key-ring.js';
import { generateSigningKey, SIGNING_ALGORITHMS, type SigningAlgorithm, type StoredSigningKey } from '../../../src/keys/signing-key.js';
import { createLogger } from '../../../src/log.js';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.js';
import { createMemorySigningKeyStore, type MemorySigningKeyStore } from '../../support/signing-keys.js';

const OLD_SECRET = 'the-secret-that-sealed-keys-until-today';
const NEW_SECRET = 'the-secret-that-seals-keys-from-today-on';
const secrets = createSecretRing([OLD_SECRET]);
const log = createLogger({ logLevel: 'silent' });
const LIFETIME_SECONDS = 90 * 86_400;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const generated: Record<SigningAlgorithm, StoredSigningKey[]> = { EdDSA: [], ES256: [], RS256: [] };
let clock: FakeClock;
let store: MemorySigningKeyStore;

beforeAll(async () => {
  for (const algorithm of SIGNING_ALGORITHMS) {
    generated[algorithm] = [
      await generateSigningKey(secrets, algorithm, new Date(0)),
      await generateSigningKey(secrets, algorithm, new Date(0)),
    ];
  }
});

beforeEach(() => {
  clock = createFakeClock();
  store = createMemorySigningKeyStore();
});

/** A stored key whose times count in seconds from now. */
function stored(algorithm: SigningAlgorithm, index: number, times: { activates?: number; expires?: number } = {}): StoredSigningKey {
  const at = (seconds: number) => new Date(clock.now() + seconds * 1000);
  return {
    ...generated[algorithm][index]!,
    activatesAt: at(times.activates ?? -1),
    expiresAt: times.expires === undefined ? null : at(times.expires),
  };
}

function ringOn(keyStore: MemorySigningKeyStore, ring: SecretRing = secrets, algorithm: SigningAlgorithm = 'EdDSA'): KeyRing {
  return createKeyRing({ store: keyStore, secrets: ring, algorithm, lifetimeSeconds: LIFETIME_SECONDS, clock, log });
}

async function loadedRing(...rows: StoredSigningKey[]): Promise<KeyRing> {
  store.rows = rows;
  const ring = ringOn(store);
  await ring.load();
  return ring;
}

describe('a ring that was never loaded', () => {
  it('does not sign', () => {
    const ring = ringOn(store);
    expect(ring.isLoaded).toBe(false);
    expect(() => ring.signingKey()).toThrow(expect.objectContaining({ fault: { code: 'SERVICE_UNAVAILABLE' }, retryable: true }));
  });

  it('publishes nothing', () => {
    expect(ringOn(store).jwks()).toEqual({ keys: [] });
  });

  it('looks a key up when it is asked for one', async () => {
    store.rows = [stored('EdDSA', 0)];
    const ring = ringOn(store);
    expect(await ring.verificationKey(store.rows[0]!.kid)).toMatchObject({ kid: store.rows[0]!.kid });
    expect(ring.isLoaded).toBe(true);
  });

  it('stays so when the store fails', async () => {
    store.failure = new Error('no database');
    const ring = ringOn(store);
    await expect(ring.load()).rejects.toThrow('no database');
    expect(ring.isLoaded).toBe(false);
  });
});

describe('the first load', () => {
  it.each(SIGNING_ALGORITHMS)('makes a key for %s, which signs at once', async (algorithm) => {
    const ring = ringOn(store, secrets, algorithm);
    await ring.load();
    expect(store.rows).toHaveLength(1);
    expect(ring.signingKey()).toMatchObject({ kid: store.rows[0]!.kid, algorithm, sign: expect.anything() as unknown });
    expect(ring.isLoaded).toBe(true);
  });

  it('makes no key where one can sign', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    expect(store.rows).toHaveLength(1);
    expect(ring.signingKey().kid).toBe(store.rows[0]!.kid);
  });

  it('does not go back to a retired key of its algorithm, which verifies for a while still', async () => {
    store.rows = [stored('ES256', 0, { activates: -2, expires: 3600 }), stored('EdDSA', 0)];
    const ring = ringOn(store, secrets, 'ES256');
    await ring.load();
    expect(ring.signingKey().algorithm).toBe('EdDSA');
    await ring.maintain();
    clock.advanceSeconds(600);
    expect(ring.signingKey()).toMatchObject({ algorithm: 'ES256', expiresAt: null });
  });

  it('makes no key of another algorithm that would sign before anyone has seen it', async () => {
    const [before] = (store.rows = [stored('EdDSA', 0)]);
    const ring = ringOn(store, secrets, 'ES256');
    await ring.load();
    expect(ring.jwks().keys).toHaveLength(1);
    await ring.maintain();
    expect(
      ring
        .jwks()
        .keys.map(({ alg }) => alg)
        .sort(),
    ).toEqual(['ES256', 'EdDSA']);
    clock.advanceSeconds(599);
    expect(ring.signingKey().kid).toBe(before!.kid);
    clock.advanceSeconds(1);
    expect(ring.signingKey().algorithm).toBe('ES256');
    expect(await ring.verificationKey(before!.kid)).toMatchObject({ algorithm: 'EdDSA' });
    // Replicas that sign with the other one still see to that themselves.
    await ring.maintain();
    expect(ring.list().map(({ expiresAt }) => expiresAt)).toEqual([null, null]);
  });

  it('logs the kid of a key that it made, and nothing private', async () => {
    const lines: string[] = [];
    const recorded = createLogger({ logLevel: 'trace' }, { write: (line: string) => lines.push(line) });
    const ring = createKeyRing({ store, secrets, algorithm: 'EdDSA', lifetimeSeconds: LIFETIME_SECONDS, clock, log: recorded });
    await ring.load();
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toEqual([
      { level: 'info', time: expect.any(String) as string, kid: ring.signingKey().kid, algorithm: 'EdDSA', msg: 'made a signing key' },
    ]);
  });

  it('takes the key of a replica that was faster', async () => {
    const faster = stored('EdDSA', 0);
    const ring = ringOn({
      ...store,
      async insertUnlessPresent() {
        this.rows.push(faster);
      },
    });
    await ring.load();
    expect(ring.signingKey().kid).toBe(faster.kid);
  });
});

describe('the key that signs', () => {
  it('is the newest that is active', async () => {
    const ring = await loadedRing(stored('EdDSA', 0, { activates: -20 }), stored('EdDSA', 1, { activates: -10 }));
    expect(ring.signingKey().kid).toBe(generated.EdDSA[1]!.kid);
  });

  it('is published before it signs', async () => {
    const ring = await loadedRing(stored('EdDSA', 0, { activates: -20 }), stored('EdDSA', 1, { activates: 60 }));
    expect(ring.jwks().keys).toHaveLength(2);
    expect(ring.signingKey().kid).toBe(generated.EdDSA[0]!.kid);
    clock.advanceSeconds(60);
    expect(ring.signingKey().kid).toBe(generated.EdDSA[1]!.kid);
  });

  it('may be too young where no other is there: this clock may run behind', async () => {
    const ring = await loadedRing(stored('EdDSA', 0, { activates: 30 }), stored('EdDSA', 1, { activates: 5 }));
    expect(ring.signingKey().kid).toBe(generated.EdDSA[1]!.kid);
  });

  it('is the same on every replica when two are equally new', async () => {
    const [one, other] = [stored('EdDSA', 0), stored('EdDSA', 1)];
    const [first] = [one.kid, other.kid].sort();
    expect((await loadedRing(one, other)).signingKey().kid).toBe(first);
    expect((await loadedRing(other, one)).signingKey().kid).toBe(first);
  });

  it('signs no longer once it has expired', async () => {
    const ring = await loadedRing(stored('EdDSA', 0, { expires: 60 }));
    clock.advanceSeconds(60);
    expect(() => ring.signingKey()).toThrow(expect.objectContaining({ fault: { code: 'SERVICE_UNAVAILABLE' } }));
  });
});

describe('a server secret that changes', () => {
  it('leaves the key in use while the ring still holds the secret that sealed it', async () => {
    store.rows = [stored('EdDSA', 0)];
    const ring = ringOn(store, createSecretRing([NEW_SECRET, OLD_SECRET]));
    await ring.load();
    expect(store.rows).toHaveLength(1);
    expect(ring.signingKey().kid).toBe(generated.EdDSA[0]!.kid);
  });

  it('is told from one that shares its id, when keys are sealed anew', async () => {
    const idOf = (secret: string) => createSecretRing([secret]).active.id;
    let number = 0;
    while (idOf(`${NEW_SECRET} ${number}`) !== idOf(OLD_SECRET)) number += 1;
    const next = `${NEW_SECRET} ${number}`;
    store.rows = [stored('EdDSA', 0)];
    await ringOn(store, createSecretRing([next, OLD_SECRET])).maintain();
    const ring = ringOn(store, createSecretRing([next]));
    await ring.load();
    expect(ring.signingKey().kid).toBe(generated.EdDSA[0]!.kid);
  });

  it('makes another key once it is dropped: the one before verifies, and does not sign', async () => {
    store.rows = [stored('EdDSA', 0)];
    const ring = ringOn(store, createSecretRing([NEW_SECRET]));
    await ring.load();
    expect(store.rows).toHaveLength(2);
    expect(ring.signingKey().kid).toBe(store.rows[1]!.kid);
    expect(ring.signingKey().kid).not.toBe(generated.EdDSA[0]!.kid);
    expect(await ring.verificationKey(generated.EdDSA[0]!.kid)).toMatchObject({ sign: undefined });
    expect(ring.jwks().keys).toHaveLength(2);
  });
});

describe('an unknown kid', () => {
  it('finds a key that another replica has stored a moment after the first load', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    store.rows.push(stored('EdDSA', 1));
    expect(await ring.verificationKey(generated.EdDSA[1]!.kid)).toMatchObject({ kid: generated.EdDSA[1]!.kid });
  });

  it('reloads the ring at most once in 30 s', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    store.reads = 0;
    for (const kid of ['a', 'b', 'a']) expect(await ring.verificationKey(kid)).toBeUndefined();
    expect(store.reads).toBe(1);
    clock.advanceSeconds(29.999);
    expect(await ring.verificationKey('c')).toBeUndefined();
    expect(store.reads).toBe(1);
    clock.advanceSeconds(0.001);
    expect(await ring.verificationKey('c')).toBeUndefined();
    expect(store.reads).toBe(2);
  });

  it('reloads the ring once for any number of requests at a time', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    store.reads = 0;
    await Promise.all(Array.from({ length: 100 }, async (_, index) => ring.verificationKey(`unknown ${index}`)));
    expect(store.reads).toBe(1);
  });

  it('costs a known kid no read of the store', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    store.reads = 0;
    clock.advanceSeconds(3600);
    // At once, and no promise of it: it is asked for each request.
    expect(ring.verificationKey(generated.EdDSA[0]!.kid)).toMatchObject({ kid: generated.EdDSA[0]!.kid });
    expect(store.reads).toBe(0);
  });

  it('is SERVICE_UNAVAILABLE while the store fails: the token may be good', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    store.rows.push(stored('EdDSA', 1));
    store.failure = new Error('no database');
    const lookup = ring.verificationKey(generated.EdDSA[1]!.kid);
    await expect(lookup).rejects.toMatchObject({ name: 'AuthError', fault: { code: 'SERVICE_UNAVAILABLE' }, cause: store.failure });
    expect(await ring.verificationKey(generated.EdDSA[0]!.kid)).toBeDefined();

    store.failure = undefined;
    clock.advanceSeconds(1);
    expect(await ring.verificationKey(generated.EdDSA[1]!.kid)).toBeDefined();
  });

  it('asks a store that fails once a second, however many send one', async () => {
    const ring = await loadedRing(stored('EdDSA', 0));
    const list = vi.spyOn(store, 'list').mockRejectedValue(new Error('no database'));
    for (let i = 0; i < 50; i += 1)
      await expect(ring.verificationKey(`unknown ${i}`)).rejects.toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' } });
    expect(list).toHaveBeenCalledOnce();
    clock.advanceSeconds(1);
    await expect(ring.verificationKey('unknown')).rejects.toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' } });
    expect(list).toHaveBeenCalledTimes(2);
  });

  it.each(['__proto__', 'constructor', 'toString', ''])('may be %j, which names no key', async (kid) => {
    expect(await (await loadedRing(stored('EdDSA', 0))).verificationKey(kid)).toBeUndefined();
  });
});

describe('a key that has expired', () => {
  it('neither verifies nor is published, from that very second', async () => {
    const ring = await loadedRing(stored('EdDSA', 0, { expires: 60 }), stored('EdDSA', 1));
    clock.advanceSeconds(59);
    expect(await ring.verificationKey(generated.EdDSA[0]!.kid)).toBeDefined();
    expect(ring.jwks().keys).toHaveLength(2);
    clock.advanceSeconds(1);
    expect(await ring.verificationKey(generated.EdDSA[0]!.kid)).toBeUndefined();
    expect(ring.jwks().keys.map((jwk) => jwk.kid)).toEqual([generated.EdDSA[1]!.kid]);
  });
});

describe('a key that was taken out of the store', () => {
  it('is gone with the next reload', async () => {
    const ring = await loadedRing(stored('EdDSA', 0), stored('EdDSA', 1));
    store.rows.shift();
    await ring.verificationKey('unknown');
    expect(await ring.verificationKey(generated.EdDSA[0]!.kid)).toBeUndefined();
    expect(ring.jwks().keys).toHaveLength(1);
  });

  it('is not brought back by a slower read, which was begun before it was taken out', async () => {
    const ring = await loadedRing(stored('EdDSA', 0), stored('EdDSA', 1));
    const before = [...store.rows];
    const { promise, resolve } = Promise.withResolvers<StoredSigningKey[]>();
    vi.spyOn(store, 'list').mockReturnValueOnce(promise);
    const slower = ring.read();
    store.rows.shift();
    await ring.read();
    resolve(before);
    await slower;
    expect(ring.jwks().keys.map((jwk) => jwk.kid)).toEqual([generated.EdDSA[1]!.kid]);
  });
});

it('publishes kid, alg and use of every key, and no private member', async () => {
  const ring = await loadedRing(stored('EdDSA', 0), stored('ES256', 0), stored('RS256', 0));
  const { keys } = ring.jwks();
  expect(keys.map(({ kid, alg, use }) => ({ kid, alg, use }))).toEqual(
    SIGNING_ALGORITHMS.map((algorithm) => ({ kid: generated[algorithm][0]!.kid, alg: algorithm, use: 'sig' })),
  );
  for (const key of keys) expect(Object.keys(key).filter((member) => PRIVATE_MEMBERS.includes(member))).toEqual([]);
});
