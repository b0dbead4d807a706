/** scope-token of RFC 6749 section 3.3: printable ASCII but for space, quotation mark and backslash. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export function isScopeToken(text: string): boolean {
  return SCOPE_TOKEN.test(text);
}

/** Reads a space-delimited scope (RFC 6749 section 3.3, https://www.rfc-editor.org/rfc/rfc6749#section-3.3). */
export function parseScope(scope: string): readonly string[] {
  return scope === '' ? [] : scope.split(' ');
}

/** Writes scopes space-delimited, sorted, each once. */
export function formatScope(scopes: Iterable<string>): string {
  return [...new Set(scopes)].sort().join(' ');
}
