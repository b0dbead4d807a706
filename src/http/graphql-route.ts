import { isIP } from 'node:net';

import { HeaderMap, type ApolloServer } from '@apollo/server';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';

import type { BuildContext, LatchkeyContext } from '../graphql/context.js';
import { parseBearer, type BearerCredentials } from '../tokens/bearer.js';
import { sendHttpError } from './http-error.js';

/** JSON in UTF-8 and nothing that a browser sends without asking first (CSRF). No white space but where RFC 9110 section 8.3.1 allows it. */
const JSON_CONTENT_TYPE = /^application\/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i;

/** What an answer can be, the first where a client does not mind (GraphQL over HTTP section 4). */
const MEDIA_TYPES = ['application/json; charset=utf-8', 'application/graphql-response+json; charset=utf-8'];
/** Clients send a handful of Accept headers. */
const REMEMBERED_ACCEPTS = 100;

declare module 'fastify' {
  interface FastifyRequest {
    /** What the Authorization header holds, once it was looked at. */
    credentials: BearerCredentials | undefined;
    /** The media type that the client would like its answer to have. */
    answerType: string | undefined;
  }
}

/** Accepts nothing in parts: of a request without an Accept header Apollo asks anew each time which kind of parts it would like. */
const WHOLE_ANSWER = { method: 'POST', headers: new HeaderMap([['accept', '']]), search: '', body: undefined };

interface GraphqlRouteOptions {
  apollo: ApolloServer<LatchkeyContext>;
  buildContext: BuildContext;
}

/** POST /graphql (GraphQL over HTTP). Nothing else: no GET, no token in the URL, nothing cached. */
export function graphqlRoute({ apollo, buildContext }: GraphqlRouteOptions): FastifyPluginCallback {
  return (app, _options, done) => {
    app.decorateRequest('credentials', undefined);
    app.decorateRequest('answerType', undefined);
    const negotiate = createNegotiation();
    // Once the answer is there: Apollo has something else to say of some.
    app.addHook('onSend', (_request, reply, _payload, next) => {
      void reply.header('cache-control', 'no-store');
      next();
    });
    app.addHook('onRequest', async (request, reply) => {
      if (request.method !== 'POST') {
        void reply.header('allow', 'POST');
        return sendHttpError(reply, 405, 'Send operations by POST.');
      }
      if (!JSON_CONTENT_TYPE.test(request.headers['content-type'] ?? '')) {
        return sendHttpError(reply, 415, 'Send JSON, and say so: "Content-Type: application/json".');
      }
      // Apollo would find out when the operation has run.
      request.answerType = negotiate(request.headers.accept);
      if (request.answerType === undefined) {
        return sendHttpError(reply, 406, 'The answer is application/graphql-response+json or application/json.');
      }
      if (Object.hasOwn(request.query as object, 'access_token')) {
        void reply.header('www-authenticate', 'Bearer error="invalid_request"');
        return sendHttpError(reply, 400, 'Send the access token in the Authorization header, never in the address.');
      }
      request.credentials = credentialsOf(request);
      if (request.credentials.kind === 'malformed') {
        void reply.header('www-authenticate', 'Bearer error="invalid_request"');
        return sendHttpError(reply, 400, 'Send one Authorization header, as "Bearer <access token>".');
      }
      return undefined;
    });
    let isTold = false;
    const contextOf = async (request: FastifyRequest) => {
      const ipAddress = clientAddress(request.ip);
      if (ipAddress === null && !isTold) {
        isTold = true;
        request.log.warn('a caller has no address: all who have none share one limit of passwords');
      }
      const context = await buildContext({
        credentials: request.credentials ?? { kind: 'none' },
        client: { ipAddress, userAgent: userAgentOf(request) },
        requestId: request.id,
      });
      request.principal = context.principal;
      return context;
    };
    const integration = fastifyApolloHandler(apollo, { context: contextOf });

    /**
     * Answers an ordinary operation without what Apollo does for other transports: its map of headers, its CSRF check and its content
     * negotiation, which cost more than a small operation. What is out of the ordinary takes the long way, and is answered or refused there.
     */
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      const operation = ordinaryOperation(request.body);
      if (operation === undefined) return integration.call(app, request, reply);
      const { http, body } = await apollo.executeOperation(
        { ...operation, http: WHOLE_ANSWER },
        { contextValue: await contextOf(request) },
      );
      if (body.kind !== 'single') throw new Error('Nothing here is delivered incrementally.');
      const { errors, data, extensions } = body.singleResult;
      for (const [name, value] of http.headers) void reply.header(name, value);
      void reply.code(http.status ?? 200).header('content-type', request.answerType);
      return `${JSON.stringify({ errors, data, extensions })}\n`;
    };
    app.route({ method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'], url: '/graphql', handler });
    done();
  };
}

/** Tells which of our media types an Accept header prefers; undefined for none. */
function createNegotiation(): (accept: string | undefined) => string | undefined {
  const known = new LRUCache<string, { answerType: string | undefined }>({ max: REMEMBERED_ACCEPTS });
  return (accept = '*/*') => {
    let negotiated = known.get(accept);
    if (negotiated === undefined) {
      negotiated = { answerType: new Negotiator({ headers: { accept } }).mediaType(MEDIA_TYPES) };
      known.set(accept, negotiated);
    }
    return negotiated.answerType;
  };
}

/** The body of an ordinary request, as GraphQL over HTTP has it; undefined for anything else, however slightly it differs. */
function ordinaryOperation(body: unknown): { query: string; operationName?: string; variables?: Record<string, unknown> } | undefined {
  if (!isRecord(body)) return undefined;
  const { query, operationName = null, variables = null, extensions = null } = body;
  if (typeof query !== 'string' || query === '' || extensions !== null) return undefined;
  if ((operationName !== null && typeof operationName !== 'string') || (variables !== null && !isRecord(variables))) return undefined;
  return { query, ...(operationName === null ? {} : { operationName }), ...(variables === null ? {} : { variables }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Node keeps only the first of several Authorization headers: the raw ones tell. */
function credentialsOf({ raw: { rawHeaders } }: FastifyRequest) {
  return parseBearer(rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization'));
}

/**
 * An IPv4 address that came by an IPv6 socket is still that IPv4 address, and one that a proxy names with its port is one too. Null: what a proxy passes on
 * is no address at all, or the connection was gone before anybody asked.
 */
function clientAddress(ip: string | undefined): string | null {
  const address = ip?.replace(/^\[([\da-f:.]+)\](?::\d+)?$|^([\d.]+):\d+$/i, '$1$2').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  return address === undefined || isIP(address) === 0 ? null : address;
}

const MAX_USER_AGENT_LENGTH = 256;

/** Header bytes that are no printable ASCII have no meaning (RFC 9110 section 5.5), and people will read this. */
function userAgentOf(request: FastifyRequest): string | null {
  const userAgent = request.headers['user-agent'];
  return userAgent === undefined ? null : userAgent.slice(0, MAX_USER_AGENT_LENGTH).replace(/[^\x20-\x7e]/g, '?');
}
