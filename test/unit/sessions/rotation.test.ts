import { describe, expect, it } from 'vitest';

import { sha256 } from '../../../src/crypto/digest.js';
import type { RotationResult } from '../../../src/persistence/session.store.js';
import { judgeRotation, type PresentedToken, type RotationVerdict } from '../../../src/sessions/rotation.js';
import { userRecord } from '../../support/graphql-engine.js';

const CURRENT = sha256('S of generation 5');
const PREVIOUS = sha256('S of generation 4');
const ANOTHER = sha256('S of a generation that was issued twice');
const ATTEMPT = sha256('attempt');
const OTHER_ATTEMPT = sha256('another attempt');

/** A session at generation 5, rotated long ago, whose successor nobody has seen. */
const ROW: RotationResult = {
  rotated: false,
  generation: 5,
  currentHash: CURRENT,
  previousHash: PREVIOUS,
  salt: sha256('salt'),
  secretId: 1,
  attemptHash: ATTEMPT,
  seenGeneration: 4,
  ended: false,
  rotatedRecently: false,
  grant: {
    sessionId: '019aa000-0000-7000-8000-000000000001',
    userId: '019aa000-0000-7000-8000-000000000002',
    generation: 5,
    userVersion: 1,
    scopes: [],
    now: 0,
    authTime: 0,
    idleExpiresAt: 0,
    absoluteExpiresAt: 0,
    user: userRecord('019aa000-0000-7000-8000-000000000002'),
  },
};

const current: PresentedToken = { generation: 5, secretHash: CURRENT, attemptHash: null };
const before: PresentedToken = { generation: 4, secretHash: PREVIOUS, attemptHash: null };
const seen = { seenGeneration: 5 };

interface Case {
  rule: string;
  token: PresentedToken;
  row?: Partial<RotationResult>;
  verdict: RotationVerdict;
}

const table: Case[] = [
  { rule: 'a revoked or expired session has ended', token: current, row: { ended: true }, verdict: 'ended' },
  { rule: 'a session that has ended does not tell a reused token', token: before, row: { ended: true, ...seen }, verdict: 'ended' },
  {
    rule: 'a session that has ended does not tell a token ahead',
    token: { ...current, generation: 6 },
    row: { ended: true },
    verdict: 'ended',
  },

  { rule: 'the current generation rotates', token: current, row: { rotated: true }, verdict: 'rotated' },
  { rule: 'the current generation within the floor stays', token: current, row: { rotatedRecently: true }, verdict: 'unchanged' },
  {
    rule: 'the current generation with another digest is ahead',
    token: { ...current, secretHash: ANOTHER },
    verdict: 'ahead',
  },
  {
    rule: 'the current generation with the digest of the one before is ahead',
    token: { ...current, secretHash: PREVIOUS },
    verdict: 'ahead',
  },
  { rule: 'a digest of another length is never equal', token: { ...current, secretHash: CURRENT.subarray(1) }, verdict: 'ahead' },

  { rule: 'the generation before repeats while its successor is unseen', token: before, verdict: 'repeated' },
  { rule: 'the generation before repeats while nothing at all was seen', token: before, row: { seenGeneration: 0 }, verdict: 'repeated' },
  {
    rule: 'the generation before repeats while the successor is unseen, whatever the attempt',
    token: { ...before, attemptHash: OTHER_ATTEMPT },
    verdict: 'repeated',
  },
  {
    rule: 'the generation before repeats for the same attempt, although its successor was seen',
    token: { ...before, attemptHash: ATTEMPT },
    row: seen,
    verdict: 'repeated',
  },
  {
    rule: 'the generation before repeats within the grace, although its successor was seen',
    token: before,
    row: { ...seen, rotatedRecently: true },
    verdict: 'repeated',
  },
  {
    rule: 'the generation before repeats within the grace for another attempt',
    token: { ...before, attemptHash: OTHER_ATTEMPT },
    row: { ...seen, rotatedRecently: true },
    verdict: 'repeated',
  },
  {
    rule: 'the generation before is reuse once its successor was seen and the grace is over',
    token: before,
    row: seen,
    verdict: 'reused',
  },
  { rule: 'a generation seen beyond the current one counts as seen', token: before, row: { seenGeneration: 6 }, verdict: 'reused' },
  {
    rule: 'another attempt does not save the generation before',
    token: { ...before, attemptHash: OTHER_ATTEMPT },
    row: seen,
    verdict: 'reused',
  },
  {
    rule: 'no attempt is not the same as no attempt',
    token: before,
    row: { ...seen, attemptHash: null },
    verdict: 'reused',
  },
  {
    rule: 'an attempt is not the same as none',
    token: { ...before, attemptHash: ATTEMPT },
    row: { ...seen, attemptHash: null },
    verdict: 'reused',
  },
  {
    rule: 'the generation before with another digest is ahead',
    token: { ...before, secretHash: ANOTHER },
    row: seen,
    verdict: 'ahead',
  },
  {
    rule: 'the generation before with another digest is ahead even for the same attempt, unseen and within the grace',
    token: { ...before, secretHash: ANOTHER, attemptHash: ATTEMPT },
    row: { rotatedRecently: true },
    verdict: 'ahead',
  },
  {
    rule: 'the generation before of a row that keeps no digest of it is ahead',
    token: before,
    row: { previousHash: null },
    verdict: 'ahead',
  },

  { rule: 'two generations before is reuse', token: { ...before, generation: 3 }, verdict: 'reused' },
  {
    rule: 'two generations before is reuse, although unseen, within the grace and of the same attempt',
    token: { generation: 3, secretHash: PREVIOUS, attemptHash: ATTEMPT },
    row: { seenGeneration: 0, rotatedRecently: true },
    verdict: 'reused',
  },
  {
    rule: 'the first generation of an old session is reuse',
    token: { ...before, generation: 1 },
    row: { generation: 1_000_000 },
    verdict: 'reused',
  },

  { rule: 'the next generation is ahead', token: { ...current, generation: 6 }, verdict: 'ahead' },
  { rule: 'a far later generation is ahead', token: { ...current, generation: 4_294_967_295 }, verdict: 'ahead' },
  {
    rule: 'a later generation is ahead within the grace too',
    token: { ...current, generation: 6 },
    row: { rotatedRecently: true },
    verdict: 'ahead',
  },
];

describe('the table of refresh tokens', () => {
  it('has ended without a row', () => {
    expect(judgeRotation(current, undefined)).toBe('ended');
  });

  it.each(table)('$rule: $verdict', ({ token, row, verdict }) => {
    expect(judgeRotation(token, { ...ROW, ...row })).toBe(verdict);
  });

  it('judges a presented digest of one bit more or less as another', () => {
    for (let bit = 0; bit < 256; bit += 1) {
      const flipped = Buffer.from(PREVIOUS);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(judgeRotation({ ...before, secretHash: flipped }, ROW)).toBe('ahead');
    }
  });
});
