import type { JSONWebKeySet } from 'jose';

import type { Clock } from '../clock.js';
import type { SecretRing } from '../crypto/secret-ring.js';
import { AuthError } from '../errors.js';
import type { Logger } from '../log.js';
import {
  generateSigningKey,
  openSigningKey,
  resealSigningKey,
  type Signer,
  type SigningAlgorithm,
  type SigningKey,
  type StoredSigningKey,
} from './signing-key.js';

/** An unknown kid may come from anyone: it reloads the ring no more often than this. */
const RELOAD_INTERVAL_MS = 30_000;
/** After a reload that failed. */
const RELOAD_RETRY_MS = 1000;

/** A token may live an hour at most (RFC 6750 section 5.3); its key verifies for a little longer. */
const VERIFIES_AFTER_SIGNING_SECONDS = 3600 + 120;
/** Longer than anyone keeps the published set: by then everyone has the new key. */
const PUBLISHED_BEFORE_SIGNING_SECONDS = 600;

/** A key that is overdue by so much is of an algorithm that no replica uses any more. */
const NEGLECTED_SECONDS = 86_400;

/** Where signing keys are kept. Each change makes every replica load them again. */
export interface SigningKeyStore {
  /** The keys that verify still. */
  list(): Promise<StoredSigningKey[]>;
  /** Stores the key unless another of its algorithm is in use and opens: of several replicas that start at once, one wins. */
  insertUnlessPresent(key: StoredSigningKey, unusableKids: readonly string[]): Promise<void>;
  /**
   * Stores a successor that signs after `publishedForSeconds`, and sets when the others stop to verify: at once where they have not signed yet.
   * Tells whether it did: not if a key is there that is younger than `minimumAgeSeconds` or waits to sign; null stores it whatever is there.
   * The others are those of its algorithm, and those of another that nobody has renewed for `neglectedAfterSeconds`.
   */
  succeed(
    key: StoredSigningKey,
    how: {
      minimumAgeSeconds: number | null;
      publishedForSeconds: number;
      verifiesForSeconds: number;
      neglectedAfterSeconds: number;
      isByOperator: boolean;
    },
  ): Promise<boolean>;
  /** Replaces the sealed private part, which another secret sealed. */
  reseal(key: Pick<StoredSigningKey, 'kid' | 'sealedPrivateJwk' | 'secretId'>): Promise<void>;
  /** Ends a key at once, for an operator: nothing that it signed is believed any more. Tells whether there was one. */
  revoke(kid: string): Promise<boolean>;
}

export interface KeyRing {
  /** Loads the keys, and makes none. */
  read(): Promise<void>;
  /** Loads the keys, and makes one when none can sign. */
  load(): Promise<void>;
  /** Loads the keys again, makes a successor when the newest is old enough, and seals anew what an older secret sealed. */
  maintain(): Promise<void>;
  /** Makes a successor now, for an operator, unless one waits to sign already; with `immediately`, one that signs from this moment in any case. */
  rotate(immediately: boolean): Promise<void>;
  /** Ends a key at once, here; elsewhere once the ring is loaded again. Tells whether there was one. */
  revoke(kid: string): Promise<boolean>;
  /** Every key that verifies still, the newest first. */
  list(): readonly SigningKey[];
  readonly isLoaded: boolean;
  /**
   * The key that signs now.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE before the first load.
   */
  signingKey(): SigningKey & { sign: Signer };
  /**
   * The key with this kid, if it verifies now: at once for one that is known. An unknown kid reloads the ring at most once in 30 s.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE, as a rejection, when the kid is unknown and the ring cannot be reloaded: the token may be good.
   */
  verificationKey(kid: string): SigningKey | undefined | Promise<SigningKey | undefined>;
  /** The public keys (RFC 7517 section 5), each with `kid`, `alg` and `use`; no private member. */
  jwks(): JSONWebKeySet;
}

interface KeyRingOptions {
  store: SigningKeyStore;
  secrets: SecretRing;
  algorithm: SigningAlgorithm;
  lifetimeSeconds: number;
  clock: Clock;
  log: Logger;
}

type UsableKey = ReturnType<KeyRing['signingKey']>;

/** Makes the ring of signing keys: the database keeps them, each replica holds them in memory. */
export function createKeyRing({ store, secrets, algorithm, lifetimeSeconds, clock, log }: KeyRingOptions): KeyRing {
  let keys: ReadonlyMap<string, SigningKey> = new Map();
  let isLoaded = false;
  let reads = 0;
  let newestRead = 0;
  let reloadedAt: number | undefined;
  let reloadFailedAt: number | undefined;
  let reloading: Promise<void> | undefined;

  const isCurrent = (key: SigningKey) => key.expiresAt === null || key.expiresAt.getTime() > clock.now();

  const currentKey = (kid: string): SigningKey | undefined => {
    const key = keys.get(kid);
    return key !== undefined && isCurrent(key) ? key : undefined;
  };

  const newestUsable = (): UsableKey | undefined => {
    const usable = [...keys.values()]
      .filter((key): key is UsableKey => key.sign !== undefined && isCurrent(key))
      .sort((a, b) => b.activatesAt.getTime() - a.activatesAt.getTime() || (a.kid < b.kid ? -1 : 1));
    const active = usable.filter((key) => key.activatesAt.getTime() <= clock.now());
    // What it signs now will be verified to its end: one that is retired signs until its successor does, and no longer.
    const lasting = active.filter(
      ({ expiresAt }) => expiresAt === null || expiresAt.getTime() > clock.now() + VERIFIES_AFTER_SIGNING_SECONDS * 1000,
    );
    // One of another algorithm while ours waits to sign. The last ones for a replica whose clock is wrong: better such a key than none.
    return lasting.find((key) => key.algorithm === algorithm) ?? lasting[0] ?? active[0] ?? usable.at(-1);
  };

  const readStore = async () => {
    const turn = (reads += 1);
    const opened = await Promise.all((await store.list()).map((stored) => openSigningKey(secrets, stored)));
    // One that was begun later may know of a key that was revoked since.
    if (turn < newestRead) return;
    newestRead = turn;
    keys = new Map(opened.map((key) => [key.kid, key]));
    isLoaded = true;
  };

  const load = async () => {
    await readStore();
    if (newestUsable() !== undefined) return;
    const unusableKids = [...keys.values()].filter((key) => key.sign === undefined).map((key) => key.kid);
    await store.insertUnlessPresent(await generateSigningKey(secrets, algorithm, new Date(clock.now())), unusableKids);
    await readStore();
    log.info({ kid: newestUsable()?.kid, algorithm }, 'made a signing key');
  };

  const rotate = async (minimumAgeSeconds: number | null, publishedForSeconds: number, isByOperator: boolean) => {
    const successor = await generateSigningKey(secrets, algorithm, new Date(clock.now()));
    const how = {
      minimumAgeSeconds,
      publishedForSeconds,
      verifiesForSeconds: VERIFIES_AFTER_SIGNING_SECONDS,
      neglectedAfterSeconds: lifetimeSeconds + NEGLECTED_SECONDS,
      isByOperator,
    };
    if (await store.succeed(successor, how)) log.info({ kid: successor.kid, algorithm, publishedForSeconds }, 'made the next signing key');
    await readStore();
  };

  const resealOlder = async () => {
    for (const stored of await store.list()) {
      const resealed = resealSigningKey(secrets, stored);
      if (resealed === undefined) continue;
      await store.reseal(resealed);
      log.info({ kid: stored.kid }, 'sealed a signing key anew, under the active secret');
    }
  };

  const reload = async () => {
    // Anyone can send an unknown kid: they do not keep a store busy that has no answer.
    if (reloadFailedAt !== undefined && clock.monotonic() - reloadFailedAt < RELOAD_RETRY_MS) {
      throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'an unknown kid, and the signing keys could not be reloaded a moment ago');
    }
    reloading ??= readStore().finally(() => (reloading = undefined));
    try {
      await reloading;
      reloadedAt = clock.monotonic();
      reloadFailedAt = undefined;
    } catch (error) {
      reloadFailedAt = clock.monotonic();
      throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'an unknown kid, and the signing keys cannot be reloaded', { cause: error });
    }
  };

  return {
    read: readStore,
    load,
    async maintain() {
      await load();
      await resealOlder();
      const newest = [...keys.values()].filter((key) => key.algorithm === algorithm && key.expiresAt === null);
      const isDue = newest.every((key) => key.activatesAt.getTime() <= clock.now() - lifetimeSeconds * 1000);
      if (isDue) await rotate(lifetimeSeconds, PUBLISHED_BEFORE_SIGNING_SECONDS, false);
    },
    rotate: (immediately) => (immediately ? rotate(null, 0, true) : rotate(0, PUBLISHED_BEFORE_SIGNING_SECONDS, true)),
    async revoke(kid) {
      const existed = await store.revoke(kid);
      await load();
      return existed;
    },
    list: () => [...keys.values()].filter(isCurrent).sort((a, b) => b.activatesAt.getTime() - a.activatesAt.getTime()),
    get isLoaded() {
      return isLoaded;
    },
    signingKey() {
      const key = newestUsable();
      if (key === undefined) throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'no signing key is loaded');
      return key;
    },
    verificationKey(kid) {
      // The first load does not count: another replica may have stored its key a moment after.
      const mayReload = reloadedAt === undefined || clock.monotonic() - reloadedAt >= RELOAD_INTERVAL_MS;
      return !keys.has(kid) && mayReload ? reload().then(() => currentKey(kid)) : currentKey(kid);
    },
    jwks: () => ({ keys: [...keys.values()].filter(isCurrent).map((key) => key.publicJwk) }),
  };
}
