import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { unwrapResolverError } from '@apollo/server/errors';
import type { GraphQLError, GraphQLFormattedError, GraphQLSchema } from 'graphql';

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
      observeRequests({ metrics, operationNames, log }),
    ],
  });
}

/** Sees each request begin and end. One plugin for all of it: Apollo asks every one of them at every step of a request. */
function observeRequests({
  metrics: { requests, requestSeconds },
  operationNames,
  log,
}: Pick<ApolloOptions, 'metrics' | 'operationNames' | 'log'>): ApolloServerPlugin<LatchkeyContext> {
  return {
    requestDidStart() {
      const stop = requestSeconds.startTimer();
      return Promise.resolve({
        didEncounterErrors({ errors, contextValue: { requestId }, operationName }) {
          for (const error of errors) logError(log, error, { requestId, operationName });
          return Promise.resolve();
        },
        willSendResponse({ response: { body, http }, contextValue: { requestId }, operationName }) {
          const errors = body.kind === 'single' ? (body.singleResult.errors ?? []) : [];
          // By known names alone: what a client calls its operation is its own affair.
          const operation = operationName != null && operationNames.has(operationName) ? operationName : 'other';
          const code = errors[0]?.extensions?.['code'];
          requests.inc({ operation, outcome: typeof code === 'string' ? code : 'ok' });
          stop({ operation });
          for (const error of errors) {
            if (isMasked(error)) Object.assign(error, { extensions: { ...error.extensions, requestId } });
          }
          const challenge = bearerChallenge(errors);
          if (challenge !== undefined) http.headers.set('www-authenticate', challenge);
          return Promise.resolve();
        },
      });
    },
  };
}

/** Writes what a client is not told; the request id leads to it. */
function logError(log: Logger, error: GraphQLError, request: { requestId: string; operationName: string | null | undefined }): void {
  const cause = unwrapResolverError(error);
  const { requestId, operationName } = request;
  if (cause instanceof AuthError) {
    const level = cause.fault.code === 'SERVICE_UNAVAILABLE' ? 'warn' : 'debug';
    log[level]({ requestId, code: cause.fault.code, detail: cause.detail, err: cause.cause }, 'a request was refused');
  } else if (isMasked(formatError(error.toJSON(), error))) {
    log.error({ requestId, operationName, path: error.path, err: cause }, 'a request failed');
  }
}

/** Challenges a client whose token was missing or not good (RFC 6750 section 3): in a header, for GraphQL answers 200. */
function bearerChallenge(errors: readonly GraphQLFormattedError[]): string | undefined {
  const refusal = errors.find((error) => error.extensions?.['code'] === 'UNAUTHENTICATED');
  if (refusal === undefined) return undefined;
  return refusal.extensions?.['reason'] === 'TOKEN_MISSING' ? 'Bearer' : 'Bearer error="invalid_token"';
}
