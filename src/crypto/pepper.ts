import { hkdfSync } from 'node:crypto';

/** A key that password hashes are made with, and that is not in the database: argon2's secret K (RFC 9106 section 3.1). */
export interface Pepper {
  /** The `keyid` of the PHC string: eight characters of base64 that tell nothing of the key. */
  readonly id: string;
  readonly key: Buffer;
}

export function createPepper(secret: string): Pepper {
  const derive = (label: string, length: number) => Buffer.from(hkdfSync('sha256', secret, 'latchkey', label, length));
  return { id: derive('pepper id', 6).toString('base64'), key: derive('pepper', 32) };
}

/** Which pepper a PHC string was made with; undefined for none. */
export function pepperIdOf(hash: string): string | undefined {
  return /^\$argon2id\$v=\d+\$[^$]*,keyid=([A-Za-z0-9+/]+)\$/.exec(hash)?.[1];
}

/** Names the pepper in a PHC string that argon2 has just made with it, and that does not say so. */
export function withPepperId(hash: string, id: string): string {
  return hash.replace(/^\$argon2id\$v=\d+\$[^$]*/, (head) => `${head},keyid=${id}`);
}
