/** What the Authorization headers of one request hold. */
export type BearerCredentials =
  | { kind: 'none' }
  | { kind: 'bearer'; token: string }
  /** `invalid_request` of RFC 6750 section 3.1: answered 400. */
  | { kind: 'malformed'; detail: string };

/** b64token of RFC 6750 section 2.1. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Reads a bearer token (RFC 6750 section 2.1, https://www.rfc-editor.org/rfc/rfc6750#section-2.1).
 *
 * Checks, in order: at most one Authorization header; the scheme, whose case does not matter (RFC 9110 section 11.1); one
 * space or more; one b64token and nothing behind it. Another scheme than Bearer counts as no credentials (RFC 6750
 * section 3.1). It does not look into the token.
 *
 * @param headers every value of Authorization that the request carries, none joined.
 */
export function parseBearer(headers: readonly string[]): BearerCredentials {
  const [header, ...more] = headers;
  if (header === undefined) return { kind: 'none' };
  if (more.length > 0) return { kind: 'malformed', detail: 'more than one Authorization header' };
  const [, scheme = '', token = ''] = /^([^ ]*) *(.*)$/s.exec(header) ?? [];
  if (header === '' || scheme === '') return { kind: 'malformed', detail: 'an Authorization header without a scheme' };
  if (scheme.toLowerCase() !== 'bearer') return { kind: 'none' };
  if (!B64TOKEN.test(token)) return { kind: 'malformed', detail: 'a bearer header without exactly one token' };
  return { kind: 'bearer', token };
}
