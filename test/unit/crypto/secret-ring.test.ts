import { hkdfSync } from 'node:crypto';
import { expect, it } from 'vitest';

import { createSecretRing } from '../../../src/crypto/secret-ring.js';

const [FIRST, SECOND] = ['the-first-secret-of-the-ring-in-this-test', 'the-second-secret-of-the-ring-in-this-test'];

it('needs a secret', () => {
  expect(() => createSecretRing([])).toThrow('at least one secret');
});

it('uses the first secret for everything new, and knows the rest', () => {
  const ring = createSecretRing([FIRST, SECOND]);
  expect(ring.active.derive('x').export()).toEqual(createSecretRing([FIRST]).active.derive('x').export());
  const { id } = createSecretRing([SECOND]).active;
  expect(ring.withId(id).map((secret) => secret.derive('x').export())).toContainEqual(
    createSecretRing([SECOND]).active.derive('x').export(),
  );
});

it('knows no secret by an id that none has', () => {
  const ring = createSecretRing([FIRST, SECOND]);
  const known = new Set([FIRST, SECOND].map((secret) => createSecretRing([secret]).active.id));
  for (let id = -1; id <= 256; id += 1) expect(ring.withId(id).length > 0, String(id)).toBe(known.has(id));
});

it('derives 32 bytes with HKDF-SHA256, others for each label and each secret', () => {
  const { active } = createSecretRing([FIRST]);
  expect(active.derive('label').export()).toEqual(Buffer.from(hkdfSync('sha256', FIRST, 'latchkey', 'label', 32)));
  expect(active.derive('label').export()).toEqual(active.derive('label').export());
  expect(active.derive('label').export()).not.toEqual(active.derive('another label').export());
  expect(active.derive('label').export()).not.toEqual(createSecretRing([SECOND]).active.derive('label').export());
});

it('never gives the secret itself away', () => {
  const { active } = createSecretRing([FIRST]);
  expect(JSON.stringify(active)).toBe(JSON.stringify({ id: active.id }));
  expect(active.derive('label').export().includes(FIRST.slice(0, 8))).toBe(false);
});

it('gives a secret an id of one byte, the same each time', () => {
  const { id } = createSecretRing([FIRST]).active;
  expect(id).toBe(createSecretRing([FIRST]).active.id);
  expect(Number.isInteger(id) && id >= 0 && id <= 255).toBe(true);
});
