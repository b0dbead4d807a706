import type { FastifyReply } from 'fastify';

/** Answers a request that never became an operation, in the shape that GraphQL clients read. */
export function sendHttpError(
  reply: FastifyReply,
  status: number,
  message: string,
  extensions: Record<string, unknown> = {},
): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send({ errors: [{ message, extensions: { code: codeOf(status), retryable: status === 503, ...extensions } }] });
}

function codeOf(status: number): string {
  if (status === 503) return 'SERVICE_UNAVAILABLE';
  return status >= 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST';
}
