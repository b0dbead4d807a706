// What of a secret may be seen.
import { Buffer } from 'node:buffer';

/** Enough of a token to know it again by, and nothing of a password. */
export function shortened(name, value) {
  if (/password/i.test(name)) return '…';
  return /token$/i.test(name) ? `${value.slice(0, 8)}…${value.slice(-6)}` : value;
}

/** What an access token says. It is read here, not verified: the server does that. */
export function claimsOf(accessToken) {
  return JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString());
}
