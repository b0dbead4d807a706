import { platform } from './platform.js';

/**
 * Makes ids that nobody can guess; throws where the platform has no cryptographic randomness.
 *
 * `Math.random` will not do: whoever holds a stolen refresh token and guesses the `attemptId` of its rotation is given the successor.
 */
export function defaultRandomId(): () => string {
  const { crypto } = platform;
  if (!crypto?.getRandomValues) throw new TypeError('Without crypto.getRandomValues, pass randomId');
  const randomBytes = crypto.getRandomValues.bind(crypto);
  // Not randomUUID, which a page has only when it was served by HTTPS.
  return () => Array.from(randomBytes(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
