import { describe, expect, it } from 'vitest';

import { AuthError, badInput, explainToOperator, type Fault } from '../../src/errors.js';

const faults: readonly (readonly [fault: Fault, text: string, retryable: boolean])[] = [
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }, 'Sign in, and send the access token as "Authorization: Bearer <token>".', false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' }, 'The access token is not valid here. Refresh it, or sign in again.', false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' }, 'The access token has expired. Refresh it.', false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_STALE' }, 'The account has changed since the access token was issued. Refresh it.', false],
  [{ code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' }, 'The session has ended. Sign in again.', false],
  [
    { code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: [['users:read']] },
    'Your session does not have the scopes that this needs.',
    false,
  ],
  [{ code: 'INVALID_CREDENTIALS' }, 'The e-mail address, username or password is not right.', false],
  [{ code: 'INVALID_REFRESH_TOKEN' }, 'The refresh token is not valid. Sign in again.', false],
  [{ code: 'BAD_USER_INPUT', fields: [] }, 'Some of the input was refused; "fields" says which and why.', false],
  [{ code: 'CONFLICT', reason: 'EMAIL_TAKEN' }, 'This e-mail address has an account already.', false],
  [{ code: 'CONFLICT', reason: 'USERNAME_TAKEN' }, 'This username is taken.', false],
  [{ code: 'RATE_LIMITED', retryAfterSeconds: 30 }, 'Too many attempts. Try again in 30 s.', true],
  [{ code: 'SERVICE_UNAVAILABLE' }, 'The service cannot answer just now. Try again shortly.', true],
];

describe('an AuthError', () => {
  it.each(faults)('of %j has a fixed text, and says whether the same call can succeed later', (fault, text, retryable) => {
    const error = new AuthError(fault, 'a private detail');
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'AuthError', fault, message: text, retryable, detail: 'a private detail' });
  });

  it('keeps its detail and its cause out of the text', () => {
    const cause = new Error('the cause');
    const error = new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the detail', { cause });
    expect(error.cause).toBe(cause);
    expect(String(error)).not.toMatch(/the detail|the cause/);
  });

  it('may come without a detail', () => {
    expect(new AuthError({ code: 'INVALID_CREDENTIALS' }).detail).toBeUndefined();
  });
});

it('names a single refused input by its path, its rule and what to do', () => {
  expect(badInput('roles', 'known', 'Use roles that exist.').fault).toEqual({
    code: 'BAD_USER_INPUT',
    fields: [{ path: 'roles', rule: 'known', message: 'Use roles that exist.' }],
  });
});

describe('what an operator is told', () => {
  const unavailable = (cause?: unknown) => new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the database cannot answer', { cause });

  it.each<[name: string, thrown: unknown, text: string]>([
    ['an error of ours', new Error('the port is taken'), 'the port is taken'],
    ['something that is no error', 'stopped', 'stopped'],
    ['a fault without a detail', new AuthError({ code: 'CONFLICT', reason: 'USERNAME_TAKEN' }), 'This username is taken.'],
    ['a fault with a detail', unavailable(), 'the database cannot answer'],
    ['a fault with a cause', unavailable(new Error('connect ECONNREFUSED')), 'the database cannot answer: connect ECONNREFUSED'],
    [
      'a fault with several causes',
      unavailable(new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ECONNREFUSED 127.0.0.1')])),
      'the database cannot answer: connect ECONNREFUSED ::1',
    ],
    ['a fault with a cause that is no error', unavailable('down'), 'the database cannot answer'],
  ])('is the detail and the cause, not the public text: %s', (_, thrown, text) => {
    expect(explainToOperator(thrown)).toBe(text);
  });
});
