import { describe, expect, it } from 'vitest';

import { buildSchema } from 'graphql';

import { checkSchema, SchemaError } from '../../../../src/graphql/directives/check-schema.js';
import { schemaOf } from './guarded-schema.js';

const SCOPES = new Set(['a', 'b', 'users:read']);

/** What is wrong with a schema whose SDL graphql itself would accept unseen, as it does that of decorators. */
function faultsOf(sdl: string, grantable: ReadonlySet<string> = SCOPES): readonly string[] {
  const schema = schemaOf(sdl);
  try {
    checkSchema(schema, grantable);
    return [];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return error.faults;
  }
}

/** As `faultsOf`, without the rules of SDL that a schema made of decorators never meets. */
function faultsOfUnchecked(sdl: string): readonly string[] {
  const definitions = `
    directive @public on FIELD_DEFINITION
    directive @authenticated on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
    directive @requiresScopes(scopes: [[String!]!]!) on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
    directive @cost(value: Int) on FIELD_DEFINITION
  `;
  const schema = buildSchema(definitions + sdl, { assumeValid: true, assumeValidSDL: true });
  try {
    checkSchema(schema, SCOPES);
    return [];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return error.faults;
  }
}

const OK = 'type Query { ping: String @public }';

describe('a schema whose root fields are undecided', () => {
  it.each([
    ['Query', 'type Query { users: String }', 'Query.users'],
    ['Mutation', `${OK} type Mutation { login: String }`, 'Mutation.login'],
    ['Subscription', `${OK} type Subscription { ticks: Int }`, 'Subscription.ticks'],
    ['a root type of another name', 'schema { query: Root } type Root { users: String }', 'Root.users'],
    ['an extension', `${OK} extend type Query { users: String }`, 'Query.users'],
    ['the type of a root, which decides nothing for its fields', 'type Query @authenticated { users: String }', 'Query.users'],
    ['deprecation, which says nothing of who may use it', 'type Query { users: String @deprecated }', 'Query.users'],
  ])('is refused: %s', (_name, sdl, place) => {
    expect(faultsOf(sdl)).toEqual([`${place}: say who may use it: @public, @authenticated or @requiresScopes`]);
  });

  it.each([
    ['@authenticated', 'type Query { users: String @public @authenticated }'],
    ['@requiresScopes', 'type Query { users: String @requiresScopes(scopes: [["a"]]) @public }'],
  ])('is refused where @public stands beside %s', (_name, sdl) => {
    expect(faultsOf(sdl)).toEqual(['Query.users: @public and another directive contradict each other']);
  });
});

describe('a directive that is not what it seems', () => {
  it.each([
    ['a field', 'type Query { users: String @auhtenticated }', 'Query.users: @auhtenticated is not a directive of this schema'],
    ['a nested field', `${OK} type T { users: String @authenticate }`, 'T.users: @authenticate is not a directive of this schema'],
    ['letter case', 'type Query { users: String @Public }', 'Query.users: @Public is not a directive of this schema'],
    ['an object type', `${OK} type T @auth { id: ID }`, 'T: @auth is not a directive of this schema'],
    ['an extension of a type', `${OK} type T { id: ID } extend type T @auth`, 'T: @auth is not a directive of this schema'],
    ['an argument', 'type Query { users(all: Int @auth): String @public }', 'Query.users(all:): @auth is not a directive of this schema'],
    ['an input type', `${OK} input In @auth { a: Int }`, 'In: @auth is not a directive of this schema'],
    ['an input field', `${OK} input In { a: Int @auth }`, 'In.a: @auth is not a directive of this schema'],
    ['an interface', `${OK} interface I @auth { id: ID }`, 'I: @auth is not a directive of this schema'],
    ['an argument of an interface', `${OK} interface I { id(a: Int @auth): ID }`, 'I.id(a:): @auth is not a directive of this schema'],
    ['a union', `${OK} type T { id: ID } union U @auth = T`, 'U: @auth is not a directive of this schema'],
    ['an enum', `${OK} enum E @auth { A }`, 'E: @auth is not a directive of this schema'],
    ['a value of an enum', `${OK} enum E { A @auth }`, 'E.A: @auth is not a directive of this schema'],
    ['a scalar', `${OK} scalar S @auth`, 'S: @auth is not a directive of this schema'],
    ['the schema', `schema @auth { query: Query } ${OK}`, 'schema: @auth is not a directive of this schema'],
  ])('is refused where it is misspelt: %s', (_name, sdl, fault) => {
    expect(faultsOfUnchecked(sdl)).toEqual([fault]);
  });

  it.each([
    ['@public on a type', `${OK} type T @public { id: ID }`, 'T: @public does not belong on OBJECT'],
    [
      '@public on an argument',
      'type Query { ping(a: Int @public): String @public }',
      'Query.ping(a:): @public does not belong on ARGUMENT_DEFINITION',
    ],
    ['@authenticated on an interface', `${OK} interface I @authenticated { id: ID }`, 'I: @authenticated does not belong on INTERFACE'],
    ['@authenticated on a union', `${OK} type T { id: ID } union U @authenticated = T`, 'U: @authenticated does not belong on UNION'],
    ['@authenticated on an input type', `${OK} input In @authenticated { a: Int }`, 'In: @authenticated does not belong on INPUT_OBJECT'],
    ['@authenticated on an enum', `${OK} enum E @authenticated { A }`, 'E: @authenticated does not belong on ENUM'],
    ['@authenticated on a value of an enum', `${OK} enum E { A @authenticated }`, 'E.A: @authenticated does not belong on ENUM_VALUE'],
    ['@authenticated on a scalar', `${OK} scalar S @authenticated`, 'S: @authenticated does not belong on SCALAR'],
    ['@authenticated on the schema', `schema @authenticated { query: Query } ${OK}`, 'schema: @authenticated does not belong on SCHEMA'],
    [
      'a directive of somebody else',
      'type Query { ping(a: Int @cost(value: 1)): String @public }',
      'Query.ping(a:): @cost does not belong on ARGUMENT_DEFINITION',
    ],
  ])('is refused where it does nothing: %s', (_name, sdl, fault) => {
    expect(faultsOfUnchecked(sdl)).toEqual([fault]);
  });

  it.each([
    ['no scopes', '@requiresScopes'],
    ['another argument in their place', '@requiresScopes(scope: [["a"]])'],
    ['numbers', '@requiresScopes(scopes: [[1]])'],
    ['null', '@requiresScopes(scopes: null)'],
    ['null in a list', '@requiresScopes(scopes: [["a"], null])'],
    ['an enum', '@requiresScopes(scopes: [[A]])'],
    ['an argument too many', '@requiresScopes(scopes: [["a"]], role: "admin")'],
    ['scopes for who needs none', '@authenticated(scopes: [["a"]])'],
    ['a role for who needs none', '@authenticated(requires: ADMIN)'],
    ['scopes for the public', '@public(scopes: [["a"]])'],
  ])('is refused where it is malformed: %s', (_name, applied) => {
    const name = /^@\w+/.exec(applied)![0];
    const faults = faultsOfUnchecked(`type Query { users: String ${applied} }`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^Query\\.users: ${name} is malformed: .+`));
  });

  it('is none of our business where it is defined and stands in its place', () => {
    expect(faultsOfUnchecked('type Query { users: String @public @cost(value: 1) @deprecated(reason: "old") }')).toEqual([]);
  });
});

describe('a scope that no role grants', () => {
  it.each([
    ['a field', 'type Query { users: String @requiresScopes(scopes: [["user:read"]]) }', 'Query.users'],
    ['one inner list of several', 'type Query { users: String @requiresScopes(scopes: [["a"], ["b", "user:read"]]) }', 'Query.users'],
    ['a nested field', `${OK} type T { id: ID @requiresScopes(scopes: [["user:read"]]) }`, 'T.id'],
    ['a type', `${OK} type T @requiresScopes(scopes: [["user:read"]]) { id: ID }`, 'T'],
    ['an argument', 'type Query { users(all: Int @requiresScopes(scopes: [["user:read"]])): String @public }', 'Query.users(all:)'],
    ['an input field', `${OK} input In { all: Int @requiresScopes(scopes: [["user:read"]]) }`, 'In.all'],
  ])('is refused on %s', (_name, sdl, place) => {
    expect(faultsOf(sdl)).toEqual([`${place}: no role grants the scope "user:read"`]);
  });

  it('is told of once for each', () => {
    const sdl = 'type Query { users: String @requiresScopes(scopes: [["x", "a"], ["y"]]) }';
    expect(faultsOf(sdl)).toEqual(['Query.users: no role grants the scope "x"', 'Query.users: no role grants the scope "y"']);
  });

  it('is every scope where no role grants any', () => {
    expect(faultsOf('type Query { users: String @requiresScopes(scopes: [["a"]]) }', new Set())).toHaveLength(1);
  });
});

describe('a guarded input with a default value', () => {
  it.each([
    ['an argument', 'type Query { users(all: Boolean = false @authenticated): String @public }', 'Query.users(all:)'],
    ['an argument with the default null', 'type Query { users(all: Boolean = null @authenticated): String @public }', 'Query.users(all:)'],
    ['an argument of a nested field', `${OK} type T { id(all: Int = 1 @requiresScopes(scopes: [["a"]])): ID }`, 'T.id(all:)'],
    ['an input field', `${OK} input In { all: Boolean = false @authenticated }`, 'In.all'],
  ])('is refused: %s', (_name, sdl, place) => {
    expect(faultsOf(sdl)).toEqual([`${place}: a guarded input cannot have a default value`]);
  });

  it.each([
    ['the default is on another argument', 'type Query { users(first: Int = 1, all: Int @authenticated): String @public }'],
    ['the default is on another input field', `${OK} input In { first: Int = 1, all: Int @authenticated }`],
  ])('is none where %s', (_name, sdl) => {
    expect(faultsOf(sdl)).toEqual([]);
  });
});

describe('an interface whose implementations are not guarded alike', () => {
  const withInterface = (promised: string, ...given: string[]) =>
    `${OK} interface I { secret: String ${promised} } ${given.map((types, i) => types.replace('T', `T${i}`)).join(' ')}`;

  it.each([
    [
      'one is open',
      withInterface('@authenticated', 'type T implements I { secret: String @authenticated }', 'type T implements I { secret: String }'),
      ['T1.secret: I.secret is guarded by @authenticated, and this is not'],
    ],
    [
      'all are open',
      withInterface('@requiresScopes(scopes: [["a"]])', 'type T implements I { secret: String }', 'type T implements I { secret: String }'),
      [
        'T0.secret: I.secret is guarded by @requiresScopes(scopes: [["a"]]), and this is not',
        'T1.secret: I.secret is guarded by @requiresScopes(scopes: [["a"]]), and this is not',
      ],
    ],
    [
      'another scope guards it',
      withInterface('@requiresScopes(scopes: [["a"]])', 'type T implements I { secret: String @requiresScopes(scopes: [["b"]]) }'),
      ['T0.secret: I.secret is guarded by @requiresScopes(scopes: [["a"]]), and this is not'],
    ],
    [
      'it needs authentication where scopes were promised',
      withInterface('@requiresScopes(scopes: [["a"]])', 'type T implements I { secret: String @authenticated }'),
      ['T0.secret: I.secret is guarded by @requiresScopes(scopes: [["a"]]), and this is not'],
    ],
    [
      'one of two requirements is missing',
      withInterface('@authenticated @requiresScopes(scopes: [["a"]])', 'type T implements I { secret: String @authenticated }'),
      ['T0.secret: I.secret is guarded by @requiresScopes(scopes: [["a"]]), and this is not'],
    ],
    [
      'an implementation of an interface that implements it is open',
      `${OK} interface I { secret: String @authenticated } interface J implements I { secret: String @authenticated }
       type T implements I & J { secret: String }`,
      [
        'T.secret: I.secret is guarded by @authenticated, and this is not',
        'T.secret: J.secret is guarded by @authenticated, and this is not',
      ],
    ],
    [
      'an argument is open',
      `${OK} interface I { list(all: Int @authenticated): String } type T implements I { list(all: Int): String }`,
      ['T.list(all:): I.list(all:) is guarded by @authenticated, and this is not'],
    ],
  ])('is refused: %s', (_name, sdl, faults) => {
    expect(faultsOf(sdl)).toEqual(faults);
  });

  it.each([
    ['each field carries the same', withInterface('@authenticated', 'type T implements I { secret: String @authenticated }')],
    ['the whole type carries it', withInterface('@authenticated', 'type T implements I @authenticated { secret: String }')],
    [
      'a field carries more',
      withInterface('@authenticated', 'type T implements I { secret: String @authenticated @requiresScopes(scopes: [["a"]]) }'),
    ],
    [
      'nothing is promised',
      withInterface('', 'type T implements I { secret: String @authenticated }', 'type T implements I { secret: String }'),
    ],
    ['the promise is @public', withInterface('@public', 'type T implements I { secret: String }')],
    [
      'its argument is guarded alike',
      `${OK} interface I { l(all: Int @authenticated): ID } type T implements I { l(all: Int @authenticated, x: Int): ID }`,
    ],
  ])('is accepted where %s', (_name, sdl) => {
    expect(faultsOf(sdl)).toEqual([]);
  });

  it('leaves it to graphql to miss a field or an argument that was promised', () => {
    const sdl = `${OK} interface I { secret: String @authenticated list(all: Int @authenticated): String }
      type T implements I { list: String }`;
    expect(faultsOfUnchecked(sdl)).toEqual([]);
  });
});

describe('the faults of a schema', () => {
  const sdl = `
    type Query { a: String  b: String @public @authenticated  c(all: Int = 1 @authenticated): String @requiresScopes(scopes: [["nobody"]]) }
    type Mutation { d: String }
    interface I { id: ID @authenticated }
    type T implements I { id: ID }
  `;

  it('are told all at once, each with its place', () => {
    expect(faultsOf(sdl)).toEqual([
      'Query.a: say who may use it: @public, @authenticated or @requiresScopes',
      'Query.b: @public and another directive contradict each other',
      'Mutation.d: say who may use it: @public, @authenticated or @requiresScopes',
      'Query.c: no role grants the scope "nobody"',
      'Query.c(all:): a guarded input cannot have a default value',
      'T.id: I.id is guarded by @authenticated, and this is not',
    ]);
  });

  it('stand in the message, so that whoever starts the server sees them', () => {
    expect(() => checkSchema(schemaOf(sdl), SCOPES)).toThrow(
      /^The schema does not say safely who may use it:\n {2}Query\.a: say who[^]*\n {2}T\.id: /,
    );
  });

  it('are those of spelling first: what a broken directive asks for cannot be told', () => {
    expect(faultsOfUnchecked('type Query { a: String  b: String @auth  c: String @requiresScopes }')).toEqual([
      'Query.b: @auth is not a directive of this schema',
      expect.stringMatching(/^Query\.c: @requiresScopes is malformed: /),
    ]);
  });

  it('are none where every root field is decided and every directive is sound', () => {
    const sound = `
      type Query { open: String @public  mine: T @authenticated  all(first: Int = 50, any: Int @authenticated): [T] @requiresScopes(scopes: [["a", "b"], []]) }
      type Mutation { login(input: In): String @public }
      type Subscription { ticks: Int @authenticated }
      type T @authenticated { id: ID  secret: String @requiresScopes(scopes: []) }
      input In { a: Int = 1, b: Int @requiresScopes(scopes: [["users:read"]]) }
      enum E { A @deprecated } scalar S @specifiedBy(url: "https://example.com")
    `;
    expect(faultsOf(sound)).toEqual([]);
  });
});
