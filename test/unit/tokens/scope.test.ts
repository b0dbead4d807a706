import { describe, expect, it } from 'vitest';

import { formatScope, isScopeToken, parseScope } from '../../../src/tokens/scope.js';

describe('a scope token', () => {
  it.each(['', ' ', 'a b', 'a\tb', 'a\n', '"', 'a"b', '\\', 'ä', '\u007f', '\0', 'a'.repeat(129)])('is not %j', (text) => {
    expect(isScopeToken(text)).toBe(false);
  });

  it.each(['a', 'users:read', 'https://example.com/scope', '!', '#', '[', ']', '~', 'a'.repeat(128)])('is %j', (text) => {
    expect(isScopeToken(text)).toBe(true);
  });
});

describe('a scope', () => {
  it.each<[scopes: string[], text: string]>([
    [[], ''],
    [['users:read'], 'users:read'],
    [['users:write', 'users:read'], 'users:read users:write'],
    [['b', 'a', 'b', 'a'], 'a b'],
  ])('of %j is written %j, sorted and each once', (scopes, text) => {
    expect(formatScope(scopes)).toBe(text);
    expect(parseScope(text)).toEqual([...new Set(scopes)].sort());
  });

  it('may come from a set', () => {
    expect(formatScope(new Set(['b', 'a']))).toBe('a b');
  });
});
