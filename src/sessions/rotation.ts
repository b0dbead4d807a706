import { timingSafeEqual } from 'node:crypto';

import type { RotationResult } from '../persistence/session.store.js';

/** What the client presented, its tag authentic. */
export interface PresentedToken {
  generation: number;
  /** SHA-256 of its secret S. */
  secretHash: Buffer;
  /** SHA-256 of its attemptId, if it gave one. */
  attemptHash: Buffer | null;
}

/** What to answer to a refresh token: a row each of the table in docs/security.md. */
export type RotationVerdict =
  /** The current generation, and it rotated: the successor. */
  | 'rotated'
  /** The current generation, rotated less than the grace ago: the same refresh token again. */
  | 'unchanged'
  /** The generation before, honestly presented again: the same successor as the first time. */
  | 'repeated'
  /** No session, or revoked, or expired. */
  | 'ended'
  /** A generation that its holder has moved on from: someone else has it. The session must end. */
  | 'reused'
  /** A token that this database cannot have issued: it went back in time. */
  | 'ahead';

/**
 * Judges a presented refresh token against the session's row, as the rotation statement found it under lock.
 *
 * Checks, in order: that there is a session, and it has not ended; that the row did not rotate just now; a later generation than the row's; the
 * row's own generation; the generation before, which is honoured when it comes from the same attempt, when nothing of its successor was ever
 * seen, or within the grace; any earlier one. Where the generation matches, the digest of the secret must too: with an authentic tag, another
 * digest means that the same generation was issued twice, on both sides of a restored backup.
 *
 * Rotation with reuse detection is RFC 9700 section 4.14.2 (https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2). It does not check the
 * tag (`tokens/refresh-token.ts`) nor read a clock: the statement compares times by the database's.
 */
export function judgeRotation(presented: PresentedToken, row: RotationResult | undefined): RotationVerdict {
  if (row === undefined || row.ended) return 'ended';
  if (row.rotated) return 'rotated';
  if (presented.generation > row.generation) return 'ahead';
  if (presented.generation === row.generation) {
    return equal(presented.secretHash, row.currentHash) ? 'unchanged' : 'ahead';
  }
  if (presented.generation < row.generation - 1) return 'reused';
  if (!equal(presented.secretHash, row.previousHash)) return 'ahead';
  const isSameAttempt = presented.attemptHash !== null && equal(presented.attemptHash, row.attemptHash);
  const successorWasSeen = row.seenGeneration >= row.generation;
  return isSameAttempt || !successorWasSeen || row.rotatedRecently ? 'repeated' : 'reused';
}

function equal(a: Buffer, b: Buffer | null): boolean {
  return b?.length === a.length && timingSafeEqual(a, b);
}
