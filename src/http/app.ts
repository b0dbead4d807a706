import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';

import cors from '@fastify/cors';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type onResponseHookHandler,
} from 'fastify';

import type { Principal } from '../authorization/principal.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../log.js';
import { bareHttpError, CONTENT_SECURITY_POLICY, rawHttpError, sendHttpError } from './http-error.js';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** A slow client is cut off so much later at most. */
const TIMEOUT_CHECK_MS = 5000;

/** A host name or address, and perhaps a port: what a URL can be built from. */
const HOST = /^(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** What helmet says in every answer: always the same, so no function of its works it out for each request. */
export const HELMET_HEADERS = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};

/** What Node's parser says, where it is not 400. */
const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asked, once the context is built: for the log. */
    principal: Principal | undefined;
  }
}

const noSchema = (): never => {
  throw new Error('Routes have no JSON schemas here: what comes in is GraphQL.');
};

type HttpSettings = Pick<Config, 'corsOrigins' | 'trustProxy'>;

/** Makes the HTTP server without routes: limits, headers, and one shape for every error. */
export async function createHttpApp({ settings, log }: { settings: HttpSettings; log: Logger }): Promise<FastifyInstance> {
  // Typed as Fastify's own, or every plugin would have to name pino's type.
  const loggerInstance: FastifyBaseLogger = log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    trustProxy: settings.trustProxy.length > 0 ? [...settings.trustProxy] : false,
    // Ours, never the caller's: it leads to our log.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    // Our lines name the request by themselves; a logger of its own for each request is never used.
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: 'idle',
    // What still arrives while we stop is answered like anything else, and its connection closed: Fastify's 503 is no answer of ours.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // No route has a JSON schema: what Fastify has to compile one, some 240 files, is not loaded.
    schemaController: { compilersFactory: { buildValidator: noSchema, buildSerializer: noSchema } },
    // Fastify's own answers to what cannot be routed or parsed quote it, and have neither our shape nor our headers.
    frameworkErrors: (_error, _request, reply) => {
      const { headers, body } = bareHttpError(400, 'The address cannot be decoded.');
      reply.raw.writeHead(400, headers).end(body);
    },
    clientErrorHandler: (error, socket) => {
      const status = CLIENT_ERROR_STATUS[error.code] ?? 400;
      if (socket.writable) socket.end(rawHttpError(status, describe(status)), () => socket.destroy());
      else socket.destroy();
    },
  });

  // Node would answer with a status and nothing else.
  app.server.on('checkExpectation', (_request, response: ServerResponse) => {
    const { headers, body } = bareHttpError(417, 'Send no Expect header but "100-continue".');
    response.writeHead(417, headers).end(body);
  });

  app.removeContentTypeParser('text/plain');
  app.decorateRequest('principal', undefined);

  // Before any hook that may answer: headers are for errors too.
  const fixedHeaders = { ...HELMET_HEADERS, 'content-security-policy': CONTENT_SECURITY_POLICY };
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(fixedHeaders).header('x-request-id', request.id);
    if (isOneHost(request.raw)) return undefined;
    // Once the parser is through with what came along: if that was no HTTP either, one answer is enough.
    await setImmediate();
    return sendHttpError(reply, 400, 'Send one Host header, and a host in it.');
  });
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // Or a client that keeps its connection would hold up the end until it is cut off.
    if (isClosing) void reply.header('connection', 'close');
    done();
  });
  const logRequest: onResponseHookHandler = (request, reply, done) => {
    // The route, not the address: a query string may hold what should not be there.
    const { method, id, principal } = request;
    const who = principal?.kind === 'authenticated' ? { userId: principal.subject, sessionId: principal.sessionId } : {};
    log.info(
      { requestId: id, method, route: request.routeOptions.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), ...who },
      'request',
    );
    done();
  };
  // Whoever does not want the line does not pay for it.
  if (log.isLevelEnabled('info')) app.addHook('onResponse', logRequest);

  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendHttpError(reply, status, describe(status));
    log.error({ requestId: request.id, err: error }, 'a request failed');
    return sendHttpError(reply, 500, 'Something went wrong here. The request id leads to the log.', { requestId: request.id });
  });
  app.setNotFoundHandler((_request, reply) => sendHttpError(reply, 404, 'There is nothing here. The API is at POST /graphql.'));

  if (settings.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...settings.corsOrigins],
      methods: ['POST'],
      allowedHeaders: ['authorization', 'content-type'],
      exposedHeaders: ['www-authenticate', 'x-request-id'],
      maxAge: 600,
    });
  }
  return app;
}

/** Node keeps the first of several Host headers, and a proxy in front may have kept the last. */
function isOneHost({ headers, rawHeaders }: IncomingMessage): boolean {
  const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  return count === 1 && HOST.test(headers.host ?? '');
}

/** Fastify's own texts quote what was sent. */
function describe(status: number): string {
  switch (status) {
    case 408:
      return 'The request did not arrive in time.';
    case 431:
      return `The headers are larger than ${String(MAX_HEADER_BYTES)} bytes.`;
    case 413:
      return `The body is larger than ${String(MAX_BODY_BYTES)} bytes.`;
    case 415:
      return 'Send JSON, and say so: "Content-Type: application/json".';
    default:
      return 'The request cannot be read. Send a JSON object with "query" and "variables".';
  }
}
