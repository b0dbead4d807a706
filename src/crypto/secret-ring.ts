import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** One entry of `LATCHKEY_SECRETS`. The secret itself is never used as a key: each use derives its own (HKDF, RFC 5869). */
export interface ServerSecret {
  /** One byte, derived from the secret; a hint, not a name: two secrets may share it. */
  readonly id: number;
  /** A key of 32 bytes for one use, named by a label. */
  derive(label: string): KeyObject;
}

export interface SecretRing {
  /** The secret for everything new. */
  readonly active: ServerSecret;
  /** The secrets that an id may mean; usually one, none if it was dropped from the ring. */
  withId(id: number): readonly ServerSecret[];
}

/**
 * Makes the ring from `LATCHKEY_SECRETS`: the first entry is active, the rest are still accepted.
 *
 * @throws when there is no secret.
 */
export function createSecretRing(secrets: readonly string[]): SecretRing {
  const ring = secrets.map(createServerSecret);
  const [active] = ring;
  if (active === undefined) throw new Error('A secret ring needs at least one secret.');
  return { active, withId: (id) => ring.filter((secret) => secret.id === id) };
}

function createServerSecret(secret: string): ServerSecret {
  const deriveBytes = (label: string) => Buffer.from(hkdfSync('sha256', secret, 'latchkey', label, 32));
  const derived = new Map<string, KeyObject>();
  const derive = (label: string): KeyObject => {
    const known = derived.get(label);
    if (known !== undefined) return known;
    const fresh = createSecretKey(deriveBytes(label));
    derived.set(label, fresh);
    return fresh;
  };
  return { id: deriveBytes('secret id').readUInt8(0), derive };
}
