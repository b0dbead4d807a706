import { createHmac, sign as signBytes, type KeyObject } from 'node:crypto';

/** A part of a JWT: an object, or JSON text as it stands, which may say what no object can. */
export type JwtPart = Record<string, unknown> | string;

export type JwtSigner = (signingInput: string) => Buffer;

export function encodePart(part: JwtPart): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** The compact form of whatever it is given, however wrong: made without jose, which would refuse to. */
export function compactJwt(header: JwtPart, payload: JwtPart, signer: JwtSigner): string {
  return signSegments(encodePart(header), encodePart(payload), signer);
}

/** Signs two segments as they stand. */
export function signSegments(header: string, payload: string, signer: JwtSigner): string {
  const input = `${header}.${payload}`;
  return `${input}.${signer(input).toString('base64url')}`;
}

export const signers = {
  eddsa:
    (key: KeyObject): JwtSigner =>
    (input) =>
      signBytes(null, Buffer.from(input), key),
  ecdsa:
    (key: KeyObject, hash = 'sha256'): JwtSigner =>
    (input) =>
      signBytes(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
  rsa:
    (key: KeyObject, hash = 'sha256'): JwtSigner =>
    (input) =>
      signBytes(hash, Buffer.from(input), key),
  rsaPss:
    (key: KeyObject): JwtSigner =>
    (input) =>
      signBytes('sha256', Buffer.from(input), { key, padding: 6, saltLength: 32 }),
  hmac:
    (key: string | Buffer, hash = 'sha256'): JwtSigner =>
    (input) =>
      createHmac(hash, key).update(input).digest(),
  nothing: (): Buffer => Buffer.alloc(0),
};
