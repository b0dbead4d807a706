import { isJsonObject, objectOrEmpty, textOr } from './json.js';

/** An input that was refused: where it stands, which rule it broke, and what to do. Never the value. */
export interface FieldFault {
  readonly path: string;
  readonly rule: string;
  readonly message: string;
}

/** What a GraphQL answer says in `errors`, so far as it matters here. */
export interface GraphQLErrorLike {
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** One error of the server, read from `extensions`; or that there was none, because there was no answer. */
export interface Fault {
  /** `extensions.code`; NETWORK when no answer came, and empty when an answer came that is none of the server's. */
  readonly code: string;
  readonly reason: string | undefined;
  readonly message: string;
  readonly fields: readonly FieldFault[];
  readonly retryAfterSeconds: number | undefined;
}

export function isErrorList(value: unknown): value is GraphQLErrorLike[] {
  return Array.isArray(value) && value.every(isJsonObject);
}

export function parseFault(error?: unknown): Fault {
  const { message, extensions } = objectOrEmpty(error);
  const { code, reason, fields, retryAfterSeconds } = objectOrEmpty(extensions);
  return {
    code: textOr(code, ''),
    reason: textOr(reason, undefined),
    message: textOr(message, 'The server gave no reason.'),
    fields: Array.isArray(fields) ? fields.map(parseFieldFault) : [],
    retryAfterSeconds: positiveOrNone(retryAfterSeconds),
  };
}

/** A number above zero, or nothing. */
export function positiveOrNone(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function parseFieldFault(value: unknown): FieldFault {
  const { path, rule, message } = objectOrEmpty(value);
  return {
    path: textOr(path, ''),
    rule: textOr(rule, ''),
    message: textOr(message, ''),
  };
}

/** Why a call was not let in, if that is what these errors say: the `reason` of the first UNAUTHENTICATED one. */
export function unauthenticatedReason(errors: readonly unknown[]): string | undefined {
  const fault = errors.map(parseFault).find(({ code }) => code === 'UNAUTHENTICATED');
  return fault && (fault.reason ?? '');
}
