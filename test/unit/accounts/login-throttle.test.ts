import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';

import { createLoginThrottle, type Guesser } from '../../../src/accounts/login-throttle.js';
import { AuthError } from '../../../src/errors.js';
import type { ThrottleStore } from '../../../src/persistence/throttle.store.js';

const ACCOUNT = '019aa000-0000-7000-8000-00000000000a';
const HOME = '192.0.2.1';
const stranger: Guesser = { ipAddress: '198.51.100.7', signedIn: null };
const atHome: Guesser = { ipAddress: HOME, signedIn: null };
const SESSION = '019aa000-0000-7000-8000-0000000000a1';
const signedIn: Guesser = { ipAddress: '198.51.100.9', signedIn: { subject: ACCOUNT, sessionId: SESSION } };
const asAnother = { subject: '019aa000-0000-7000-8000-00000000000b', sessionId: '019aa000-0000-7000-8000-0000000000b1' };
const nowhere: Guesser = { ipAddress: null, signedIn: null };

/** The table, with the keys that are blocked, and every call to it in order. */
function createFakeStore() {
  const calls: string[] = [];
  const blocked = new Set<string>();
  let retryAfterSeconds = 42;
  const note = (what: string) => async (key: string) => void calls.push(`${what} ${key}`);
  const store: ThrottleStore = {
    async begin(key) {
      calls.push(`begin ${key}`);
      return !blocked.has(key);
    },
    retryAfterSeconds: async () => retryAfterSeconds,
    fail: note('fail'),
    release: note('release'),
    clear: note('clear'),
    clearAll: note('clear all'),
  };
  return { store, calls, blocked, setRetryAfter: (seconds: number) => (retryAfterSeconds = seconds) };
}

const clock = { seconds: 1, now: () => clock.seconds * 1000, monotonic: () => clock.seconds * 1000 };
let fake: ReturnType<typeof createFakeStore>;
let knownAddresses: Mock<() => Promise<string[]>>;
let tellRefused: Mock<() => Promise<void>>;

beforeEach(() => {
  fake = createFakeStore();
  knownAddresses = vi.fn(async () => [HOME, '2001:db8::1']);
  tellRefused = vi.fn(async () => undefined);
});

const createThrottle = () => createLoginThrottle({ store: fake.store, addressLimitPerMinute: 5, clock });

function attempt(guesser: Guesser, guess: () => Promise<boolean> = async () => true, throttle = createThrottle()): Promise<boolean> {
  return throttle.attempt(ACCOUNT, guesser, { knownAddresses, guess, tellRefused });
}

const settled = () => fake.calls.filter((call) => !call.startsWith('begin')).sort();

describe('a guess', () => {
  it('is counted for the network and for the account before it is made', async () => {
    await attempt(stranger, async () => {
      expect(fake.calls).toEqual(['begin network:198.51.100.7', `begin account:${ACCOUNT}`]);
      return true;
    });
  });

  it('that is wrong counts against both', async () => {
    expect(await attempt(stranger, async () => false)).toBe(false);
    expect(settled()).toEqual([`fail account:${ACCOUNT}`, 'fail network:198.51.100.7']);
  });

  it('that is right forgets the failures of the account, and not those of the network', async () => {
    expect(await attempt(stranger)).toBe(true);
    expect(settled()).toEqual([`clear account:${ACCOUNT}`, 'release network:198.51.100.7']);
  });

  it('that could not be made says nothing about the password', async () => {
    const error = new Error('the queue is full');
    await expect(attempt(stranger, () => Promise.reject(error))).rejects.toBe(error);
    expect(settled()).toEqual([`release account:${ACCOUNT}`, 'release network:198.51.100.7']);
  });

  it('whose address nobody knows counts as from one network, which is no device of anyone', async () => {
    await attempt(nowhere, async () => false);
    expect(fake.calls.slice(0, 2)).toEqual(['begin network:unknown', `begin account:${ACCOUNT}`]);
    expect(settled()).toEqual([`fail account:${ACCOUNT}`, 'fail network:unknown']);
  });

  it('from anywhere in a /64 counts as from one network', async () => {
    await attempt({ ipAddress: '2001:db8:5:6:7::8', signedIn: null });
    expect(fake.calls[0]).toBe('begin network:2001:db8:5:6::/64');
  });
});

describe('a guess that is not let through', () => {
  const guess = vi.fn(async () => true);

  afterEach(() => guess.mockClear());

  it('by the network is not made, and touches no account', async () => {
    fake.blocked.add('network:198.51.100.7');
    await expect(attempt(stranger, guess)).rejects.toMatchObject({ fault: { code: 'RATE_LIMITED', retryAfterSeconds: 42 } });
    expect(guess).not.toHaveBeenCalled();
    expect(fake.calls).toEqual(['begin network:198.51.100.7']);
  });

  it('by the network is made all the same for who is signed in to the account', async () => {
    fake.blocked.add('network:198.51.100.9');
    expect(await attempt(signedIn, async () => false)).toBe(false);
    expect(fake.calls).toEqual(['begin network:198.51.100.9', `begin account:${ACCOUNT}`, `fail account:${ACCOUNT}`]);
  });

  it.each([`account:${ACCOUNT}`, 'network:198.51.100.7'])('is told of once a minute for what holds it back: %s', async (key) => {
    const throttle = createThrottle();
    fake.blocked.add(key);
    for (const [seconds, told] of [
      [0, 1],
      [59, 1],
      [2, 2],
    ] as const) {
      clock.seconds += seconds;
      for (let i = 0; i < 3; i += 1) await expect(attempt(stranger, guess, throttle)).rejects.toThrow(AuthError);
      expect(tellRefused).toHaveBeenCalledTimes(told);
    }
  });

  it.each<[string, Guesser]>([
    ['signed in to another account', { ...atHome, signedIn: asAnother }],
    ['at the address of a live session, or it would tell who has one there', atHome],
  ])('by the network is not made for who is %s', async (_who, guesser) => {
    fake.blocked.add(`network:${HOME}`);
    await expect(attempt(guesser, guess)).rejects.toThrow(AuthError);
    expect(guess).not.toHaveBeenCalled();
    expect(knownAddresses).not.toHaveBeenCalled();
  });

  it('by the account is not made, right or wrong, and is not held against the network', async () => {
    fake.blocked.add(`account:${ACCOUNT}`);
    await expect(attempt(stranger, guess)).rejects.toThrow(AuthError);
    expect(guess).not.toHaveBeenCalled();
    expect(settled()).toEqual(['release network:198.51.100.7']);
  });

  it.each([
    [0.5, 0.5],
    [3600, 3600],
    [Number.POSITIVE_INFINITY, 3600],
  ])('names %d s to wait as %d s: never more than an hour', async (seconds, told) => {
    fake.blocked.add(`account:${ACCOUNT}`);
    fake.setRetryAfter(seconds);
    await expect(attempt(stranger)).rejects.toMatchObject({ fault: { retryAfterSeconds: told } });
  });
});

describe('an account that strangers have used up', () => {
  beforeEach(() => fake.blocked.add(`account:${ACCOUNT}`));

  it.each<[string, Guesser, string]>([
    ['is signed in to it', signedIn, `device:${ACCOUNT}:${SESSION}`],
    ['is at the address of a live session', atHome, `device:${ACCOUNT}:${HOME}`],
    ['is in the network of a live session', { ipAddress: '2001:db8::9', signedIn: null }, `device:${ACCOUNT}:2001:db8:0:0::/64`],
    ['is signed in, from nowhere', { ...signedIn, ipAddress: null }, `device:${ACCOUNT}:${SESSION}`],
    ['is signed in, in the network of another session', { ...signedIn, ipAddress: HOME }, `device:${ACCOUNT}:${SESSION}`],
  ])('lets a device through that %s, and counts it by itself', async (_who, guesser, key) => {
    expect(await attempt(guesser, async () => false)).toBe(false);
    expect(fake.calls).toContain(`fail ${key}`);
    expect(fake.calls).not.toContain(`fail account:${ACCOUNT}`);
  });

  it('is free again, for the device and for everyone, once its own device has got in', async () => {
    await attempt(atHome);
    expect(settled()).toEqual([`clear account:${ACCOUNT}`, `clear device:${ACCOUNT}:${HOME}`, `release network:${HOME}`]);
  });

  it.each<[string, Guesser]>([
    ['a stranger', stranger],
    ['someone signed in as another', { ...stranger, signedIn: asAnother }],
    ['someone from nowhere', nowhere],
    ['someone in the next /64', { ipAddress: '2001:db8:0:1::1', signedIn: null }],
  ])('lets %s wait', async (_who, guesser) => {
    await expect(attempt(guesser)).rejects.toMatchObject({ fault: { code: 'RATE_LIMITED' } });
  });

  it('lets its own device wait too once that has guessed as often', async () => {
    fake.blocked.add(`device:${ACCOUNT}:${HOME}`);
    await expect(attempt(atHome)).rejects.toMatchObject({ fault: { code: 'RATE_LIMITED' } });
  });

  it('is not asked for its sessions before', async () => {
    fake.blocked.clear();
    await attempt(stranger);
    expect(knownAddresses).not.toHaveBeenCalled();
  });
});

it('forgets what an account and its own devices have failed, for an operator', async () => {
  await createLoginThrottle({ store: fake.store, addressLimitPerMinute: 5, clock }).clear(ACCOUNT);
  expect(settled()).toEqual([`clear account:${ACCOUNT}`, `clear all device:${ACCOUNT}:`]);
});

describe('the lid on one address', () => {
  const refusals = (throttle: ReturnType<typeof createLoginThrottle>, guessers: readonly Guesser[]) =>
    guessers.filter((guesser) => {
      try {
        throttle.admit(guesser);
        return false;
      } catch (error) {
        expect(error).toMatchObject({ fault: { code: 'RATE_LIMITED' } });
        return true;
      }
    }).length;
  const times = (count: number, guesser: Guesser) => Array.from({ length: count }, () => guesser);

  it('lets through what is configured, each minute, without a statement', () => {
    const throttle = createLoginThrottle({ store: fake.store, addressLimitPerMinute: 5, clock });
    expect(refusals(throttle, times(8, stranger))).toBe(3);
    clock.seconds += 59;
    expect(refusals(throttle, times(1, stranger))).toBe(1);
    clock.seconds += 2;
    expect(refusals(throttle, times(8, stranger))).toBe(3);
    expect(fake.calls).toEqual([]);
  });

  it('says how long the minute still takes', () => {
    const throttle = createLoginThrottle({ store: fake.store, addressLimitPerMinute: 1, clock });
    throttle.admit(stranger);
    clock.seconds += 30;
    expect(() => throttle.admit(stranger)).toThrow('Try again in 30 s');
  });

  it('is of each address its own, and of a /64 one', () => {
    const throttle = createLoginThrottle({ store: fake.store, addressLimitPerMinute: 5, clock });
    expect(refusals(throttle, [...times(5, stranger), ...times(5, atHome)])).toBe(0);
    const rotating = Array.from({ length: 10 }, (_, i) => ({ ipAddress: `2001:db8::${i}`, signedIn: null }));
    expect(refusals(throttle, rotating)).toBe(5);
  });

  it('is one for all whose address nobody knows: a proxy that names none does not open it', () => {
    const throttle = createLoginThrottle({ store: fake.store, addressLimitPerMinute: 4, clock });
    expect(refusals(throttle, [...times(5, nowhere), ...times(5, { ...nowhere, ipAddress: 'no address' })])).toBe(6);
  });
});
