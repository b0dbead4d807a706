import type { FastifyReply } from 'fastify';

/** What an answer that is data and no page may load: nothing. */
export const CONTENT_SECURITY_POLICY = "default-src 'none';frame-ancestors 'none'";

const JSON_IN_UTF8 = 'application/json; charset=utf-8';

/** Answers a request that never became an operation, in the shape that GraphQL clients read. */
export function sendHttpError(
  reply: FastifyReply,
  status: number,
  message: string,
  extensions: Record<string, unknown> = {},
): FastifyReply {
  return reply
    .code(status)
    .type(JSON_IN_UTF8)
    .send(errorBody(status, message, extensions));
}

/** The same for what never came through to a hook, so that it brings its own headers. */
export function bareHttpError(status: number, message: string): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(errorBody(status, message));
  const headers = {
    'content-type': JSON_IN_UTF8,
    'content-length': String(Buffer.byteLength(body)),
    'x-content-type-options': 'nosniff',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'cache-control': 'no-store',
    connection: 'close',
  };
  return { headers, body };
}

/** The same again, for bytes that are no request: the whole response. It has no reason phrase, which clients ignore (RFC 9112 section 4). */
export function rawHttpError(status: number, message: string): string {
  const { headers, body } = bareHttpError(status, message);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${String(status)} `, ...lines, '', body].join('\r\n');
}

function errorBody(status: number, message: string, extensions: Record<string, unknown> = {}) {
  return { errors: [{ message, extensions: { code: codeOf(status), retryable: status === 503, ...extensions } }] };
}

function codeOf(status: number): string {
  if (status === 503) return 'SERVICE_UNAVAILABLE';
  return status >= 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST';
}
