import { randomBytes } from 'node:crypto';

/** Rotates a session as the store does, with what a refresh needs of cryptography left out; gives the session as the next rotation needs it. */
export async function rotate(store, { id, generation, hash }) {
  const successorHash = randomBytes(32);
  const row = await store.rotate({
    sessionId: id,
    generation,
    presentedHash: hash,
    successorHash,
    salt: randomBytes(32),
    secretId: 1,
    attemptHash: null,
    graceSeconds: 0,
    idleLifetimeSeconds: 2_592_000,
    ipAddress: '127.0.0.1',
    userAgent: null,
  });
  if (row?.rotated !== true) throw new Error('The session did not rotate.');
  return { id, generation: generation + 1, hash: successorHash };
}
