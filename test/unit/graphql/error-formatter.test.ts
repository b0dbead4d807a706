import { GraphQLError, GraphQLScalarType, locatedError, print } from 'graphql';
import { GraphQLISODateTime, Arg, Directive, Query, Resolver } from 'type-graphql';
import { describe, expect, it } from 'vitest';

import { AuthError, badInput, type Fault } from '../../../src/errors.js';
import { formatError, isMasked } from '../../../src/graphql/error-formatter.js';
import { ada, createGraphqlEngine } from '../../support/graphql-engine.js';

/** As a resolver's error comes out of execution. */
function format(thrown: unknown) {
  const error = locatedError(thrown, undefined, ['login']);
  return formatError({ ...error.toJSON(), extensions: { code: 'INTERNAL_SERVER_ERROR', ...error.extensions } }, error);
}

const faults: [Fault, boolean][] = [
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' }, false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' }, false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' }, false],
  [{ code: 'UNAUTHENTICATED', reason: 'TOKEN_STALE' }, false],
  [{ code: 'UNAUTHENTICATED', reason: 'SESSION_REVOKED' }, false],
  [{ code: 'FORBIDDEN', reason: 'INSUFFICIENT_SCOPE', requiredScopes: [['a', 'b'], ['c']] }, false],
  [{ code: 'INVALID_CREDENTIALS' }, false],
  [{ code: 'INVALID_REFRESH_TOKEN' }, false],
  [{ code: 'BAD_USER_INPUT', fields: [{ path: 'email', rule: 'email', message: 'Give an address.' }] }, false],
  [{ code: 'CONFLICT', reason: 'EMAIL_TAKEN' }, false],
  [{ code: 'CONFLICT', reason: 'USERNAME_TAKEN' }, false],
  [{ code: 'RATE_LIMITED', retryAfterSeconds: 30 }, true],
  [{ code: 'SERVICE_UNAVAILABLE' }, true],
];

describe('what a caller did', () => {
  it.each(faults)('is told with all that a program needs: %j', (fault, retryable) => {
    const error = new AuthError(fault, 'a private detail', { cause: new Error('a private cause') });
    const formatted = format(error);
    expect(formatted).toEqual({ message: error.message, path: ['login'], extensions: { ...fault, retryable } });
    expect(JSON.stringify(formatted)).not.toContain('private');
    expect(isMasked(formatted)).toBe(false);
  });

  it('is told the same whatever the private detail says', () => {
    const details = ['unknown user', 'wrong password', 'disabled user', undefined];
    const told = details.map((detail) => JSON.stringify(format(new AuthError({ code: 'INVALID_CREDENTIALS' }, detail))));
    expect(new Set(told).size).toBe(1);
  });

  it('says which input was refused by one rule', () => {
    expect(format(badInput('sessionId', 'exists', 'You have no such session.')).extensions).toEqual({
      code: 'BAD_USER_INPUT',
      fields: [{ path: 'sessionId', rule: 'exists', message: 'You have no such session.' }],
      retryable: false,
    });
  });
});

describe('what we did', () => {
  const MASKED = {
    message: 'Something went wrong here. The request id leads to the log.',
    path: ['login'],
    extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false },
  };

  it.each([
    ['an error', new Error('password=hunter2')],
    ['an error with a code', Object.assign(new Error('hunter2'), { code: '23505', detail: 'hunter2' })],
    ['a type error', new TypeError("Cannot read properties of undefined (reading 'hunter2')")],
    ['a string', 'hunter2'],
    ['undefined', undefined],
    ['a GraphQLError that a library threw', new GraphQLError('hunter2')],
    ['a GraphQLError with a code of its own', new GraphQLError('hunter2', { extensions: { code: 'HUNTER2', secret: 'hunter2' } })],
    ['an error that looks like ours', Object.assign(new Error('hunter2'), { fault: { code: 'FORBIDDEN' }, retryable: true })],
  ])('is masked: %s', (_name, thrown) => {
    const formatted = format(thrown);
    expect(formatted).toEqual(MASKED);
    expect(isMasked(formatted)).toBe(true);
  });

  it('is masked where it has neither place nor path', () => {
    expect(formatError({ message: 'hunter2' }, new Error('hunter2'))).toEqual({ message: MASKED.message, extensions: MASKED.extensions });
  });
});

/** A scalar that quotes what it refuses, as many do. */
const Colour = new GraphQLScalarType({
  name: 'Colour',
  parseValue: (value) => value,
  parseLiteral(node) {
    throw new GraphQLError(`Value is no colour: ${print(node)}`, { nodes: node });
  },
});

@Resolver()
class CustomScalarResolver {
  @Directive('@public')
  @Query(() => String, { nullable: true })
  since(@Arg('date', () => GraphQLISODateTime) date: Date): string {
    return date.toISOString();
  }

  @Directive('@public')
  @Query(() => String, { nullable: true })
  paint(@Arg('colour', () => Colour) _colour: string): null {
    return null;
  }
}

const SECRET = 'hunter2';
const login = (fields: string) => `mutation { login(input: { ${fields} }) { tokenType } }`;

describe('a value of the caller', () => {
  const engine = createGraphqlEngine({ resolvers: [new CustomScalarResolver()] });

  it.each([
    ['a number for a string', login(`identifier: "a", password: 12345678901`), '12345678901'],
    ['an enum for a string', login(`identifier: "a", password: ${SECRET}`)],
    ['a list for a string', login(`identifier: "a", password: ["${SECRET}"]`)],
    ['an object for a string', login(`identifier: "a", password: { value: "${SECRET}" }`)],
    ['a string for an input object', `mutation { login(input: "${SECRET}") { tokenType } }`],
    ['an enum for an input object', `mutation { login(input: ${SECRET}) { tokenType } }`],
    ['a string for a number', `{ users(first: "${SECRET}") { totalCount } }`],
    ['an enum for a number', `{ users(first: ${SECRET}) { totalCount } }`],
    ['a number that is too large', '{ users(first: 98765432109876) { totalCount } }', '98765432109876'],
    ['a string for an enum', login(`identifier: "a", password: "b", device: { platform: "${SECRET}" }`)],
    ['a name that is not of the enum', login(`identifier: "a", password: "b", device: { platform: ${SECRET} }`)],
    ['a number for an enum', login('identifier: "a", password: "b", device: { platform: 424242 }'), '424242'],
    ['a string for a boolean', `mutation { setUserDisabled(input: { userId: "1", disabled: "${SECRET}" }) { id } }`],
    ['an object for an id', `mutation { revokeSession(input: { sessionId: { id: "${SECRET}" } }) { session { id } } }`],
    ['a default value of a variable', `query ($first: Int = "${SECRET}") { users(first: $first) { totalCount } }`],
    ['a directive', `{ viewer @include(if: "${SECRET}") { id } }`],
    ['a string for a date', `{ since(date: "${SECRET}") }`],
    ['a number for a date', '{ since(date: 424242) }', '424242'],
    ['a string for a scalar that quotes it', `{ paint(colour: "${SECRET}") }`],
    ['an object for a scalar that quotes it', `{ paint(colour: { red: ["${SECRET}"] }) }`],
    ['a list for a date', `{ since(date: ["${SECRET}"]) }`],
  ])('is never echoed when a literal does not fit: %s', async (_name, document, value = SECRET) => {
    const { errors, data } = await engine.run(document, ada('users:read', 'users:write'));
    expect(data).toBeUndefined();
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error.extensions).toEqual({ code: 'GRAPHQL_VALIDATION_FAILED', retryable: false });
    expect(JSON.stringify(errors)).not.toContain(value);
  });

  it.each([
    ['a number', { identifier: 'a', password: 12345678901 }, '12345678901'],
    ['an object', { identifier: 'a', password: { value: SECRET } }],
    ['a list', { identifier: 'a', password: [SECRET] }],
    ['a field too many', { identifier: 'a', password: 'b', [SECRET]: SECRET }],
    ['a field too few', { password: SECRET }],
    ['a name that is not of the enum', { identifier: 'a', password: 'b', device: { platform: SECRET } }],
    ['a string in place of the object', SECRET],
    ['a prototype', JSON.parse(`{ "__proto__": { "a": "${SECRET}" }, "identifier": "a", "password": "b" }`)],
  ])('is never echoed when a variable does not fit: %s', async (_name, input: unknown, value = SECRET) => {
    const { errors, data } = await engine.run('mutation ($input: LoginInput!) { login(input: $input) { tokenType } }', ada(), { input });
    expect(data).toBeUndefined();
    expect(errors.length).toBeGreaterThan(0);
    for (const { message, extensions } of errors) {
      expect(message).toBe('A variable does not fit its type; "fields" says which.');
      expect(extensions).toEqual({
        code: 'BAD_USER_INPUT',
        fields: [{ path: '$input', rule: 'type', message: 'The variable must be a LoginInput! as the schema defines it.' }],
        retryable: false,
      });
    }
    expect(JSON.stringify(errors)).not.toContain(value);
  });

  it.each([
    ['a string that is not closed', `mutation { login(password: "${SECRET}) }`],
    ['a string in the wrong place', `mutation { login "${SECRET}" }`],
    ['a block string in the wrong place', `mutation { login """${SECRET}""" }`],
    ['a bare name in the wrong place', `mutation { login(password ${SECRET}) }`],
    ['a number with letters', `mutation { login(password: 1${SECRET}) }`],
    ['a single-quoted string', `mutation { login(password: '${SECRET}') }`],
    ['a wrong escape', `mutation { login(password: "\\u${SECRET}") }`],
    ['nothing but the value', SECRET],
    ['the value as an operation', `"${SECRET}" { viewer { id } }`],
  ])('is never echoed when the document cannot be parsed: %s', async (_name, document) => {
    const { errors } = await engine.run(document);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ message: /^Syntax Error: .+\.$/, extensions: { code: 'GRAPHQL_PARSE_FAILED', retryable: false } });
    expect(JSON.stringify(errors)).not.toMatch(/hunter|unter2/);
  });

  it('is never echoed when it was accepted by validation and fails as an argument', async () => {
    const document = 'mutation ($which: SessionSelection) { logout(input: { sessions: $which, refreshToken: "hunter2" }) { success } }';
    const { errors } = await engine.run(document, ada(), { which: null });
    expect(JSON.stringify(errors)).not.toContain(SECRET);
    expect(errors).toMatchObject([
      {
        message: 'An argument does not fit its type; "fields" says which.',
        extensions: { code: 'BAD_USER_INPUT', fields: [{ path: 'input', rule: 'type' }], retryable: false },
      },
    ]);
  });
});

describe('a fault in a document', () => {
  const engine = createGraphqlEngine();

  it.each([
    ['{ viewer { shoeSize } }', 'Cannot query field "shoeSize" on type "User".'],
    [login('identifier: "a"'), 'Field "LoginInput.password" of required type "String!" was not provided.'],
    [login('identifier: "a", password: "b", token: "c"'), 'Field "token" is not defined by type "LoginInput".'],
    ['{ users(first: "x") { totalCount } }', 'Int cannot represent this value.'],
    [login('identifier: "a", password: "b", device: { platform: NOKIA }'), 'This value does not exist in the enum "DevicePlatform".'],
    ['mutation { login(input: "x") { tokenType } }', 'Expected a value of type "LoginInput!".'],
  ])('is told by names and types: %s', async (document, message) => {
    const { errors } = await engine.run(document, ada('users:read'));
    expect(errors.map((error) => error.message)).toContain(message);
  });

  it('says nothing of the schema where introspection is off', async () => {
    const closed = createGraphqlEngine({ introspection: false });
    const { errors } = await closed.run('{ viewer { emial } }', ada());
    expect(errors).toHaveLength(1);
    expect(JSON.stringify(errors)).not.toContain('email');
    const introspected = await closed.run('{ __schema { types { name } } }');
    expect(introspected.data).toBeUndefined();
    expect(introspected.errors.map(({ message }) => message)).toEqual(['Introspection is off here.']);
  });
});
