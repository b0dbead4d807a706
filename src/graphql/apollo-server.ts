import { ApolloServer, type ApolloServerPlugin, type GraphQLRequestContextWillSendResponse } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { unwrapResolverError } from '@apollo/server/errors';
import type { GraphQLSchema } from 'graphql';

import { AuthError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { LatchkeyContext } from './context.js';
import { formatError, isMasked } from './error-formatter.js';
import { createLimitRules, executionOptions, parseOptions, validationOptions } from './limits.js';

interface ApolloOptions {
  schema: GraphQLSchema;
  introspection: boolean;
  metrics: Pick<Metrics, 'requests' | 'requestSeconds'>;
  /** The names that requests are counted by. */
  operationNames: ReadonlySet<string>;
  log: Logger;
}

/** Makes the GraphQL engine. Every transport goes through it, so limits and masking hold whichever way a document comes. */
export function createApolloServer({ schema, introspection, metrics, operationNames, log }: ApolloOptions): ApolloServer<LatchkeyContext> {
  return new ApolloServer<LatchkeyContext>({
    schema,
    introspection,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: !introspection,
    stopOnTerminationSignals: false,
    persistedQueries: false,
    formatError,
    parseOptions,
    validationRules: createLimitRules(),
    validationOptions,
    executionOptions,
    logger: log,
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      // It wraps every resolver to say how long an answer may be kept, and none may be kept at all.
      ApolloServerPluginCacheControlDisabled(),
      reportErrors(log),
      countRequests(metrics, operationNames),
      challengeBearer,
    ],
  });
}

/** Writes what a client is not told, and gives the client the request id that leads to it. */
function reportErrors(log: Logger): ApolloServerPlugin<LatchkeyContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didEncounterErrors({ errors, contextValue: { requestId }, operationName }) {
          for (const error of errors) {
            const cause = unwrapResolverError(error);
            if (cause instanceof AuthError) {
              const level = cause.fault.code === 'SERVICE_UNAVAILABLE' ? 'warn' : 'debug';
              log[level]({ requestId, code: cause.fault.code, detail: cause.detail, err: cause.cause }, 'a request was refused');
            } else if (isMasked(formatError(error.toJSON(), error))) {
              log.error({ requestId, operationName, path: error.path, err: cause }, 'a request failed');
            }
          }
          return Promise.resolve();
        },
        willSendResponse({ response, contextValue: { requestId } }) {
          for (const error of singleResultErrors(response)) {
            if (isMasked(error)) Object.assign(error, { extensions: { ...error.extensions, requestId } });
          }
          return Promise.resolve();
        },
      }),
  };
}

/** Counts requests and their time, by known names alone: what a client calls its operation is its own affair. */
function countRequests(
  { requests, requestSeconds }: ApolloOptions['metrics'],
  names: ReadonlySet<string>,
): ApolloServerPlugin<LatchkeyContext> {
  return {
    requestDidStart() {
      const stop = requestSeconds.startTimer();
      return Promise.resolve({
        willSendResponse({ response, operationName }) {
          const operation = operationName != null && names.has(operationName) ? operationName : 'other';
          const code = singleResultErrors(response)[0]?.extensions?.['code'];
          requests.inc({ operation, outcome: typeof code === 'string' ? code : 'ok' });
          stop({ operation });
          return Promise.resolve();
        },
      });
    },
  };
}

/** Challenges a client whose token was missing or not good (RFC 6750 section 3): in a header, for GraphQL answers 200. */
const challengeBearer: ApolloServerPlugin<LatchkeyContext> = {
  requestDidStart: () =>
    Promise.resolve({
      willSendResponse({ response }) {
        const refusal = singleResultErrors(response).find((error) => error.extensions?.['code'] === 'UNAUTHENTICATED');
        if (refusal !== undefined) {
          const isMissing = refusal.extensions?.['reason'] === 'TOKEN_MISSING';
          response.http.headers.set('www-authenticate', isMissing ? 'Bearer' : 'Bearer error="invalid_token"');
        }
        return Promise.resolve();
      },
    }),
};

function singleResultErrors({ body }: GraphQLRequestContextWillSendResponse<LatchkeyContext>['response']) {
  return body.kind === 'single' ? (body.singleResult.errors ?? []) : [];
}
