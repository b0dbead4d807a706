import { describe, expect, it } from 'vitest';

import { parseBearer } from '../../../src/tokens/bearer.js';

describe('the Authorization headers of a request', () => {
  it.each<[name: string, headers: string[]]>([
    ['two headers', ['Bearer a', 'Bearer b']],
    ['the same header twice', ['Bearer a', 'Bearer a']],
    ['a bearer header behind another scheme', ['Basic YTpi', 'Bearer a']],
    ['an empty header', ['']],
    ['a space', [' ']],
    ['a space before the scheme', [' Bearer a']],
    ['no token', ['Bearer']],
    ['no token but a space', ['Bearer ']],
    ['two tokens', ['Bearer a b']],
    ['two headers that were joined', ['Bearer a, Bearer b']],
    ['a list of tokens', ['Bearer a,b']],
    ['a space behind the token', ['Bearer a ']],
    ['a tab before the token', ['Bearer \ta']],
    ['a line break behind the token', ['Bearer a\n']],
    ['a NUL', ['Bearer a\0']],
    ['a quoted token', ['Bearer "a"']],
    ['a parameter', ['Bearer token="a"']],
    ['padding alone', ['Bearer =']],
    ['padding inside', ['Bearer a=b']],
    ['a letter outside ASCII', ['Bearer ä']],
    ['JSON', ['Bearer {"alg":"none"}']],
    ['half a character', ['Bearer \ud800']],
  ])('are malformed with %s', (_, headers) => {
    expect(parseBearer(headers)).toEqual({ kind: 'malformed', detail: expect.any(String) as string });
  });

  it.each<[name: string, headers: string[]]>([
    ['no header', []],
    ['another scheme', ['Basic YTpi']],
    ['DPoP', ['DPoP a']],
    ['another scheme without credentials', ['Negotiate']],
    ['a scheme that begins like Bearer', ['BearerToken a']],
    ['a token without a scheme', ['eyJhbGciOiJFZERTQSJ9.e30.AAAA']],
  ])('hold no bearer token with %s', (_, headers) => {
    expect(parseBearer(headers)).toEqual({ kind: 'none' });
  });

  it.each<[name: string, header: string, token: string]>([
    ['the scheme as RFC 6750 writes it', 'Bearer a.b.c', 'a.b.c'],
    ['the scheme in lower case', 'bearer a.b.c', 'a.b.c'],
    ['the scheme in upper case', 'BEARER a.b.c', 'a.b.c'],
    ['more than one space', 'Bearer   a.b.c', 'a.b.c'],
    ['every character that a token may have', 'Bearer AZaz09-._~+/==', 'AZaz09-._~+/=='],
    ['a token longer than any of ours', `Bearer ${'a'.repeat(10_000)}`, 'a'.repeat(10_000)],
  ])('hold a bearer token with %s', (_, header, token) => {
    expect(parseBearer([header])).toEqual({ kind: 'bearer', token });
  });

  it('never have their value in the detail', () => {
    expect(JSON.stringify(parseBearer(['Bearer canary canary']))).not.toContain('canary');
  });
});
