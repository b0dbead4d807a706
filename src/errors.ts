/** One input that was refused: where it stands, which rule it broke, and what to do. Never the value. */
export interface FieldFault {
  path: string;
  rule: string;
  message: string;
}

export type UnauthenticatedReason = 'TOKEN_MISSING' | 'TOKEN_INVALID' | 'TOKEN_EXPIRED' | 'TOKEN_STALE' | 'SESSION_REVOKED';

/** Everything that a caller can be told, as programs read it in `extensions`. A closed union: README lists it under Errors. */
export type Fault =
  | { code: 'UNAUTHENTICATED'; reason: UnauthenticatedReason }
  | { code: 'FORBIDDEN'; reason: 'INSUFFICIENT_SCOPE'; requiredScopes: readonly (readonly string[])[] }
  | { code: 'INVALID_CREDENTIALS' }
  | { code: 'INVALID_REFRESH_TOKEN' }
  | { code: 'BAD_USER_INPUT'; fields: readonly FieldFault[] }
  | { code: 'CONFLICT'; reason: 'EMAIL_TAKEN' | 'USERNAME_TAKEN' }
  | { code: 'RATE_LIMITED'; retryAfterSeconds: number }
  | { code: 'SERVICE_UNAVAILABLE' };

export type FaultCode = Fault['code'];

const UNAUTHENTICATED_TEXT: Record<UnauthenticatedReason, string> = {
  TOKEN_MISSING: 'Sign in, and send the access token as "Authorization: Bearer <token>".',
  TOKEN_INVALID: 'The access token is not valid here. Refresh it, or sign in again.',
  TOKEN_EXPIRED: 'The access token has expired. Refresh it.',
  TOKEN_STALE: 'The account has changed since the access token was issued. Refresh it.',
  SESSION_REVOKED: 'The session has ended. Sign in again.',
};

/** The fixed text for people that goes with a fault. */
function publicText(fault: Fault): string {
  switch (fault.code) {
    case 'UNAUTHENTICATED':
      return UNAUTHENTICATED_TEXT[fault.reason];
    case 'FORBIDDEN':
      return 'Your session does not have the scopes that this needs.';
    case 'INVALID_CREDENTIALS':
      return 'The e-mail address, username or password is not right.';
    case 'INVALID_REFRESH_TOKEN':
      return 'The refresh token is not valid. Sign in again.';
    case 'BAD_USER_INPUT':
      return 'Some of the input was refused; "fields" says which and why.';
    case 'CONFLICT':
      return fault.reason === 'EMAIL_TAKEN' ? 'This e-mail address has an account already.' : 'This username is taken.';
    case 'RATE_LIMITED':
      return `Too many attempts. Try again in ${String(fault.retryAfterSeconds)} s.`;
    case 'SERVICE_UNAVAILABLE':
      return 'The service cannot answer just now. Try again shortly.';
  }
}

/** Something that the caller did, or must wait for. Anything else that is thrown is our own fault and is masked. */
export class AuthError extends Error {
  readonly fault: Fault;
  /** Why, for the log alone. */
  readonly detail: string | undefined;

  constructor(fault: Fault, detail?: string, options?: ErrorOptions) {
    super(publicText(fault), options);
    this.name = 'AuthError';
    this.fault = fault;
    this.detail = detail;
  }

  /** Whether the very same call can succeed later. */
  get retryable(): boolean {
    return this.fault.code === 'RATE_LIMITED' || this.fault.code === 'SERVICE_UNAVAILABLE';
  }
}

/** A single refused input. */
export function badInput(path: string, rule: string, message: string): AuthError {
  return new AuthError({ code: 'BAD_USER_INPUT', fields: [{ path, rule, message }] });
}

/** Something that whoever runs the process can mend, and the message says how: no stack is needed. */
export class OperatorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OperatorError';
  }
}

/**
 * Tells whoever runs a process why it ended: what the database said, or the message of our own.
 *
 * The public text of an AuthError is for callers, and hides just this.
 */
export function explainToOperator(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof AuthError)) return error.message;
  const cause = error.cause instanceof AggregateError ? (error.cause.errors[0] as unknown) : error.cause;
  return [error.detail ?? error.message, ...(cause instanceof Error ? [cause.message] : [])].join(': ');
}
