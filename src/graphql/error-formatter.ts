import { ApolloServerErrorCode, ApolloServerValidationErrorCode, unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, isValueNode, Kind, print, type GraphQLFormattedError } from 'graphql';

import { AuthError } from '../errors.js';

/**
 * Turns whatever was thrown into what a client may read. The one place where errors meet GraphQL.
 *
 * An AuthError says what its fault says. GraphQL's own errors keep their code and place, without the values that they would quote. Everything else is
 * masked.
 */
export function formatError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  const place = {
    ...(formatted.locations === undefined ? {} : { locations: formatted.locations }),
    ...(formatted.path === undefined ? {} : { path: formatted.path }),
  };
  const cause = unwrapResolverError(error);
  if (cause instanceof AuthError) {
    const { fault, message, retryable } = cause;
    return { message, ...place, extensions: { ...fault, retryable } };
  }
  const own = error instanceof GraphQLError && cause === error ? describeGraphQLError(formatted, error) : describeArgumentError(cause);
  return own === undefined
    ? {
        message: 'Something went wrong here. The request id leads to the log.',
        ...place,
        extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false },
      }
    : { message: own.message, ...place, extensions: { ...own.extensions, retryable: false } };
}

/** Whether this is a fault of ours, which the log must tell. */
export function isMasked(formatted: GraphQLFormattedError): boolean {
  return formatted.extensions?.['code'] === 'INTERNAL_SERVER_ERROR';
}

const codes = ApolloServerErrorCode;

function describeGraphQLError(
  { message, extensions }: GraphQLFormattedError,
  error: GraphQLError,
): { message: string; extensions: Record<string, unknown> } | undefined {
  switch (extensions?.['code']) {
    case codes.GRAPHQL_PARSE_FAILED:
      return { message: withoutQuotation(message), extensions: { code: codes.GRAPHQL_PARSE_FAILED } };
    case codes.GRAPHQL_VALIDATION_FAILED:
      return {
        message:
          extensions['validationErrorCode'] === ApolloServerValidationErrorCode.INTROSPECTION_DISABLED
            ? 'Introspection is off here.'
            : withoutValue(message, error),
        extensions: { code: codes.GRAPHQL_VALIDATION_FAILED },
      };
    case codes.BAD_USER_INPUT:
      return describeCoercionError(error);
    // The last: a client that sends hashes reads it and sends the whole document instead.
    case codes.BAD_REQUEST:
    case codes.OPERATION_RESOLUTION_FAILURE:
    case codes.PERSISTED_QUERY_NOT_SUPPORTED:
      return { message, extensions: { code: extensions['code'] } };
    default:
      return undefined;
  }
}

/** The parser quotes what it stumbled over, which may be a password in the wrong place. Its limit is told as the others are. */
function withoutQuotation(message: string): string {
  if (/ contains more tha[nt] \d+ tokens/.test(message)) return 'The document has more tokens than are allowed.';
  return `${message.replace(/\s*"[\s\S]*$/, '').replace(/[.:]$/, '')}.`;
}

/** What graphql says of a literal that does not fit its type, told anew with names of the schema alone. */
const LITERAL_FAULTS: readonly [RegExp, (name: string) => string][] = [
  [/^(\w+|Enum "\w+") cannot represent /, (type) => `${type} cannot represent this value.`],
  [/^Value "\w+" does not exist in "(\w+)" enum/, (type) => `This value does not exist in the enum "${type}".`],
  [/^Expected value of type "([\w[\]!]+)"/, (type) => `Expected a value of type "${type}".`],
  [/^(Field "[\w.]+" of required type "[\w[\]!]+" was not provided\.)$/, (message) => message],
];

/** Validation quotes a literal that does not fit its type, and a scalar says what it likes of one. */
function withoutValue(message: string, { nodes }: GraphQLError): string {
  for (const [pattern, retell] of LITERAL_FAULTS) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return retell(name);
  }
  const [node] = nodes ?? [];
  const isAboutLiteral = node !== undefined && isValueNode(node) && node.kind !== Kind.VARIABLE;
  return isAboutLiteral ? 'A literal does not fit its type.' : message;
}

/**
 * A variable that fits its own type, and not the place in an argument where it stands: null where the schema has a default, say. Only execution
 * finds that, and the message quotes the argument, so it is told anew from its name.
 */
function describeArgumentError(cause: unknown): { message: string; extensions: Record<string, unknown> } | undefined {
  if (!(cause instanceof GraphQLError)) return undefined;
  const [node] = cause.nodes ?? [];
  const path = /^Argument "(\w+)" (?:has invalid value|of (?:required|non-null) type) /.exec(cause.message)?.[1];
  if (path === undefined || node === undefined || !isValueNode(node)) return undefined;
  const fields = [{ path, rule: 'type', message: 'The argument, variables in it included, must be as the schema defines it.' }];
  return { message: 'An argument does not fit its type; "fields" says which.', extensions: { code: codes.BAD_USER_INPUT, fields } };
}

/** A variable that does not fit its type: graphql's message quotes the value, so it is told anew from the definition. */
function describeCoercionError(error: GraphQLError): { message: string; extensions: Record<string, unknown> } {
  const definition = error.nodes?.find((node) => node.kind === Kind.VARIABLE_DEFINITION);
  const fields =
    definition === undefined
      ? []
      : [
          {
            path: `$${definition.variable.name.value}`,
            rule: 'type',
            message: `The variable must be a ${print(definition.type)} as the schema defines it.`,
          },
        ];
  return { message: 'A variable does not fit its type; "fields" says which.', extensions: { code: codes.BAD_USER_INPUT, fields } };
}
