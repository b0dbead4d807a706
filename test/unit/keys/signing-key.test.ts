import { createHash, createPublicKey, verify } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';

import { createSecretRing } from '../../../src/crypto/secret-ring.js';
import { generateSigningKey, openSigningKey, SIGNING_ALGORITHMS } from '../../../src/keys/signing-key.js';
import { keyPairOf } from '../../support/signing-keys.js';

const SECRET = 'a-secret-that-seals-the-keys-of-this-test';
const OTHER_SECRET = 'another-secret-that-opens-nothing-of-this';
const ring = createSecretRing([SECRET]);
const activatesAt = new Date(1_800_000_000_000);

const PUBLIC_MEMBERS = { EdDSA: ['crv', 'kty', 'x'], ES256: ['crv', 'kty', 'x', 'y'], RS256: ['e', 'kty', 'n'] } as const;

/** RFC 7638 section 3, written down a second time: the required members in the order of their names, and nothing else. */
function thumbprint(jwk: JWK, members: readonly string[]): string {
  const required = Object.fromEntries(members.map((member) => [member, (jwk as Record<string, unknown>)[member]]));
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}

describe('the thumbprint', () => {
  // RFC 7638 section 3.1, line breaks removed.
  const example: JWK = {
    kty: 'RSA',
    n: [
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs',
      'tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n',
      '91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    ].join(''),
    e: 'AQAB',
    alg: 'RS256',
    kid: '2011-04-29',
  };

  it('is that of the example in RFC 7638 section 3.1', async () => {
    const expected = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';
    expect(thumbprint(example, PUBLIC_MEMBERS.RS256)).toBe(expected);
    expect(await calculateJwkThumbprint(example)).toBe(expected);
  });
});

describe.each(SIGNING_ALGORITHMS)('a signing key for %s', (algorithm) => {
  const generated = generateSigningKey(ring, algorithm, activatesAt);

  it('is named by its RFC 7638 thumbprint', async () => {
    const { kid, publicJwk } = await generated;
    expect(kid).toBe(thumbprint(publicJwk, PUBLIC_MEMBERS[algorithm]));
  });

  it('publishes its public members, kid, alg and use, and nothing else', async () => {
    const { kid, publicJwk } = await generated;
    expect(publicJwk).toMatchObject({ kid, alg: algorithm, use: 'sig' });
    expect(Object.keys(publicJwk).sort()).toEqual([...PUBLIC_MEMBERS[algorithm], 'alg', 'kid', 'use'].sort());
  });

  it('keeps its private part under the seal alone', async () => {
    const stored = await generated;
    const { d } = keyPairOf(ring, stored).privateKey.export({ format: 'jwk' });
    expect(d).toMatch(/^[\w-]{40,}$/);
    expect(stored.sealedPrivateJwk.includes('"d"')).toBe(false);
    expect(JSON.stringify({ ...stored, sealedPrivateJwk: stored.sealedPrivateJwk.toString('latin1') })).not.toContain(d);
  });

  it('opens with the secret that sealed it', async () => {
    const stored = await generated;
    const { sealedPrivateJwk: _, secretId: __, ...shared } = stored;
    const opened = await openSigningKey(ring, stored);
    expect(opened).toMatchObject(shared);
    expect(opened.publicKey).toMatchObject({ type: 'public', usages: ['verify'] });
    expect(opened.sign).toBeInstanceOf(Function);
  });

  it('signs as JWS has it, for its public part to verify', async () => {
    const stored = await generated;
    const { sign } = await openSigningKey(ring, stored);
    const signature = await sign!(Buffer.from('header.payload'));
    const key = createPublicKey({ key: stored.publicJwk, format: 'jwk' });
    const hash = algorithm === 'EdDSA' ? null : 'sha256';
    expect(verify(hash, Buffer.from('header.payload'), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(verify(hash, Buffer.from('header.Payload'), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(false);
  });

  it('verifies, and signs no longer, once no secret of the ring opens it', async () => {
    const opened = await openSigningKey(createSecretRing([OTHER_SECRET]), await generated);
    expect(opened.sign).toBeUndefined();
    expect(opened.publicKey.type).toBe('public');
  });

  it('does not open under the name of another key', async () => {
    const stored = await generated;
    const opened = await openSigningKey(ring, { ...stored, kid: `${stored.kid.slice(0, -1)}_` });
    expect(opened.sign).toBeUndefined();
  });
});

it('makes RSA keys of 3072 bits', async () => {
  const { publicJwk } = await generateSigningKey(ring, 'RS256', activatesAt);
  const key = createPublicKey({ key: publicJwk, format: 'jwk' });
  expect(key.asymmetricKeyDetails?.modulusLength).toBe(3072);
});

it('makes another key each time', async () => {
  const kids = await Promise.all(Array.from({ length: 20 }, async () => (await generateSigningKey(ring, 'EdDSA', activatesAt)).kid));
  expect(new Set(kids).size).toBe(20);
});

it('refuses to open a symmetric key', async () => {
  const stored = await generateSigningKey(ring, 'EdDSA', activatesAt);
  const symmetric = { ...stored, publicJwk: { kty: 'oct', k: 'c2VjcmV0' } };
  await expect(openSigningKey(ring, symmetric)).rejects.toThrow('never symmetric');
});
