import { describe, expect, it } from 'vitest';

import { ANONYMOUS, type Principal } from '../../../src/authorization/principal.js';
import { authenticated, refusalOf, type Requirement } from '../../../src/authorization/requirement.js';
import { AuthError } from '../../../src/errors.js';

function holding(...scopes: string[]): Principal {
  return { kind: 'authenticated', subject: 'user', sessionId: 'session', scopes: new Set(scopes), authTime: 0 };
}

const PUBLIC: Requirement = { kind: 'public' };
const AUTHENTICATED: Requirement = { kind: 'authenticated' };
const anyOf = (...lists: string[][]): Requirement => ({ kind: 'scopes', anyOf: lists });

const nobodies: [string, Exclude<Principal, { kind: 'authenticated' }>, object][] = [
  ['no token', { kind: 'anonymous' }, { code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }],
  ['an invalid token', { kind: 'rejected', reason: 'TOKEN_INVALID' }, { code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' }],
  ['an expired token', { kind: 'rejected', reason: 'TOKEN_EXPIRED' }, { code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' }],
  [
    'a stale token',
    { kind: 'rejected', reason: 'TOKEN_STALE', subject: 'user', sessionId: 'session' },
    { code: 'UNAUTHENTICATED', reason: 'TOKEN_STALE' },
  ],
  ['a revoked session', { kind: 'rejected', reason: 'SESSION_REVOKED' }, { code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' }],
  ['a token that cannot be judged', { kind: 'undecided' }, { code: 'SERVICE_UNAVAILABLE' }],
];

const refused: [string, string[][], string[]][] = [
  ['no scope at all', [['users:read']], []],
  ['another scope', [['users:read']], ['users:write']],
  ['a scope in other letter case', [['users:read']], ['USERS:READ']],
  ['a scope that begins alike', [['users:read']], ['users', 'users:', 'users:read:all', 'users:*', '*']],
  ['one of two that are both needed', [['users:read', 'users:write']], ['users:read']],
  [
    'halves of two lists',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
    ['a', 'c'],
  ],
  ['every scope there is, where nothing would do', [], ['a', 'b', 'c']],
];

const met: [string, string[][], string[]][] = [
  ['the one scope', [['users:read']], ['users:read']],
  ['more than is needed', [['users:read']], ['users:write', 'users:read']],
  ['both that are needed', [['a', 'b']], ['b', 'a']],
  ['the second of two lists', [['a'], ['b']], ['b']],
  ['nothing, where nothing is needed', [[]], []],
  ['nothing, where one of the lists needs nothing', [['a'], []], []],
];

describe('a requirement', () => {
  it.each(nobodies)('refuses %s whatever it asks for, and says why', (_name, principal, fault) => {
    for (const requirement of [AUTHENTICATED, anyOf(), anyOf([]), anyOf(['a'])]) {
      expect(refusalOf(requirement, principal)?.fault).toEqual(fault);
    }
  });

  it.each(refused)('of scopes refuses %s with FORBIDDEN and the scopes that would do', (_name, lists, scopes) => {
    const refusal = refusalOf(anyOf(...lists), holding(...scopes));
    expect(refusal).toBeInstanceOf(AuthError);
    expect(refusal?.fault).toEqual({ code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: lists });
    expect(refusal?.retryable).toBe(false);
  });

  it.each(met)('of scopes is met by %s', (_name, lists, scopes) => {
    expect(refusalOf(anyOf(...lists), holding(...scopes))).toBeUndefined();
  });

  it('to be authenticated is met by anyone who is, without a scope', () => {
    expect(refusalOf(AUTHENTICATED, holding())).toBeUndefined();
  });

  it.each<[string, Principal]>([
    ...nobodies.map(([name, principal]): [string, Principal] => [name, principal]),
    ['a live token', holding()],
  ])('that is public is met with %s', (_name, principal) => {
    expect(refusalOf(PUBLIC, principal)).toBeUndefined();
  });

  it('tells a client to try again when its token could not be judged', () => {
    expect(refusalOf(AUTHENTICATED, { kind: 'undecided' })?.retryable).toBe(true);
  });
});

describe('an authenticated principal', () => {
  it.each(nobodies)('is not made of %s', (_name, principal, fault) => {
    const reveal = () => authenticated(principal);
    expect(reveal).toThrow(AuthError);
    expect(reveal).toThrow(expect.objectContaining({ fault }) as Error);
  });

  it('is the very principal that is asked about', () => {
    const principal = holding('a');
    expect(authenticated(principal)).toBe(principal);
  });

  it('is nobody when there is no token', () => {
    expect(ANONYMOUS).toEqual({ kind: 'anonymous' });
  });
});
