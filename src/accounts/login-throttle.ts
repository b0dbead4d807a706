import { LRUCache } from 'lru-cache';

import type { Clock } from '../clock.js';
import { AuthError } from '../errors.js';
import type { ThrottlePolicy, ThrottleStore } from '../persistence/throttle.store.js';
import { networkOf } from './network.js';

/** At most ten guesses in a quarter of an hour; after a hundred in a row, none (NIST SP 800-63B-4 section 3.2.2). */
const ACCOUNT: ThrottlePolicy = {
  freeFailures: 4,
  firstDelaySeconds: 16,
  maxDelaySeconds: 3600,
  maxFailures: 100,
  forgetAfterSeconds: null,
};
/** One who sprays a password over many accounts. Offices share an address, so many failures are free. */
const NETWORK: ThrottlePolicy = {
  freeFailures: 300,
  firstDelaySeconds: 1,
  maxDelaySeconds: 3600,
  maxFailures: null,
  forgetAfterSeconds: 3600,
};

/** The network of all whose address is not known: a proxy that names none must not open the gates. */
const NOWHERE = 'unknown';

const LID_WINDOW_MS = 60_000;
const LID_ADDRESSES = 100_000;
const TOLD_INTERVAL_MS = 60_000;
const TOLD_KEYS = 10_000;
/** What a caller is told where waiting alone does not help. */
const LONGEST_ADVICE_SECONDS = 3600;

/** Who tries a password. */
export interface Guesser {
  ipAddress: string | null;
  /** Who the caller is signed in as, and by which session, if as anyone. */
  signedIn: { subject: string; sessionId: string } | null;
}

export interface GuessAttempt {
  /** The addresses of the account's live sessions. */
  knownAddresses: () => Promise<readonly string[]>;
  /** Whether the password was right. */
  guess: () => Promise<boolean>;
  /** Called when the guess is not let through, once a minute for whatever holds it back: who guesses on does not stop to be counted. */
  tellRefused: () => Promise<void>;
}

export interface LoginThrottle {
  /**
   * A blunt lid on what one address may ask for, in this replica's memory, before anything costs anything.
   *
   * @throws {AuthError} RATE_LIMITED
   */
  admit(guesser: Guesser): void;
  /**
   * Runs one guess, counted per account and per network in the database.
   *
   * Checks, in order: the network, which does not hold back who is signed in to the account; the account; and where strangers have used that up,
   * whether the caller is one of its own devices, which has a count of its own: signed in to it, counted by session wherever that is used from; or at the
   * network of one of its live sessions, counted by network. Nobody who is signed in is locked out by the guesses of others.
   *
   * @param account the user's id, or something that stands for an identifier that nobody has.
   * @throws {AuthError} RATE_LIMITED, whether or not the password would have been right; and what `guess` throws.
   */
  attempt(account: string, guesser: Guesser, attempt: GuessAttempt): Promise<boolean>;
  /** Forgets the failures of an account, those of its own devices too: its password is new, or an operator says so. */
  clear(account: string): Promise<void>;
}

export function createLoginThrottle({
  store,
  addressLimitPerMinute,
  clock,
}: {
  store: ThrottleStore;
  addressLimitPerMinute: number;
  clock: Clock;
}): LoginThrottle {
  const lid = new LRUCache<string, { count: number }>({
    max: LID_ADDRESSES,
    ttl: LID_WINDOW_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() },
  });

  const toldLately = new LRUCache<string, true>({
    max: TOLD_KEYS,
    ttl: TOLD_INTERVAL_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() },
  });

  const refuse = async (key: string, tellRefused: () => Promise<void>): Promise<never> => {
    if (!toldLately.has(key)) {
      toldLately.set(key, true);
      await tellRefused();
    }
    const retryAfterSeconds = Math.min(await store.retryAfterSeconds(key), LONGEST_ADVICE_SECONDS);
    throw new AuthError({ code: 'RATE_LIMITED', retryAfterSeconds }, `throttled: ${key.split(':')[0] ?? ''}`);
  };

  /** The key that the guess counts under: the account's, or the device's where strangers have used up the account's. */
  const beginForAccount = async (account: string, ownDevice: () => Promise<string | undefined>, tellRefused: () => Promise<void>) => {
    const accountKey = `account:${account}`;
    if (await store.begin(accountKey, ACCOUNT)) return accountKey;
    const device = await ownDevice();
    if (device === undefined) return refuse(accountKey, tellRefused);
    const deviceKey = deviceKeyOf(account, device);
    return (await store.begin(deviceKey, ACCOUNT)) ? deviceKey : refuse(deviceKey, tellRefused);
  };

  const settleNetwork = (key: string, isRight: boolean | undefined) => (isRight === false ? store.fail(key, NETWORK) : store.release(key));

  /** The right password ends the failures in a row, those of strangers too. */
  const settleAccount = async (key: string, isRight: boolean | undefined, account: string) => {
    if (isRight === true) await Promise.all([...new Set([key, `account:${account}`])].map((used) => store.clear(used)));
    else if (isRight === false) await store.fail(key, ACCOUNT);
    else await store.release(key);
  };

  return {
    admit({ ipAddress }) {
      const network = networkOf(ipAddress) ?? NOWHERE;
      const used = lid.get(network) ?? { count: 0 };
      if (used.count >= addressLimitPerMinute) {
        const retryAfterSeconds = Math.max(1, Math.ceil(lid.getRemainingTTL(network) / 1000));
        throw new AuthError({ code: 'RATE_LIMITED', retryAfterSeconds }, 'throttled: the lid on one address');
      }
      used.count += 1;
      // Set once, so that the window ends when it began to count, not when it last did.
      if (used.count === 1) lid.set(network, used);
    },

    async attempt(account, { ipAddress, signedIn }, { knownAddresses, guess, tellRefused }) {
      const network = networkOf(ipAddress);
      const networkKey = `network:${network ?? NOWHERE}`;
      const ownSession = signedIn?.subject === account ? signedIn.sessionId : undefined;
      const ownDevice = async () =>
        ownSession ?? (await knownAddresses()).map(networkOf).find((known) => known !== undefined && known === network);
      const isCounted = await store.begin(networkKey, NETWORK);
      // Who is at the address of a session is not enough here: the answer would tell everyone there who else has one.
      if (!isCounted && ownSession === undefined) return refuse(networkKey, tellRefused);
      let isRight: boolean | undefined;
      let key: string | undefined;
      try {
        key = await beginForAccount(account, ownDevice, tellRefused);
        isRight = await guess();
        return isRight;
      } finally {
        await Promise.all([
          isCounted ? settleNetwork(networkKey, isRight) : undefined,
          key === undefined ? undefined : settleAccount(key, isRight, account),
        ]);
      }
    },

    async clear(account) {
      await Promise.all([store.clear(`account:${account}`), store.clearAll(deviceKeyOf(account))]);
    },
  };
}

const deviceKeyOf = (account: string, device = '') => `device:${account}:${device}`;
