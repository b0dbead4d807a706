import { isJsonObject, objectOrEmpty, stringOrUndefined, type JsonObject } from './json.js';

/** One entry of `extensions.fields`: what is wrong with an input, never its value. */
export interface FieldFault {
  path: string;
  rule: string;
  message: string;
}

/** What came of a call: an answer, a refusal that stands, or no verdict at all, so that the same call may succeed later. */
export type Reply =
  | { kind: 'data'; data: JsonObject }
  | { kind: 'refused'; code: string; reason: string | undefined; message: string; fields: readonly FieldFault[] }
  | { kind: 'unavailable'; message: string; retryAfterSeconds: number | undefined };

/** Sends one document of `schema/operations` with its variables; never throws. */
export type Send = (document: string, variables: JsonObject) => Promise<Reply>;

/** A request without an answer after so long counts as unanswered: a hung connection must not block every later refresh. */
const REQUEST_TIMEOUT_MS = 15_000;

const NO_VERDICT_CODES: ReadonlySet<string> = new Set(['SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL_SERVER_ERROR']);

export function createSend(options: { endpoint: string; fetch: typeof globalThis.fetch }): Send {
  return async (document, variables) => {
    let response: Response;
    let body: unknown;
    try {
      response = await options.fetch(options.endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' },
        body: JSON.stringify({ query: document, variables }),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch {
      return { kind: 'unavailable', message: 'The server could not be reached.', retryAfterSeconds: undefined };
    }
    try {
      body = await response.json();
    } catch {
      // A proxy's error page, or an answer that was cut off: neither says anything of the session.
      body = undefined;
    }
    return toReply(response.status, body);
  };
}

function toReply(status: number, body: unknown): Reply {
  const { data, errors } = objectOrEmpty(body);
  const error = Array.isArray(errors) ? objectOrEmpty(errors[0]) : undefined;
  if (error === undefined) {
    if (status < 500 && isJsonObject(data)) return { kind: 'data', data };
    return { kind: 'unavailable', message: `The server answered with status ${String(status)}.`, retryAfterSeconds: undefined };
  }
  const message = stringOrUndefined(error['message']) ?? 'The server gave no reason.';
  const extensions = objectOrEmpty(error['extensions']);
  const code = stringOrUndefined(extensions['code']) ?? '';
  if (status >= 500 || extensions['retryable'] === true || NO_VERDICT_CODES.has(code)) {
    const retryAfter = extensions['retryAfterSeconds'];
    return { kind: 'unavailable', message, retryAfterSeconds: typeof retryAfter === 'number' ? retryAfter : undefined };
  }
  return { kind: 'refused', code, reason: stringOrUndefined(extensions['reason']), message, fields: toFieldFaults(extensions['fields']) };
}

function toFieldFaults(value: unknown): FieldFault[] {
  if (!Array.isArray(value)) return [];
  return value.map(objectOrEmpty).flatMap(({ path, rule, message }) => {
    const joined = Array.isArray(path) ? path.join('.') : stringOrUndefined(path);
    const text = stringOrUndefined(message);
    return joined === undefined || text === undefined ? [] : [{ path: joined, rule: stringOrUndefined(rule) ?? '', message: text }];
  });
}
