import { buildSchema, getIntrospectionQuery, GraphQLError, parse, specifiedRules, validate, type GraphQLSchema } from 'graphql';
import { describe, expect, it } from 'vitest';

import { formatError } from '../../../src/graphql/error-formatter.js';
import { createLimitRules, CREDENTIAL_FIELD, oneCredentialField, parseOptions, validationOptions } from '../../../src/graphql/limits.js';
import { printCoreSchema } from '../../../src/graphql/print-schema.js';

const REFUSAL = 'An operation may hold one field that tries a credential.';

/** A schema in which `login` and `refresh` take credentials, and so do fields further down. */
function schema(): GraphQLSchema {
  const built = buildSchema(`
    type Query { ping: String node: Node any: Any viewer: Viewer }
    type Mutation { login(password: String): Viewer refresh: Viewer logout: String viewer: Viewer }
    type Subscription { login: String }
    interface Node { id: ID check(password: String): Boolean }
    type Viewer implements Node { id: ID check(password: String): Boolean self: Viewer }
    type Other { id: ID }
    union Any = Viewer | Other
  `);
  for (const [type, fields] of Object.entries({
    Mutation: ['login', 'refresh'],
    Subscription: ['login'],
    Viewer: ['check'],
    Node: ['check'],
  })) {
    const typeInSchema = built.getType(type) as { getFields(): Record<string, { extensions: object }> };
    for (const field of fields) typeInSchema.getFields()[field]!.extensions = CREDENTIAL_FIELD;
  }
  return built;
}

const SCHEMA = schema();

const refusalsOf = (document: string) => validate(SCHEMA, parse(document), [oneCredentialField]).map(({ message }) => message);

describe('one credential field an operation', () => {
  it.each([
    ['two aliases', 'mutation { a: login { id } b: login { id } }'],
    ['a field twice', 'mutation { login { id } login { id } }'],
    ['two different fields', 'mutation { login { id } refresh { id } }'],
    ['a field and a fragment', 'mutation { login { id } ...F } fragment F on Mutation { refresh { id } }'],
    ['one fragment spread twice', 'mutation { ...F ...F } fragment F on Mutation { login { id } }'],
    [
      'a fragment in a fragment',
      'mutation { login { id } ...A } fragment A on Mutation { ...B } fragment B on Mutation { x: login { id } }',
    ],
    ['nested inline fragments', 'mutation { login { id } ... { ... on Mutation { ... { x: login { id } } } } }'],
    ['a fragment named __schema', 'mutation { a: login { id } ...__schema } fragment __schema on Mutation { b: login { id } }'],
    ['a fragment named __type', 'mutation { a: login { id } ...__type } fragment __type on Mutation { b: login { id } }'],
    ['an alias named __typename', 'mutation { __typename: login { id } __schema: login { id } }'],
    ['@skip that would leave one', 'mutation { a: login { id } b: login @skip(if: true) { id } }'],
    ['one further down', 'mutation { login { check(password: "a") } }'],
    ['two further down', 'query { viewer { a: check(password: "a") self { b: check(password: "b") } } }'],
    ['two through an interface', 'query { node { a: check(password: "a") ... on Viewer { b: check(password: "b") } } }'],
    [
      'two through a union',
      'query { any { ... on Viewer { a: check(password: "a") } ...F } } fragment F on Viewer { b: check(password: "b") }',
    ],
    ['a subscription', 'subscription { a: login b: login }'],
    ['a circular fragment', 'mutation { ...A } fragment A on Mutation { login { id } x: login { id } ...A }'],
    ['circular fragments', 'mutation { ...A } fragment A on Mutation { login { id } ...B } fragment B on Mutation { refresh { id } ...A }'],
    ['the second of two operations', 'mutation A { login { id } } mutation B { a: login { id } b: login { id } }'],
  ])('refuses %s', (_name, document) => {
    expect(refusalsOf(document)).toEqual([REFUSAL]);
  });

  it.each([
    ['one', 'mutation { login { id } }'],
    ['one beside others', 'mutation { login { id self { id } } logout viewer { id } }'],
    ['one in a fragment', 'mutation { ...F } fragment F on Mutation { login { id } }'],
    ['one in each of two operations, of which one runs', 'mutation A { login { id } } mutation B { refresh { id } }'],
    ['a fragment that nobody spreads', 'mutation { login { id } } fragment F on Mutation { x: login { id } }'],
    ['none', 'query { ping }'],
    ['fields of that name on another type', 'mutation { login { id } } query Q { login: ping }'],
    ['a circular fragment without any', 'query { ...A } fragment A on Query { ping ...A }'],
    ['what does not exist', 'mutation { nothing { a } ...Nowhere ... on Nothing { login } }'],
    ['a selection of what has none', 'mutation { logout { login } }'],
    ['a root that does not exist', 'subscription { login }'],
  ])('lets %s pass', (_name, document) => {
    expect(refusalsOf(document)).toEqual([]);
  });

  it('has nothing to say where the schema has no such root', () => {
    const withoutMutation = buildSchema('type Query { ping: String }');
    expect(validate(withoutMutation, parse('mutation { a b }'), [oneCredentialField])).toEqual([]);
  });

  it.each([
    ['a bomb of fragments that holds none', 'logout', []],
    ['a bomb of fragments that holds one', 'login { id }', [REFUSAL]],
  ])('does not count out %s', (_name, innermost, refusals) => {
    // 2^60 fields when written out.
    const levels = Array.from({ length: 60 }, (_, i) => `fragment F${i} on Mutation { ...F${i + 1} ...F${i + 1} }`);
    expect(refusalsOf(`mutation { ...F0 } ${levels.join(' ')} fragment F60 on Mutation { ${innermost} }`)).toEqual(refusals);
  });
});

describe('the limits of a document', () => {
  const rules = [...specifiedRules, ...createLimitRules()];
  const check = (document: string, of = SCHEMA): readonly GraphQLError[] => {
    try {
      return validate(of, parse(document, parseOptions), rules, validationOptions);
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  };
  const deep = (depth: number) => `{ viewer ${'{ self '.repeat(depth - 2)} { id } ${'}'.repeat(depth - 2)} }`;
  const bomb = (levels: number) =>
    `{ viewer { ...F0 } } ${Array.from({ length: levels }, (_, i) => `fragment F${i} on Viewer { ...F${i + 1} ...F${i + 1} }`).join(' ')}
     fragment F${levels} on Viewer { id }`;

  it.each([
    ['of depth 11', deep(12)],
    ['of depth 100', deep(100)],
    ['of depth 11 in a fragment named __schema', `{ ...__schema } fragment __schema on Query ${deep(12)}`],
    ['with 11 aliases', `{ ${Array.from({ length: 11 }, (_, i) => `a${i}: ping`).join(' ')} }`],
    [
      'with 11 aliases in a fragment named __type',
      `{ ...__type } fragment __type on Query { ${Array.from({ length: 11 }, (_, i) => `a${i}: ping`).join(' ')} }`,
    ],
    ['with 6 directives', `{ ping ${'@include(if: true) '.repeat(6)} }`],
    ['with 1001 tokens', `{ ${'ping '.repeat(1000)} }`],
    ['with circular fragments', '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'],
    ['with a fragment that holds itself', '{ ...A } fragment A on Query { ping ...A }'],
    ['with a fragment bomb of 30 levels', bomb(30)],
    ['with a fragment bomb of 60 levels', bomb(60)],
  ])('refuse one %s', (_name, document) => {
    expect(check(document).length).toBeGreaterThan(0);
  });

  it.each([
    ['of depth 8', deep(8)],
    ['with 10 aliases', `{ ${Array.from({ length: 10 }, (_, i) => `a${i}: ping`).join(' ')} }`],
    [
      'that is the introspection query of GraphiQL',
      getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, inputValueDeprecation: true }),
    ],
  ])('accept one %s', (_name, document) => {
    expect(check(document).map(({ message }) => message)).toEqual([]);
  });

  it.each([
    ['tokens', `{ ${'ping '.repeat(1000)} }`, 'GRAPHQL_PARSE_FAILED', 'The document has more tokens than are allowed.'],
    ['depth', deep(12), 'GRAPHQL_VALIDATION_FAILED', 'The document is nested more deeply than is allowed.'],
    [
      'aliases',
      `{ ${Array.from({ length: 11 }, (_, i) => `a${i}: ping`).join(' ')} }`,
      'GRAPHQL_VALIDATION_FAILED',
      'The document has more aliases than are allowed.',
    ],
    [
      'directives',
      `{ ${'ping @include(if: true) @skip(if: false) '.repeat(3)} }`,
      'GRAPHQL_VALIDATION_FAILED',
      'The document has more directives than are allowed.',
    ],
  ])('on %s say which they are, and no number', (_limit, document, code, message) => {
    const [error, ...others] = check(document);
    expect(formatError({ ...error!.toJSON(), extensions: { code } }, error).message).toBe(message);
    expect(others).toEqual([]);
  });

  describe('accept a whole page of a hundred', () => {
    const core = buildSchema(printCoreSchema());
    const session = 'id createdAt lastSeenAt expiresAt current ipAddress userAgent device { name platform }';
    const user = `id email username roles disabled createdAt sessions { ${session} }`;
    const event = 'id occurredAt type userId sessionId actorId ipAddress userAgent reason';
    const info = 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';

    it.each([
      ['auditEvents', `auditEvents(first: N) { edges { cursor node { ${event} } } ${info} }`],
      ['users', `users(first: N) { totalCount edges { cursor node { ${user} } } ${info} }`],
    ])('%s, its size written out or in a variable', (_field, selection) => {
      for (const document of [`{ ${selection.replace('N', '100')} }`, `query ($n: Int) { ${selection.replace('N', '$n')} }`]) {
        expect(check(document, core)).toEqual([]);
      }
    });
  });

  it('end validation after three faults', () => {
    expect(check(`{ ${Array.from({ length: 50 }, (_, i) => `nothing${i}`).join(' ')} }`).length).toBeLessThanOrEqual(4);
  });
});
