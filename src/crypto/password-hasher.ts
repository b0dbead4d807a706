import { randomBytes } from 'node:crypto';

import argon2 from 'argon2';

import type { Config } from '../config/config.js';
import { AuthError } from '../errors.js';
import { createWorkQueue } from '../work-queue.js';
import { createPepper, pepperIdOf, withPepperId } from './pepper.js';

/** argon2id (RFC 9106) with PHC strings, a bounded number at a time. */
export interface PasswordHasher {
  /**
   * Runs work that hashes or verifies, if there is room for what it will ask; what is turned away has cost nothing, not even a statement.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE at once when too many wait already.
   */
  admit<T>(work: () => Promise<T>): Promise<T>;
  /** A PHC string with a fresh salt. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the hash's. Without a hash it does the same work and answers false, so that the time does
   * not tell whether a user exists.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE, after the same work, when the hash was made with a pepper that is not there: nothing is known then.
   */
  verify(hash: string | undefined, password: string): Promise<boolean>;
  /** Whether the hash was made with other parameters than today's, or another pepper. */
  needsRehash(hash: string): boolean;
  /** How many of those that were admitted are more than may hash at once. */
  readonly waiting: number;
}

/**
 * Makes the hasher. Passwords come prepared: well-formed, in NFC, of bounded length (`accounts/password-policy.ts`).
 *
 * @param peppers the first is used for new hashes, the rest are still accepted; none: hashes without a pepper, as those made before there was one.
 * @throws {AuthError} SERVICE_UNAVAILABLE from `hash` and `verify`, too, when who was not admitted asks for more than the queue holds.
 */
export async function createPasswordHasher(settings: Config['argon2'], peppers: readonly string[] = []): Promise<PasswordHasher> {
  const options = {
    type: argon2.argon2id,
    memoryCost: settings.memoryKiB,
    timeCost: settings.iterations,
    parallelism: settings.parallelism,
  };
  const queue = createWorkQueue(settings);
  // Whoever is in hashes one password at a time: for all who are, there is room in the queue.
  const doorkeeper = createWorkQueue({ concurrency: settings.concurrency + settings.queueLimit, queueLimit: 0 });
  const unlessFull = <T>(result: Promise<T> | undefined): Promise<T> =>
    result ?? Promise.reject(new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'too many passwords wait to be hashed'));
  const queued = <T>(task: () => Promise<T>): Promise<T> => unlessFull(queue.run(task));

  const ring = peppers.map(createPepper);
  const [active] = ring;
  const hash = async (password: string | Buffer): Promise<string> =>
    active === undefined
      ? argon2.hash(password, options)
      : withPepperId(await argon2.hash(password, { ...options, secret: active.key }), active.id);

  // A hash of nothing anyone knows, at today's parameters.
  const dummy = await hash(randomBytes(32));

  return {
    admit: (work) => unlessFull(doorkeeper.run(work)),
    hash: (password) => queued(() => hash(password)),
    verify: async (known, password) => {
      const presented = known ?? dummy;
      const id = pepperIdOf(presented);
      const pepper = ring.find((candidate) => candidate.id === id);
      const matches = await queued(() => argon2.verify(presented, password, pepper === undefined ? {} : { secret: pepper.key }));
      if (id !== undefined && pepper === undefined) {
        throw new AuthError(
          { code: 'SERVICE_UNAVAILABLE' },
          `a password hash needs the pepper ${id}, which LATCHKEY_PASSWORD_PEPPERS lacks`,
        );
      }
      return known !== undefined && matches;
    },
    get waiting() {
      return Math.max(0, doorkeeper.running - settings.concurrency);
    },
    needsRehash: (known) => !known.startsWith('$argon2id$') || pepperIdOf(known) !== active?.id || argon2.needsRehash(known, options),
  };
}
