import argon2 from 'argon2';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { createPasswordHasher } from '../../../src/crypto/password-hasher.js';
import { AuthError } from '../../../src/errors.js';

const CHEAP = { memoryKiB: 1024, iterations: 1, parallelism: 1, concurrency: 2, queueLimit: 4 };
const PASSWORD = 'a few words of a good password';

const hasher = await createPasswordHasher(CHEAP);
afterEach(() => vi.restoreAllMocks());

describe('a hash', () => {
  it.each([
    [{ memoryKiB: 1024, iterations: 1, parallelism: 1 }, 'm=1024,t=1,p=1'],
    [{ memoryKiB: 2048, iterations: 3, parallelism: 2 }, 'm=2048,t=3,p=2'],
  ])('is an argon2id PHC string at the parameters %j', async (parameters, expected) => {
    const hash = await (await createPasswordHasher({ ...CHEAP, ...parameters })).hash(PASSWORD);
    const [, type, version, settings, salt, digest] = hash.split('$');
    expect([type, version, settings]).toEqual(['argon2id', 'v=19', expected]);
    expect(Buffer.from(salt!, 'base64')).toHaveLength(16);
    expect(Buffer.from(digest!, 'base64')).toHaveLength(32);
  });

  it('is another each time, and never holds the password', async () => {
    const hashes = await Promise.all([hasher.hash(PASSWORD), hasher.hash(PASSWORD)]);
    expect(hashes[0]).not.toBe(hashes[1]);
    expect(hashes.join()).not.toContain(PASSWORD);
  });
});

describe('verification', () => {
  it.each<[name: string, presented: string]>([
    ['nothing', ''],
    ['another password', 'another few words'],
    ['a character less', PASSWORD.slice(0, -1)],
    ['a character more', `${PASSWORD}.`],
    ['a space more', `${PASSWORD} `],
    ['another letter case', PASSWORD.toUpperCase()],
    ['a NUL and more behind it', `${PASSWORD}\0`],
  ])('refuses %s', async (_, presented) => {
    expect(await hasher.verify(await hasher.hash(PASSWORD), presented)).toBe(false);
  });

  it.each<[name: string, password: string]>([
    ['a usual one', PASSWORD],
    ['one of 1,024 characters', 'x'.repeat(1024)],
    ['one with spaces around it', `  ${PASSWORD}  `],
    ['one of emoji', '🦊'.repeat(15)],
    ['one with a NUL inside', `before\0behind`],
  ])('accepts the very password: %s', async (_, password) => {
    expect(await hasher.verify(await hasher.hash(password), password)).toBe(true);
  });

  it('reads a long password to its end', async () => {
    const long = 'x'.repeat(199);
    expect(await hasher.verify(await hasher.hash(`${long}a`), `${long}b`)).toBe(false);
  });

  it('reads a password beyond a NUL', async () => {
    expect(await hasher.verify(await hasher.hash('before\0one'), 'before\0two')).toBe(false);
  });

  it('accepts a hash that was made at other parameters', async () => {
    const older = await createPasswordHasher({ ...CHEAP, memoryKiB: 2048, iterations: 2 });
    expect(await hasher.verify(await older.hash(PASSWORD), PASSWORD)).toBe(true);
  });

  it('without a hash does the same work at the same parameters, and answers no', async () => {
    const verify = vi.spyOn(argon2, 'verify');
    const known = await hasher.hash(PASSWORD);
    expect(await hasher.verify(known, 'wrong')).toBe(false);
    expect(await hasher.verify(undefined, 'wrong')).toBe(false);
    const parameters = verify.mock.calls.map(([hash]) => hash.split('$').slice(0, 4).join('$'));
    expect(parameters).toEqual(['$argon2id$v=19$m=1024,t=1,p=1', '$argon2id$v=19$m=1024,t=1,p=1']);
  });

  it.each(['', 'undefined', 'null'])('without a hash answers no to %j too', async (presented) => {
    expect(await hasher.verify(undefined, presented)).toBe(false);
  });

  it('without a hash answers no even where argon2 says yes', async () => {
    vi.spyOn(argon2, 'verify').mockResolvedValue(true);
    expect(await hasher.verify(undefined, PASSWORD)).toBe(false);
  });
});

describe('a hash that needs to be made again', () => {
  it.each([
    ['more memory', { memoryKiB: 2048 }],
    ['less memory', { memoryKiB: 512 }],
    ['more passes', { iterations: 2 }],
    ['more lanes', { parallelism: 2 }],
  ])('was made with %s', async (_, parameters) => {
    const hash = await (await createPasswordHasher({ ...CHEAP, ...parameters })).hash(PASSWORD);
    expect(hasher.needsRehash(hash)).toBe(true);
  });

  it.each([
    ['argon2i', argon2.argon2i],
    ['argon2d', argon2.argon2d],
  ])('was made with %s', async (_, type) => {
    const hash = await argon2.hash(PASSWORD, { type, memoryCost: 1024, timeCost: 1, parallelism: 1 });
    expect(hasher.needsRehash(hash)).toBe(true);
  });

  it('was not made at the parameters of today', async () => {
    expect(hasher.needsRehash(await hasher.hash(PASSWORD))).toBe(false);
  });
});

describe('a pepper', () => {
  const OLD = 'the pepper of all the years before this one';
  const NEW = 'the pepper of this year and the years to come';
  const peppered = (...peppers: string[]) => createPasswordHasher(CHEAP, peppers);

  it('is needed to verify: whoever has the hash alone cannot guess at the password', async () => {
    const hash = await (await peppered(NEW)).hash(PASSWORD);
    expect(await argon2.verify(hash, PASSWORD)).toBe(false);
    expect(await (await peppered(NEW)).verify(hash, PASSWORD)).toBe(true);
    expect(await (await peppered(NEW)).verify(hash, `${PASSWORD}.`)).toBe(false);
  });

  it('is named in the PHC string by a key id, which holds nothing of it', async () => {
    const [one, other] = [await (await peppered(NEW)).hash(PASSWORD), await (await peppered(OLD)).hash(PASSWORD)];
    const keyIdOf = (hash: string) => /^\$argon2id\$v=19\$m=1024,t=1,p=1,keyid=([A-Za-z0-9+/]{8})\$/.exec(hash)?.[1];
    expect(keyIdOf(one)).toEqual(expect.any(String));
    expect(keyIdOf(one)).not.toBe(keyIdOf(other));
    expect(Buffer.from(NEW).includes(Buffer.from(keyIdOf(one)!, 'base64'))).toBe(false);
  });

  it('can be replaced: what was hashed with the one before, or with none, verifies and is made again', async () => {
    const both = await peppered(NEW, OLD);
    for (const before of [hasher, await peppered(OLD)]) {
      const hash = await before.hash(PASSWORD);
      expect(await both.verify(hash, PASSWORD)).toBe(true);
      expect(await both.verify(hash, 'wrong')).toBe(false);
      expect(both.needsRehash(hash)).toBe(true);
    }
    const fresh = await both.hash(PASSWORD);
    expect(both.needsRehash(fresh)).toBe(false);
    expect(await (await peppered(NEW)).verify(fresh, PASSWORD)).toBe(true);
  });

  it('that is not there gives no verdict, after the same work', async () => {
    const hash = await (await peppered(OLD)).hash(PASSWORD);
    const verify = vi.spyOn(argon2, 'verify');
    for (const without of [hasher, await peppered(NEW)]) {
      await expect(without.verify(hash, PASSWORD)).rejects.toMatchObject({
        fault: { code: 'SERVICE_UNAVAILABLE' },
        detail: expect.stringContaining('LATCHKEY_PASSWORD_PEPPERS') as string,
      });
    }
    expect(verify).toHaveBeenCalledTimes(2);
  });

  it('is in the hash of nobody too: the same work for who does not exist', async () => {
    const own = await peppered(NEW);
    const verify = vi.spyOn(argon2, 'verify');
    await own.verify(await own.hash(PASSWORD), 'wrong');
    await own.verify(undefined, 'wrong');
    const [known, nobody] = verify.mock.calls.map(([hash, , options]) => [hash.split('$').slice(0, 4), options]);
    expect(nobody).toEqual(known);
  });
});

describe('a storm of passwords', () => {
  /** argon2 that ends when the test says so. */
  function holdArgon2() {
    const ends: (() => void)[] = [];
    const hash = vi.spyOn(argon2, 'hash').mockImplementation(() => new Promise((resolve) => ends.push(() => resolve('hash'))));
    return { hash, endAll: () => ends.splice(0).forEach((end) => end()) };
  }

  it('runs a bounded number at once, and refuses what is too much as SERVICE_UNAVAILABLE', async () => {
    const { hash, endAll } = holdArgon2();
    const accepted = Array.from({ length: CHEAP.concurrency + CHEAP.queueLimit }, () => hasher.hash(PASSWORD));
    expect(hash).toHaveBeenCalledTimes(CHEAP.concurrency);
    const tooMuch = [() => hasher.hash(PASSWORD), () => hasher.verify('$argon2id$', PASSWORD), () => hasher.verify(undefined, PASSWORD)];
    for (const attempt of tooMuch) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(AuthError);
      expect(error).toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' }, retryable: true });
    }
    for (let begun = CHEAP.concurrency; begun <= accepted.length; begun += CHEAP.concurrency) {
      await expect.poll(() => hash.mock.calls.length).toBe(begun);
      endAll();
    }
    expect(await Promise.all(accepted)).toEqual(accepted.map(() => 'hash'));
  });

  it('is over once its hashes are done', async () => {
    const { endAll } = holdArgon2();
    const storm = Array.from({ length: CHEAP.concurrency + CHEAP.queueLimit }, () => hasher.hash(PASSWORD));
    vi.restoreAllMocks();
    endAll();
    await Promise.all(storm);
    expect(await hasher.verify(await hasher.hash(PASSWORD), PASSWORD)).toBe(true);
  });
});
