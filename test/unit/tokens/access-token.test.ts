import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { customFetch, validateJwtAccessToken, type AuthorizationServer } from 'oauth4webapi';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { systemClock, type Clock } from '../../../src/clock.js';
import { createSecretRing } from '../../../src/crypto/secret-ring.js';
import { createKeyRing, type KeyRing } from '../../../src/keys/key-ring.js';
import { generateSigningKey, SIGNING_ALGORITHMS, type SigningAlgorithm, type StoredSigningKey } from '../../../src/keys/signing-key.js';
import { createLogger } from '../../../src/log.js';
import { createAccessTokens, type AccessTokenClaims, type AccessTokens } from '../../../src/tokens/access-token.js';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.js';
import { compactJwt, encodePart, signers, signSegments, type JwtPart, type JwtSigner } from '../../support/jwt.js';
import { createMemorySigningKeyStore, keyPairOf, type MemorySigningKeyStore } from '../../support/signing-keys.js';

const NOW = 1_800_000_000;
const TOLERANCE = 5;
const KEY_LIFETIME_SECONDS = 90 * 86_400;
const settings = {
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  clientId: 'app',
  clockToleranceSeconds: TOLERANCE,
  tokenCacheEntries: 100,
};
const claims: AccessTokenClaims = {
  subject: '01939f00-0000-7000-8000-00000000aaaa',
  sessionId: '01939f00-0000-7000-8000-00000000bbbb',
  generation: 7,
  userVersion: 3,
  scopes: ['users:read', 'users:write'],
  authTime: NOW - 3600,
  issuedAt: NOW,
  expiresAt: NOW + 900,
};

const secrets = createSecretRing(['a-secret-that-seals-the-keys-of-this-test']);
const log = createLogger({ logLevel: 'silent' });
const stored = await Promise.all(SIGNING_ALGORITHMS.map((algorithm) => generateSigningKey(secrets, algorithm, new Date(0))));
const storedFor = (algorithm: SigningAlgorithm): StoredSigningKey => stored.find((key) => key.algorithm === algorithm)!;
const ours = {
  EdDSA: { kid: storedFor('EdDSA').kid, ...keyPairOf(secrets, storedFor('EdDSA')) },
  ES256: { kid: storedFor('ES256').kid, ...keyPairOf(secrets, storedFor('ES256')) },
  RS256: { kid: storedFor('RS256').kid, ...keyPairOf(secrets, storedFor('RS256')) },
};
/** Keys of an attacker's own. */
const foreign = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

let clock: FakeClock;
let store: MemorySigningKeyStore;
let keys: KeyRing;
let tokens: AccessTokens;

beforeEach(async () => {
  clock = createFakeClock(NOW);
  store = createMemorySigningKeyStore(stored);
  keys = await loadedRing('EdDSA', clock);
  tokens = createAccessTokens({ keys, clock, settings });
});

async function loadedRing(algorithm: SigningAlgorithm, ringClock: Clock): Promise<KeyRing> {
  const ring = createKeyRing({ store, secrets, algorithm, lifetimeSeconds: KEY_LIFETIME_SECONDS, clock: ringClock, log });
  await ring.load();
  return ring;
}

/** JSON that no JavaScript value says, such as 1e400: `raw('1e400')` in a claim's place. */
const raw = (json: string) => `raw:${json}`;

/** The payload of a good token with some of its claims changed; undefined takes a claim away. */
function payloadWith(changes: Record<string, unknown> = {}): string {
  const payload = {
    iss: settings.issuer,
    aud: settings.audience,
    sub: claims.subject,
    client_id: settings.clientId,
    iat: claims.issuedAt,
    exp: claims.expiresAt,
    jti: 'b7a4c1a2-6f0e-4f0f-9a57-1f7f8a2f3c11',
    sid: claims.sessionId,
    gen: claims.generation,
    auth_time: claims.authTime,
    scope: claims.scopes.join(' '),
    uv: claims.userVersion,
    ...changes,
  };
  return JSON.stringify(payload).replaceAll(/"raw:([^"]*)"/g, '$1');
}

const goodHeader = { alg: 'EdDSA', typ: 'at+jwt', kid: ours.EdDSA.kid };
const goodSigner = signers.eddsa(ours.EdDSA.privateKey);
const good = () => compactJwt(goodHeader, payloadWith(), goodSigner);

const withHeader = (changes: Record<string, unknown>, signer: JwtSigner = goodSigner) =>
  compactJwt({ ...goodHeader, ...changes }, payloadWith(), signer);
const withPayload = (payload: JwtPart) => compactJwt(goodHeader, payload, goodSigner);
const withClaims = (changes: Record<string, unknown>) => withPayload(payloadWith(changes));

async function expectInvalid(token: string): Promise<void> {
  const verdict = await tokens.verify(token);
  expect(verdict).toEqual({ kind: 'rejected', reason: 'TOKEN_INVALID', detail: expect.any(String) as string });
  // The detail is for the log: neither the token nor a claim's value may stand there.
  expect(JSON.stringify(verdict)).not.toMatch(/eyJ|01939f00|example\.com/);
}

type Forgeries = readonly (readonly [name: string, make: () => string])[];

function refuses(forgeries: Forgeries): void {
  it.each(forgeries)('refuses %s', async (_, make) => expectInvalid(make()));
}

describe('the token that the forgeries below are made from', () => {
  it.each<[SigningAlgorithm, JwtSigner]>([
    ['EdDSA', goodSigner],
    ['ES256', signers.ecdsa(ours.ES256.privateKey)],
    ['RS256', signers.rsa(ours.RS256.privateKey)],
  ])('is accepted as it stands, with %s', async (alg, signer) => {
    expect(await tokens.verify(withHeader({ alg, kid: ours[alg].kid }, signer))).toEqual({ kind: 'verified', claims });
  });
});

describe('the algorithm', () => {
  refuses(
    ['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg): Forgeries => [
      [`alg "${alg}" without a signature`, () => withHeader({ alg }, signers.nothing)],
      [`alg "${alg}" without a kid or a signature`, () => withHeader({ alg, kid: undefined }, signers.nothing)],
      [`alg "${alg}" with the signature of another algorithm`, () => withHeader({ alg })],
    ]),
  );

  refuses(
    SIGNING_ALGORITHMS.flatMap((owner) =>
      ['256', '384', '512'].flatMap((bits): Forgeries => {
        const { kid, publicKey } = ours[owner];
        const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
        const materials: Record<string, string | Buffer> = {
          PEM: pem,
          'PEM without its last line break': pem.trimEnd(),
          DER: publicKey.export({ type: 'spki', format: 'der' }),
          JWK: JSON.stringify(publicKey.export({ format: 'jwk' })),
          'JWK as we publish it': JSON.stringify(storedFor(owner).publicJwk),
          thumbprint: kid,
          'nothing at all': '',
        };
        return Object.entries(materials).map(([material, key]) => [
          `HS${bits} under the public ${owner} key: ${material}`,
          () => withHeader({ alg: `HS${bits}`, kid }, signers.hmac(key, `sha${bits}`)),
        ]);
      }),
    ),
  );

  refuses([
    ['ES256 with the kid of an Ed25519 key', () => withHeader({ alg: 'ES256' }, signers.ecdsa(foreign.ES256.privateKey))],
    ['RS256 with the kid of an Ed25519 key', () => withHeader({ alg: 'RS256' }, signers.rsa(foreign.RS256.privateKey))],
    ['EdDSA with the kid of a P-256 key', () => withHeader({ kid: ours.ES256.kid })],
    ['EdDSA with the kid of an RSA key', () => withHeader({ kid: ours.RS256.kid })],
    ['our own ES256 with the kid of another key', () => withHeader({ alg: 'ES256' }, signers.ecdsa(ours.ES256.privateKey))],
    ['a good signature under the name of another algorithm of ours', () => withHeader({ alg: 'ES256' })],
    ['our RSA key used for PS256', () => withHeader({ alg: 'PS256', kid: ours.RS256.kid }, signers.rsaPss(ours.RS256.privateKey))],
    ['our RSA key used for RS512', () => withHeader({ alg: 'RS512', kid: ours.RS256.kid }, signers.rsa(ours.RS256.privateKey, 'sha512'))],
    [
      'our P-256 key used with SHA-384',
      () => withHeader({ alg: 'ES384', kid: ours.ES256.kid }, signers.ecdsa(ours.ES256.privateKey, 'sha384')),
    ],
    ['our Ed25519 key under its newer name', () => withHeader({ alg: 'Ed25519' })],
    ['alg in lower case', () => withHeader({ alg: 'eddsa' })],
    ['alg with a space behind it', () => withHeader({ alg: 'EdDSA ' })],
    ['alg in an array', () => withHeader({ alg: ['EdDSA'] })],
    ['alg null', () => withHeader({ alg: null })],
    ['alg a number', () => withHeader({ alg: 0 })],
    ['no alg', () => withHeader({ alg: undefined })],
    ['alg __proto__', () => withHeader({ alg: '__proto__' })],
  ]);
});

describe('a foreign key', () => {
  refuses([
    ['Ed25519 under our kid', () => withHeader({}, signers.eddsa(foreign.EdDSA.privateKey))],
    ['P-256 under our kid', () => withHeader({ alg: 'ES256', kid: ours.ES256.kid }, signers.ecdsa(foreign.ES256.privateKey))],
    ['RSA under our kid', () => withHeader({ alg: 'RS256', kid: ours.RS256.kid }, signers.rsa(foreign.RS256.privateKey))],
    ['P-384', () => withHeader({ alg: 'ES384', kid: ours.ES256.kid }, signers.ecdsa(foreign.ES384.privateKey, 'sha384'))],
    ['Ed25519 under a kid of its own', () => withHeader({ kid: 'attacker' }, signers.eddsa(foreign.EdDSA.privateKey))],
    ['RSA under a kid of its own', () => withHeader({ alg: 'RS256', kid: 'attacker' }, signers.rsa(foreign.RS256.privateKey))],
  ]);
});

describe('the kid', () => {
  refuses([
    ['none', () => withHeader({ kid: undefined })],
    ['an empty one', () => withHeader({ kid: '' })],
    ['a path', () => withHeader({ kid: '../../../../dev/null' })],
    ['a path and an empty key', () => withHeader({ alg: 'HS256', kid: '../../../../dev/null' }, signers.hmac(''))],
    ['SQL', () => withHeader({ kid: "' OR 1=1--" })],
    ['SQL with a key in it', () => withHeader({ kid: "x' UNION SELECT 'key'--" })],
    ['a command', () => withHeader({ kid: '|/bin/id' })],
    ['a URL', () => withHeader({ kid: 'https://attacker.example/jwks.json' })],
    ['ours in an array', () => withHeader({ kid: [ours.EdDSA.kid] })],
    ['ours in an object', () => withHeader({ kid: { kid: ours.EdDSA.kid } })],
    ['null', () => withHeader({ kid: null })],
    ['a number', () => withHeader({ kid: 0 })],
    ['true', () => withHeader({ kid: true })],
    ['__proto__', () => withHeader({ kid: '__proto__' })],
    ['constructor', () => withHeader({ kid: 'constructor' })],
    ['ours with a NUL behind it', () => withHeader({ kid: `${ours.EdDSA.kid}\0` })],
    ['ours with a space before it', () => withHeader({ kid: ` ${ours.EdDSA.kid}` })],
    ['ours in upper case', () => withHeader({ kid: ours.EdDSA.kid.toUpperCase() })],
    ['one of 2 KiB', () => withHeader({ kid: 'k'.repeat(2048) })],
    ['one of 10 KiB', () => withHeader({ kid: 'k'.repeat(10_240) })],
  ]);

  it('is looked up in the store at most once, however many tokens name one that is unknown', async () => {
    store.reads = 0;
    for (const kid of ['a', 'b', 'c']) await expectInvalid(withHeader({ kid }));
    expect(store.reads).toBe(1);
  });

  it('is SERVICE_UNAVAILABLE, not a refusal, when it is unknown and the store fails: the token may be good', async () => {
    store.failure = new Error('no database');
    const verdict = tokens.verify(withHeader({ kid: 'made-on-another-replica' }));
    await expect(verdict).rejects.toMatchObject({ name: 'AuthError', fault: { code: 'SERVICE_UNAVAILABLE' } });
  });

  it('is not needed from the store while it fails and the key is known', async () => {
    store.failure = new Error('no database');
    expect(await tokens.verify(good())).toMatchObject({ kind: 'verified' });
  });
});

describe('a key that the token brings along', () => {
  const attackerJwk = { ...foreign.EdDSA.publicKey.export({ format: 'jwk' }), kid: 'attacker', alg: 'EdDSA', use: 'sig' };
  const attacker = signers.eddsa(foreign.EdDSA.privateKey);
  let listener: Server;
  let address: string;
  let connections = 0;

  beforeAll(async () => {
    listener = createServer((_, response) => response.end(JSON.stringify({ keys: [attackerJwk] })));
    listener.on('connection', () => (connections += 1));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/jwks.json`;
  });

  afterAll(async () => {
    await new Promise((resolve) => listener.close(resolve));
    expect(connections).toBe(0);
  });

  refuses([
    ['jku', () => withHeader({ jku: address, kid: 'attacker' }, attacker)],
    ['jku beside our kid', () => withHeader({ jku: address }, attacker)],
    ['jku on a token that we signed', () => withHeader({ jku: address })],
    ['x5u', () => withHeader({ x5u: address, kid: 'attacker' }, attacker)],
    ['x5u on a token that we signed', () => withHeader({ x5u: address })],
    ['jwk', () => withHeader({ jwk: attackerJwk, kid: 'attacker' }, attacker)],
    ['jwk beside our kid', () => withHeader({ jwk: attackerJwk }, attacker)],
    ['jwk with no kid', () => withHeader({ jwk: attackerJwk, kid: undefined }, attacker)],
    ['jwk that is our own', () => withHeader({ jwk: storedFor('EdDSA').publicJwk })],
    ['x5c', () => withHeader({ x5c: [foreign.EdDSA.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }, attacker)],
    ['x5t', () => withHeader({ x5t: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA' })],
    ['kid that is the address', () => withHeader({ kid: address }, attacker)],
    ['iss that is the address', () => compactJwt({ ...goodHeader, kid: 'attacker' }, payloadWith({ iss: address }), attacker)],
  ]);
});

describe('the header', () => {
  refuses([
    ['crit with a name that nobody knows', () => withHeader({ crit: ['latchkey'], latchkey: true })],
    ['crit with exp', () => withHeader({ crit: ['exp'], exp: NOW + 900 })],
    ['crit empty', () => withHeader({ crit: [] })],
    ['crit null', () => withHeader({ crit: null })],
    ['crit that names alg', () => withHeader({ crit: ['alg'] })],
    ['b64 false, critical, the payload encoded', () => withHeader({ b64: false, crit: ['b64'] })],
    [
      'b64 false, critical, the payload bare',
      () => signSegments(encodePart({ ...goodHeader, b64: false, crit: ['b64'] }), payloadWith(), goodSigner),
    ],
    ['b64 false and not critical', () => withHeader({ b64: false })],
    ['b64 true', () => withHeader({ b64: true, crit: ['b64'] })],
    ['zip', () => withHeader({ zip: 'DEF' })],
    ['enc', () => withHeader({ enc: 'A256GCM' })],
    ['cty', () => withHeader({ cty: 'JWT' })],
    ['a parameter that nobody knows', () => withHeader({ latchkey: true })],
    ['__proto__', () => compactJwt(`{"__proto__":{"kid":"x"},${JSON.stringify(goodHeader).slice(1)}`, payloadWith(), goodSigner)],
    ['alg said twice, none last', () => compactJwt(`${JSON.stringify(goodHeader).slice(0, -1)},"alg":"none"}`, payloadWith(), goodSigner)],
    ['an array', () => compactJwt('[]', payloadWith(), goodSigner)],
    ['null', () => compactJwt('null', payloadWith(), goodSigner)],
    ['a string', () => compactJwt('"EdDSA"', payloadWith(), goodSigner)],
    ['no JSON', () => compactJwt('{alg:EdDSA}', payloadWith(), goodSigner)],
    ['nested 500 deep', () => compactJwt(`${'['.repeat(500)}${']'.repeat(500)}`, payloadWith(), goodSigner)],
  ]);
});

describe('the type', () => {
  refuses([
    ...[
      'JWT',
      'jwt',
      'id_token',
      'id_token+jwt',
      'rt+jwt',
      'dpop+jwt',
      'secevent+jwt',
      'email-verification+jwt',
      'at',
      'at+jwt2',
      ' at+jwt',
      '',
    ].map((typ) => [`"${typ}"`, () => withHeader({ typ })] as const),
    ['none', () => withHeader({ typ: undefined })],
    ['null', () => withHeader({ typ: null })],
    ['an array', () => withHeader({ typ: ['at+jwt'] })],
    ['text/at+jwt', () => withHeader({ typ: 'text/at+jwt' })],
  ]);

  it.each(['at+jwt', 'AT+JWT', 'application/at+jwt'])('may be written as %s (RFC 9068 section 4)', async (typ) => {
    expect(await tokens.verify(withHeader({ typ }))).toMatchObject({ kind: 'verified' });
  });
});

describe('the form', () => {
  /** The segment with a bit set that base64url does not use; the segment's bytes stay the same. */
  const uncanonical = (segment: string): string => {
    if (segment.length % 4 === 0) throw new Error('This segment has no bit to spare.');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return segment.slice(0, -1) + alphabet.charAt(alphabet.indexOf(segment.slice(-1)) + 1);
  };
  /** A part with white space inside until its segment ends in bits to spare. */
  const withSpareBits = (part: JwtPart): string => {
    const json = typeof part === 'string' ? part : JSON.stringify(part);
    const segment = encodePart(json);
    return segment.length % 4 === 0 ? encodePart(`${json} `) : segment;
  };
  const [header, payload] = [withSpareBits(goodHeader), withSpareBits(payloadWith())];
  const signed = (first: string, second: string) => signSegments(first, second, goodSigner);
  const changeSignature = (change: (segment: string) => string) => {
    const [first, second, signature] = good().split('.');
    return `${first}.${second}.${change(signature!)}`;
  };
  const fold = (segment: string, by: string) => segment.slice(0, 8) + by + segment.slice(8);

  it('accepts the segments that the next are made from', async () => {
    expect(await tokens.verify(signed(header, payload))).toMatchObject({ kind: 'verified' });
  });

  // Each is signed as it stands, so that nothing but its form is wrong.
  refuses([
    ['nothing', () => ''],
    ['a word', () => 'token'],
    ['dots alone', () => '..'],
    ['two segments', () => good().split('.').slice(0, 2).join('.')],
    ['an empty signature', () => changeSignature(() => '')],
    ['an empty payload', () => signed(header, '')],
    ['an empty header', () => signed('', payload)],
    ['four segments', () => `${good()}.AAAA`],
    ['a dot behind it', () => `${good()}.`],
    ['five segments, as a JWE has', () => `${encodePart({ alg: 'dir', enc: 'A256GCM' })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`],
    ['a JWE that promises to inflate', () => `${encodePart({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })}..AAAA.AAAA.AAAA`],
    [
      'flattened JSON serialisation',
      () => {
        const [first, second, signature] = good().split('.');
        return JSON.stringify({ protected: first, payload: second, signature });
      },
    ],
    [
      'general JSON serialisation',
      () => {
        const [first, second, signature] = good().split('.');
        return JSON.stringify({ payload: second, signatures: [{ protected: first, signature }] });
      },
    ],
    ['a space before it', () => ` ${good()}`],
    ['a line break behind it', () => `${good()}\n`],
    ['a space inside the header', () => signed(fold(header, ' '), payload)],
    ['a space inside the payload', () => signed(header, fold(payload, ' '))],
    ['a line break inside the payload', () => signed(header, fold(payload, '\r\n'))],
    ['a tab inside the signature', () => changeSignature((segment) => fold(segment, '\t'))],
    ['padding behind the header', () => signed(`${header}=`, payload)],
    ['padding behind the payload', () => signed(header, `${payload}=`)],
    ['padding behind the signature', () => changeSignature((segment) => `${segment}==`)],
    ['stray bits in the header', () => signed(uncanonical(header), payload)],
    ['stray bits in the payload', () => signed(header, uncanonical(payload))],
    ['stray bits in the signature', () => changeSignature(uncanonical)],
    [
      'the other alphabet in the payload',
      () =>
        signed(
          header,
          encodePart(payloadWith({ nonce: '>>>???' }))
            .replace('-', '+')
            .replace('_', '/'),
        ),
    ],
    ['a comment in the payload', () => signed(header, fold(payload, '*'))],
    ['a NUL', () => `${good()}\0`],
    ['a full stop that is none', () => good().replace('.', '．')],
    ['half a character', () => `${good()}\ud800`],
    ['an ampersand and more', () => `${good()}&access_token=x`],
    ['two tokens', () => `${good()},${good()}`],
    ['a signature cut short', () => changeSignature((segment) => segment.slice(0, -2))],
    ['a signature that goes on', () => changeSignature((segment) => `${segment.slice(0, -1)}AAA`)],
    ['a signature of nothing but zeros', () => changeSignature((segment) => 'A'.repeat(segment.length))],
    ['a payload of no JSON', () => withPayload('{sub:1}')],
    ['a payload that is an array', () => withPayload('[]')],
    ['a payload that is null', () => withPayload('null')],
    ['a payload that is a string', () => withPayload('"x"')],
    ['a payload of ill-formed UTF-8', () => signed(header, Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url'))],
    ['a payload that goes on behind its JSON', () => withPayload(`${payloadWith()}{}`)],
    ['one megabyte', () => 'A'.repeat(1_000_000)],
    ['one megabyte of dots', () => '.'.repeat(1_000_000)],
  ]);

  it('may be 4 KiB long, and not a byte longer', async () => {
    const ofLength = (length: number) => {
      for (let padding = length / 2; padding < length; padding += 1) {
        // Segments of some lengths do not exist: a space in the header makes up for it.
        for (const space of ['', ' ']) {
          const token = signed(encodePart(JSON.stringify(goodHeader) + space), encodePart(payloadWith({ jti: 'j'.repeat(padding) })));
          if (token.length === length) return token;
        }
      }
      throw new Error('There is no token of this length.');
    };
    expect(await tokens.verify(ofLength(4096))).toMatchObject({ kind: 'verified' });
    await expectInvalid(ofLength(4098));
  });

  it('does not add the order of the curve to an Ed25519 signature', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const littleEndian = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
    const token = changeSignature((segment) => {
      const signature = Buffer.from(segment, 'base64url');
      const s = littleEndian(signature.subarray(32)) + order;
      signature.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(), 32);
      return signature.toString('base64url');
    });
    await expectInvalid(token);
  });
});

describe('a claim', () => {
  const NOT_A_STRING = [null, 1, true, ['x'], {}];
  const NOT_A_NUMBER = [null, `${NOW}`, '1e400', '', true, [NOW], {}, raw('1e400')];
  const NOT_A_COUNT = [...NOT_A_NUMBER, -1, 1.5, 2 ** 53];
  const NOT_AN_ID = [...NOT_A_STRING, '', 'ada', '../ada', `${claims.subject}\n`, `${claims.subject}0`, '01939f00-0000-7000-8000'];
  const wrong: Record<string, readonly unknown[]> = {
    iss: [...NOT_A_STRING, '', [settings.issuer], `${settings.issuer}/`, settings.issuer.toUpperCase(), `${settings.issuer}\0`],
    aud: [
      null,
      1,
      true,
      {},
      [],
      '',
      ['https://other.example.com'],
      [[settings.audience]],
      `${settings.audience}/`,
      { 0: settings.audience },
    ],
    sub: NOT_AN_ID,
    client_id: NOT_A_STRING,
    iat: [...NOT_A_NUMBER, NOW + TOLERANCE + 1, NOW + 86_400],
    exp: NOT_A_NUMBER,
    jti: NOT_A_STRING,
    sid: NOT_AN_ID,
    gen: NOT_A_COUNT,
    uv: NOT_A_COUNT,
    scope: NOT_A_STRING,
    auth_time: NOT_A_NUMBER,
    nbf: [...NOT_A_NUMBER, NOW + TOLERANCE + 1, NOW + 86_400],
  };
  const required = Object.keys(wrong).filter((claim) => claim !== 'nbf');

  it.each(required)('that is missing is refused: %s', async (claim) => {
    await expectInvalid(withClaims({ [claim]: undefined }));
  });

  it.each(Object.entries(wrong).flatMap(([claim, values]) => values.map((value) => [claim, value] as const)))(
    'of the wrong type or value is refused: %s = %j',
    async (claim, value) => {
      await expectInvalid(withClaims({ [claim]: value }));
    },
  );

  it.each(['iss', 'aud', 'sub', 'exp'])('that is said twice counts as its last: %s', async (claim) => {
    await expectInvalid(withPayload(`${payloadWith().slice(0, -1)},"${claim}":"other"}`));
  });

  it('does not come from __proto__', async () => {
    await expectInvalid(withPayload(`{"__proto__":${payloadWith()}}`));
  });

  it('aud may be a list that names us', async () => {
    expect(await tokens.verify(withClaims({ aud: ['https://other.example.com', settings.audience] }))).toMatchObject({ kind: 'verified' });
  });

  it('that nobody asked for is not passed on', async () => {
    expect(await tokens.verify(withClaims({ roles: ['admin'], admin: true }))).toEqual({ kind: 'verified', claims });
  });

  it('scope may be empty', async () => {
    expect(await tokens.verify(withClaims({ scope: '' }))).toEqual({ kind: 'verified', claims: { ...claims, scopes: [] } });
  });

  it.each([
    ['issuer', { issuer: 'https://other.example.com' }],
    ['audience', { audience: 'https://other.example.com' }],
  ])('of a service with the same keys and another %s is refused', async (_, change) => {
    const other = createAccessTokens({ keys, clock, settings: { ...settings, ...change } });
    await expectInvalid(await other.issue(claims));
    expect(await other.verify(await tokens.issue(claims))).toMatchObject({ kind: 'rejected', reason: 'TOKEN_INVALID' });
  });
});

describe('time', () => {
  it.each([-1, 0, NOW - TOLERANCE - 1, NOW - TOLERANCE, -1e300])('that has passed makes a token expired: exp = %d', async (exp) => {
    expect(await tokens.verify(withClaims({ exp }))).toMatchObject({ kind: 'rejected', reason: 'TOKEN_EXPIRED' });
  });

  it('that has passed excuses nothing else', async () => {
    await expectInvalid(compactJwt(goodHeader, payloadWith({ exp: NOW - 60 }), signers.eddsa(foreign.EdDSA.privateKey)));
    await expectInvalid(withClaims({ exp: NOW - 60, iss: 'https://other.example.com' }));
  });

  it.each([0, TOLERANCE, 60])('ends a token at exp with a tolerance of %d s, to the second', async (clockToleranceSeconds) => {
    for (const tokenCacheEntries of [0, 100]) {
      const tolerant = createAccessTokens({ keys, clock, settings: { ...settings, clockToleranceSeconds, tokenCacheEntries } });
      const token = good();
      for (const [seconds, expected] of [
        [NOW, 'verified'],
        [claims.expiresAt + clockToleranceSeconds - 1, 'verified'],
        [claims.expiresAt + clockToleranceSeconds - 0.001, 'verified'],
        [claims.expiresAt + clockToleranceSeconds, 'rejected'],
        [claims.expiresAt + clockToleranceSeconds + 1, 'rejected'],
      ] as const) {
        clock.setSeconds(seconds);
        expect(await tolerant.verify(token), String(seconds)).toMatchObject({ kind: expected });
      }
    }
  });

  it.each(['nbf', 'iat'])('begins at %s less the tolerance, to the second', async (claim) => {
    const token = withClaims({ [claim]: NOW + 100 });
    clock.setSeconds(NOW + 100 - TOLERANCE - 1);
    await expectInvalid(token);
    clock.setSeconds(NOW + 100 - TOLERANCE);
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
  });
});

describe('a token that was verified before', () => {
  const verifications = () => vi.spyOn(crypto.subtle, 'verify');
  afterEach(() => vi.restoreAllMocks());

  it('costs no second check of its signature', async () => {
    const spy = verifications();
    const token = good();
    for (let time = 0; time < 40; time += 1) expect(await tokens.verify(token)).toEqual({ kind: 'verified', claims });
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it('is checked each time when nothing may be remembered', async () => {
    const spy = verifications();
    const forgetful = createAccessTokens({ keys, clock, settings: { ...settings, tokenCacheEntries: 0 } });
    const token = good();
    for (let time = 0; time < 3; time += 1) expect(await forgetful.verify(token)).toEqual({ kind: 'verified', claims });
    expect(spy).toHaveBeenCalledTimes(3);
  });

  it('is forgotten for others when there are more than may be remembered', async () => {
    const spy = verifications();
    const forgetful = createAccessTokens({ keys, clock, settings: { ...settings, tokenCacheEntries: 2 } });
    const [one, two, three] = [withClaims({ gen: 1 }), withClaims({ gen: 2 }), withClaims({ gen: 3 })] as const;
    for (const token of [one, two, three, two, one]) expect(await forgetful.verify(token)).toMatchObject({ kind: 'verified' });
    expect(spy).toHaveBeenCalledTimes(4);
  });

  it('expires all the same', async () => {
    const token = good();
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
    clock.setSeconds(claims.expiresAt + TOLERANCE);
    for (let time = 0; time < 2; time += 1) {
      expect(await tokens.verify(token)).toMatchObject({ kind: 'rejected', reason: 'TOKEN_EXPIRED' });
    }
  });

  it('lends nothing to a token that differs from it in one bit', async () => {
    const token = good();
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
    const segments = token.split('.').map((segment) => Buffer.from(segment, 'base64url'));
    let refused = 0;
    for (const bytes of segments) {
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const verdict = await tokens.verify(segments.map((segment) => segment.toString('base64url')).join('.'));
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        if (verdict.kind === 'rejected') refused += 1;
      }
    }
    expect(refused).toBe(segments.reduce((bits, bytes) => bits + bytes.length * 8, 0));
  });

  it('is refused once its key was taken out of the store', async () => {
    const token = good();
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
    store.rows = store.rows.filter((row) => row.kid !== ours.EdDSA.kid);
    await expectInvalid(withHeader({ kid: 'unknown, which reloads the ring' }));
    await expectInvalid(token);
  });

  it('is refused once its key has expired', async () => {
    store.rows = store.rows.map((row) => ({ ...row, expiresAt: new Date((NOW + 60) * 1000) }));
    keys = await loadedRing('EdDSA', clock);
    tokens = createAccessTokens({ keys, clock, settings });
    const token = good();
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
    clock.advanceSeconds(60);
    await expectInvalid(token);
  });

  it('that was refused is judged afresh the next time', async () => {
    const token = withClaims({ nbf: NOW + 60 });
    await expectInvalid(token);
    clock.advanceSeconds(60);
    expect(await tokens.verify(token)).toMatchObject({ kind: 'verified' });
  });
});

describe('a token that we issue', () => {
  const decode = (segment: string | undefined): unknown => JSON.parse(Buffer.from(segment!, 'base64url').toString());

  it.each(SIGNING_ALGORITHMS)('says what it is given and comes back the same, with %s', async (algorithm) => {
    const signing = createAccessTokens({ keys: await loadedRing(algorithm, clock), clock, settings });
    const token = await signing.issue(claims);
    const [header, payload] = token.split('.');
    expect(decode(header)).toEqual({ alg: algorithm, typ: 'at+jwt', kid: ours[algorithm].kid });
    expect(decode(payload)).toEqual({
      iss: settings.issuer,
      aud: settings.audience,
      sub: claims.subject,
      client_id: settings.clientId,
      iat: claims.issuedAt,
      exp: claims.expiresAt,
      jti: expect.stringMatching(/^[\da-f-]{36}$/) as string,
      sid: claims.sessionId,
      gen: claims.generation,
      auth_time: claims.authTime,
      scope: 'users:read users:write',
      uv: claims.userVersion,
    });
    expect(await signing.verify(token)).toEqual({ kind: 'verified', claims });
    // A replica that signs with another algorithm verifies it too.
    expect(await tokens.verify(token)).toEqual({ kind: 'verified', claims });
  });

  it('has a jti of its own each time', async () => {
    const issued = await Promise.all(Array.from({ length: 100 }, () => tokens.issue(claims)));
    expect(new Set(issued.map((token) => (decode(token.split('.')[1]) as { jti: string }).jti)).size).toBe(100);
  });

  it('cannot be made before a key is loaded', async () => {
    const empty = createKeyRing({ store, secrets, algorithm: 'EdDSA', lifetimeSeconds: KEY_LIFETIME_SECONDS, clock, log });
    const issuing = createAccessTokens({ keys: empty, clock, settings }).issue(claims);
    await expect(issuing).rejects.toMatchObject({ fault: { code: 'SERVICE_UNAVAILABLE' } });
  });

  it.each(SIGNING_ALGORITHMS)('is accepted by another implementation of RFC 9068 with nothing but the JWKS, with %s', async (algorithm) => {
    const ring = await loadedRing(algorithm, systemClock);
    const issuedAt = Math.floor(systemClock.now() / 1000);
    const token = await createAccessTokens({ keys: ring, clock: systemClock, settings }).issue({
      ...claims,
      issuedAt,
      expiresAt: issuedAt + 900,
    });
    const server: AuthorizationServer = { issuer: settings.issuer, jwks_uri: `${settings.issuer}/.well-known/jwks.json` };
    const request = new Request('https://api.example.com/graphql', { headers: { authorization: `Bearer ${token}` } });
    const accepted = await validateJwtAccessToken(server, request, settings.audience, {
      [customFetch]: async () => Response.json(ring.jwks()),
    });
    expect(accepted).toMatchObject({ sub: claims.subject, client_id: settings.clientId, scope: 'users:read users:write' });
  });
});
