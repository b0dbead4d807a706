/**
 * Decodes base64url without padding (RFC 4648 section 5), canonical form only.
 *
 * Node's own decoder skips what it does not know and ignores stray bits, so that many strings would name the same bytes.
 *
 * @returns the bytes, or undefined for anything that is not the one canonical spelling.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
