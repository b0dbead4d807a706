import { execute, parse, subscribe, validate, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { describe, expect, it, vi } from 'vitest';

import type { Principal } from '../../../../src/authorization/principal.js';
import { AuthError } from '../../../../src/errors.js';
import { enforceDirectives } from '../../../../src/graphql/directives/enforce.js';
import { resolveTypeOf, schemaOf, type FieldResolver, type TestContext } from './guarded-schema.js';

const ANYONE: Principal = { kind: 'anonymous' };

function holding(...scopes: string[]): Principal {
  return { kind: 'authenticated', subject: 'user', sessionId: 'session', scopes: new Set(scopes), authTime: 0 };
}

const refusals: [string, Principal, string][] = [
  ['nobody', ANYONE, 'UNAUTHENTICATED TOKEN_MISSING'],
  ['an expired token', { kind: 'rejected', reason: 'TOKEN_EXPIRED' }, 'UNAUTHENTICATED TOKEN_EXPIRED'],
  ['a token that cannot be judged', { kind: 'undecided' }, 'SERVICE_UNAVAILABLE'],
];

interface Outcome {
  data: unknown;
  /** Code and reason of each error, with its path. */
  refused: string[];
}

async function run(
  schema: GraphQLSchema,
  document: string,
  principal: Principal,
  variableValues: Record<string, unknown> = {},
): Promise<Outcome> {
  const parsed = parse(document);
  expect(validate(schema, parsed)).toEqual([]);
  const contextValue: TestContext = { principal };
  return outcomeOf(await execute({ schema, document: parsed, contextValue, variableValues }));
}

function outcomeOf({ data, errors = [] }: ExecutionResult): Outcome {
  const refused = errors.map(({ originalError, path = [], message }) => {
    if (!(originalError instanceof AuthError)) return `${path.join('.')}: ${message}`;
    const { fault } = originalError;
    return `${path.join('.')}: ${fault.code}${'reason' in fault ? ` ${fault.reason}` : ''}`;
  });
  return { data: JSON.parse(JSON.stringify(data ?? null)), refused };
}

/** A resolver that says whether it ran. */
function spy(value: unknown) {
  return vi.fn<FieldResolver>(() => value);
}

describe('a directive on a field', () => {
  const sdl = `
    type Query {
      open: String @public
      mine: String @authenticated
      all: String @requiresScopes(scopes: [["users:read"]])
      either: String @requiresScopes(scopes: [["a", "b"], ["c"]])
      none: String @requiresScopes(scopes: [])
      empty: String @requiresScopes(scopes: [[]])
      both: String @authenticated @requiresScopes(scopes: [["a"]])
      nested: Inner
    }
    type Inner { secret: String @authenticated open: String inner: Inner list: [Inner!] }
  `;

  it.each(refusals)('refuses %s, and its resolver never runs', async (_name, principal, refusal) => {
    for (const field of ['mine', 'all', 'either', 'none', 'empty', 'both']) {
      const resolver = spy('secret');
      const schema = enforceDirectives(schemaOf(sdl, { resolve: { [`Query.${field}`]: resolver } }));
      expect(await run(schema, `{ ${field} }`, principal)).toEqual({ data: { [field]: null }, refused: [`${field}: ${refusal}`] });
      expect(resolver).not.toHaveBeenCalled();
    }
  });

  it.each([
    ['all', ['users:write']],
    ['either', ['a']],
    ['either', ['b']],
    ['both', ['b']],
    ['none', ['a', 'b', 'c', 'users:read', 'users:write']],
  ])('refuses %s to the scopes %j with FORBIDDEN', async (field, scopes) => {
    const resolver = spy('secret');
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { [`Query.${field}`]: resolver } }));
    const { refused } = await run(schema, `{ ${field} }`, holding(...scopes));
    expect(refused).toEqual([`${field}: FORBIDDEN INSUFFICIENT_SCOPE`]);
    expect(resolver).not.toHaveBeenCalled();
  });

  it.each([
    ['mine', []],
    ['all', ['users:read']],
    ['either', ['a', 'b']],
    ['either', ['c']],
    ['empty', []],
    ['both', ['a']],
  ])('gives %s to the scopes %j', async (field, scopes) => {
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { [`Query.${field}`]: spy('secret') } }));
    expect(await run(schema, `{ ${field} }`, holding(...scopes))).toEqual({ data: { [field]: 'secret' }, refused: [] });
  });

  it.each([...refusals.map(([, principal]) => principal), holding()])('that is @public lets %j through', async (principal) => {
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.open': spy('open') } }));
    expect(await run(schema, '{ open }', principal)).toEqual({ data: { open: 'open' }, refused: [] });
  });

  it.each([
    ['an alias', '{ nested { open: secret } }', 'nested.open'],
    ['the alias __typename', '{ nested { __typename: secret } }', 'nested.__typename'],
    ['a fragment', '{ nested { ...F } } fragment F on Inner { secret }', 'nested.secret'],
    ['fragments inside fragments', '{ ...A } fragment A on Query { nested { ...B } } fragment B on Inner { secret }', 'nested.secret'],
    ['an inline fragment', '{ nested { ... on Inner { ... { secret } } } }', 'nested.secret'],
    ['a fragment named __schema', '{ nested { ...__schema } } fragment __schema on Inner { secret }', 'nested.secret'],
    ['deep nesting', '{ nested { inner { inner { secret } } } }', 'nested.inner.inner.secret'],
    ['a list', '{ nested { list { secret } } }', 'nested.list.0.secret'],
    ['@include and @skip', '{ nested { secret @include(if: true) @skip(if: false) } }', 'nested.secret'],
    ['a document of several operations', 'query A { nested { secret } }', 'nested.secret'],
  ])('holds through %s', async (_name, document, path) => {
    const resolver = spy('secret');
    const inner: Record<string, unknown> = { open: 'open' };
    inner['inner'] = inner;
    inner['list'] = [inner];
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.nested': () => inner, 'Inner.secret': resolver } }));
    expect((await run(schema, document, ANYONE)).refused).toEqual([`${path}: UNAUTHENTICATED TOKEN_MISSING`]);
    expect(resolver).not.toHaveBeenCalled();
    expect((await run(schema, document, holding())).refused).toEqual([]);
    expect(resolver).toHaveBeenCalled();
  });

  it('holds where the value is a property, without a resolver', async () => {
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.nested': () => ({ secret: 'secret' }) } }));
    expect((await run(schema, '{ nested { secret } }', ANYONE)).data).toEqual({ nested: { secret: null } });
    expect((await run(schema, '{ nested { secret } }', holding())).data).toEqual({ nested: { secret: 'secret' } });
  });

  it('leaves the other fields of a refused request alone', async () => {
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.open': spy('open'), 'Query.mine': spy('secret') } }));
    expect(await run(schema, '{ open mine }', ANYONE)).toEqual({
      data: { open: 'open', mine: null },
      refused: ['mine: UNAUTHENTICATED TOKEN_MISSING'],
    });
  });

  it('holds for the principal that the request has when the field is resolved', async () => {
    const context: TestContext = { principal: ANYONE };
    const schema = enforceDirectives(
      schemaOf(
        'type Query { ping: String @public } type Mutation { login: Payload @public } type Payload { secret: String @authenticated }',
        {
          resolve: {
            'Mutation.login': () => {
              context.principal = holding();
              return { secret: 'secret' };
            },
          },
        },
      ),
    );
    const document = parse('mutation { login { secret } }');
    expect(outcomeOf(await execute({ schema, document, contextValue: context })).data).toEqual({ login: { secret: 'secret' } });
  });

  it('counts when it stands on an extension of the type', async () => {
    const schema = enforceDirectives(schemaOf('type Query { ping: String @public } extend type Query { mine: String @authenticated }'));
    expect((await run(schema, '{ mine }', ANYONE)).refused).toEqual(['mine: UNAUTHENTICATED TOKEN_MISSING']);
  });
});

describe('a directive on an object type', () => {
  const sdl = `
    type Query {
      secret: Secret @public
      list: [Secret] @public
      matrix: [[Secret!]!]! @public
      node: Node @public
      nodes: [Node] @public
      any: Any @public
      open: Open @public
    }
    interface Node { id: ID }
    interface Named implements Node { id: ID name: String }
    union Any = Secret | Open
    type Open implements Node { id: ID secret: Secret }
    type Secret implements Node & Named @requiresScopes(scopes: [["secrets"]]) { id: ID name: String }
  `;
  const value = { __typename: 'Secret', id: '1', name: 'name' };

  const paths: [string, string, Record<string, unknown>][] = [
    ['a field', '{ secret { id } }', { 'Query.secret': value }],
    ['a field of which only __typename is asked', '{ secret { __typename } }', { 'Query.secret': value }],
    ['a list', '{ list { id } }', { 'Query.list': [value] }],
    ['an empty list', '{ list { id } }', { 'Query.list': [] }],
    ['a list of lists', '{ matrix { id } }', { 'Query.matrix': [[value]] }],
    ['another type', '{ open { secret { name } } }', { 'Query.open': { __typename: 'Open', secret: value } }],
    ['an interface', '{ node { id } }', { 'Query.node': value }],
    ['an interface of which only __typename is asked', '{ node { __typename } }', { 'Query.node': value }],
    ['a fragment on the interface', '{ node { ... on Secret { name } } }', { 'Query.node': value }],
    ['an interface that implements the interface', '{ node { ... on Named { name } } }', { 'Query.node': value }],
    [
      'a list of an interface',
      '{ nodes { ...F } } fragment F on Node { id }',
      { 'Query.nodes': [{ ...value, __typename: 'Open' }, value] },
    ],
    ['a union', '{ any { ... on Secret { name } } }', { 'Query.any': value }],
    ['a union of which only __typename is asked', '{ any { __typename } }', { 'Query.any': value }],
    ['a union through the interface of its members', '{ any { ... on Node { id } } }', { 'Query.any': value }],
    ['an alias', '{ open: secret { open: name } }', { 'Query.secret': value }],
  ];

  it.each(paths)('holds through %s', async (_name, document, values) => {
    const resolve = Object.fromEntries(Object.entries(values).map(([place, result]) => [place, spy(result)]));
    const ofSecret = { 'Secret.id': spy('1'), 'Secret.name': spy('name') };
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { ...resolve, ...ofSecret } }));
    for (const [principal, refusal] of [
      [ANYONE, /UNAUTHENTICATED TOKEN_MISSING$/],
      [holding('other'), /FORBIDDEN INSUFFICIENT_SCOPE$/],
    ] as const) {
      const { refused, data } = await run(schema, document, principal);
      expect(refused).toHaveLength(1);
      expect(refused[0]).toMatch(refusal);
      expect(JSON.stringify(data)).not.toMatch(/name"|Secret/);
    }
    for (const resolver of Object.values(ofSecret)) expect(resolver).not.toHaveBeenCalled();
    expect((await run(schema, document, holding('secrets'))).refused).toEqual([]);
  });

  it('keeps the field that would give it from running', async () => {
    const resolver = spy(value);
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.secret': resolver } }));
    await run(schema, '{ secret { id } }', ANYONE);
    expect(resolver).not.toHaveBeenCalled();
  });

  it('holds where the application tells the type by a function of its own', async () => {
    for (const [typeName, field] of [
      ['Node', 'node'],
      ['Any', 'any'],
    ] as const) {
      const schema = schemaOf(sdl, { resolve: { [`Query.${field}`]: () => ({}) } });
      resolveTypeOf(schema, typeName, () => 'Secret');
      enforceDirectives(schema);
      expect((await run(schema, `{ ${field} { __typename } }`, ANYONE)).refused).toEqual([`${field}: UNAUTHENTICATED TOKEN_MISSING`]);
      expect((await run(schema, `{ ${field} { __typename } }`, holding('secrets'))).data).toEqual({ [field]: { __typename: 'Secret' } });
    }
  });

  it('does not keep an interface or a union from the types that ask for nothing', async () => {
    const open = { __typename: 'Open', id: '1' };
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.node': () => open, 'Query.any': () => open } }));
    expect((await run(schema, '{ node { id } any { ... on Open { id } } }', ANYONE)).refused).toEqual([]);
  });

  it('leaves an interface that cannot tell its type to fail by itself', async () => {
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.node': () => ({}) } }));
    const { data, refused } = await run(schema, '{ node { id } }', holding('secrets'));
    expect(data).toEqual({ node: null });
    expect(refused[0]).toMatch(/must resolve to an Object type/);
  });

  it('adds to what its fields ask for', async () => {
    const schema = enforceDirectives(
      schemaOf(
        `type Query { secret: Secret @authenticated }
         type Secret @requiresScopes(scopes: [["a"]]) { deeper: String @requiresScopes(scopes: [["b"]]) id: ID }`,
        { resolve: { 'Query.secret': () => ({ deeper: 'deeper', id: '1' }) } },
      ),
    );
    expect((await run(schema, '{ secret { id } }', holding('b'))).data).toEqual({ secret: null });
    expect((await run(schema, '{ secret { id deeper } }', holding('a'))).data).toEqual({ secret: { id: '1', deeper: null } });
    expect((await run(schema, '{ secret { id deeper } }', holding('a', 'b'))).data).toEqual({ secret: { id: '1', deeper: 'deeper' } });
  });
});

describe('a directive on an argument', () => {
  const sdl = `
    type Query {
      find(name: String, all: Boolean @requiresScopes(scopes: [["users:read"]])): String @public
    }
  `;
  const guarded = (resolver: FieldResolver) => enforceDirectives(schemaOf(sdl, { resolve: { 'Query.find': resolver } }));

  it.each([
    ['a literal', '{ find(all: true) }', {}],
    ['the literal false', '{ find(all: false) }', {}],
    ['an explicit null', '{ find(all: null) }', {}],
    ['a variable', 'query ($all: Boolean) { find(all: $all) }', { all: true }],
    ['a variable of null', 'query ($all: Boolean) { find(all: $all) }', { all: null }],
    ['a default of the variable', 'query ($all: Boolean = true) { find(all: $all) }', {}],
    ['an alias and a fragment', 'query { ...F } fragment F on Query { x: find(name: "a", all: true) }', {}],
  ])('holds when it is supplied as %s', async (_name, document, variables) => {
    const resolver = spy('found');
    const schema = guarded(resolver);
    expect((await run(schema, document, ANYONE, variables)).refused).toEqual([expect.stringMatching(/UNAUTHENTICATED TOKEN_MISSING$/)]);
    expect((await run(schema, document, holding(), variables)).refused).toEqual([expect.stringMatching(/FORBIDDEN INSUFFICIENT_SCOPE$/)]);
    expect(resolver).not.toHaveBeenCalled();
    expect((await run(schema, document, holding('users:read'), variables)).refused).toEqual([]);
  });

  it.each([
    ['left out', '{ find }', {}],
    ['left out beside another', '{ find(name: "a") }', {}],
    ['a variable that is not given', 'query ($all: Boolean) { find(all: $all) }', {}],
    ['named in another argument only', 'query ($all: String) { find(name: $all) }', { all: 'all' }],
  ])('does not ask for anything when it is %s', async (_name, document, variables) => {
    expect(await run(guarded(spy('found')), document, ANYONE, variables)).toEqual({ data: { find: 'found' }, refused: [] });
  });
});

describe('a directive on an input field', () => {
  const sdl = `
    type Query {
      find(filter: Filter, filters: [Filter!], deep: Deep): String @public
    }
    input Filter { name: String, secret: String @requiresScopes(scopes: [["users:read"]]), and: [Filter!], not: Filter }
    input Deep { lists: [[Filter]], filter: Filter! }
  `;
  const guarded = (resolver: FieldResolver) => enforceDirectives(schemaOf(sdl, { resolve: { 'Query.find': resolver } }));

  it.each([
    ['a literal', '{ find(filter: { secret: "a" }) }', {}],
    ['an explicit null', '{ find(filter: { secret: null }) }', {}],
    ['an empty string', '{ find(filter: { secret: "" }) }', {}],
    ['a variable of the object', 'query ($v: Filter) { find(filter: $v) }', { v: { secret: 'a' } }],
    ['a variable of the object with null', 'query ($v: Filter) { find(filter: $v) }', { v: { secret: null } }],
    ['a variable of the field', 'query ($v: String) { find(filter: { secret: $v }) }', { v: 'a' }],
    ['a default of the variable', 'query ($v: Filter = { secret: "a" }) { find(filter: $v) }', {}],
    ['the second item of a list', '{ find(filters: [{ name: "a" }, { secret: "a" }]) }', {}],
    ['an item in place of a list', '{ find(filters: { secret: "a" }) }', {}],
    ['an item of a variable', 'query ($v: [Filter!]) { find(filters: $v) }', { v: [{ name: 'a' }, { secret: 'a' }] }],
    ['an object inside an object', '{ find(filter: { not: { not: { secret: "a" } } }) }', {}],
    ['a list inside an object', '{ find(filter: { and: [{ and: [{ secret: "a" }] }] }) }', {}],
    ['a list of lists in another object', '{ find(deep: { filter: {}, lists: [[], [null, { secret: "a" }]] }) }', {}],
    ['a required object in another object', 'query ($v: Deep) { find(deep: $v) }', { v: { filter: { secret: 'a' } } }],
  ])('holds when it is supplied in %s', async (_name, document, variables) => {
    const resolver = spy('found');
    const schema = guarded(resolver);
    expect((await run(schema, document, ANYONE, variables)).refused).toEqual(['find: UNAUTHENTICATED TOKEN_MISSING']);
    expect((await run(schema, document, holding(), variables)).refused).toEqual(['find: FORBIDDEN INSUFFICIENT_SCOPE']);
    expect(resolver).not.toHaveBeenCalled();
    expect((await run(schema, document, holding('users:read'), variables)).refused).toEqual([]);
  });

  it.each([
    ['nothing', '{ find }', {}],
    ['null for the object', '{ find(filter: null, filters: null, deep: null) }', {}],
    ['an empty object', '{ find(filter: {}, filters: [], deep: { filter: {} }) }', {}],
    ['other fields only', '{ find(filter: { name: "secret", and: [], not: { name: "a" } }) }', {}],
    ['a variable that is not given', 'query ($v: String) { find(filter: { secret: $v }) }', {}],
    ['a variable of null', 'query ($v: Filter) { find(filter: $v) }', { v: null }],
  ])('does not ask for anything when it is left out: %s', async (_name, document, variables) => {
    expect(await run(guarded(spy('found')), document, ANYONE, variables)).toEqual({ data: { find: 'found' }, refused: [] });
  });

  it('holds in each of two input types that hold each other', async () => {
    const schema = enforceDirectives(
      schemaOf(
        `type Query { a(a: A): String @public b(b: B): String @public }
         input A { b: B } input B { a: A, secret: String @authenticated }`,
        { resolve: { 'Query.a': () => 'a', 'Query.b': () => 'b' } },
      ),
    );
    expect((await run(schema, '{ a(a: { b: { a: { b: { secret: "a" } } } }) }', ANYONE)).refused).toHaveLength(1);
    expect((await run(schema, '{ b(b: { a: { b: { secret: "a" } } }) }', ANYONE)).refused).toHaveLength(1);
    expect((await run(schema, '{ a(a: { b: { a: { b: {} } } }) b(b: { a: null }) }', ANYONE)).refused).toEqual([]);
  });

  it('asks for nothing where input types that hold each other guard nothing', async () => {
    const sdl = 'type Query { a(a: A): String @public } input A { b: B } input B { a: A }';
    const schema = enforceDirectives(schemaOf(sdl, { resolve: { 'Query.a': spy('a') } }));
    expect((await run(schema, '{ a(a: { b: { a: {} } }) }', ANYONE)).data).toEqual({ a: 'a' });
  });
});

describe('a directive on a subscription', () => {
  const sdl = `
    type Query { ping: String @public }
    type Subscription { ticks(all: Boolean @requiresScopes(scopes: [["all"]])): Int @authenticated }
  `;

  async function* ticks() {
    yield { ticks: 1 };
    yield { ticks: 2 };
  }

  const start = async (document: string, contextValue: TestContext, source: FieldResolver, resolver?: FieldResolver) => {
    const resolve = resolver === undefined ? {} : { 'Subscription.ticks': resolver };
    const schema = enforceDirectives(schemaOf(sdl, { resolve, subscribe: { 'Subscription.ticks': source } }));
    return subscribe({ schema, document: parse(document), contextValue });
  };

  it.each(refusals)('refuses %s before the source is subscribed to', async (_name, principal, refusal) => {
    const source = spy(ticks());
    const result = await start('subscription { ticks }', { principal }, source);
    expect(outcomeOf(result as ExecutionResult).refused).toEqual([`ticks: ${refusal}`]);
    expect(source).not.toHaveBeenCalled();
  });

  it('holds for its arguments too', async () => {
    const source = spy(ticks());
    const result = await start('subscription { ticks(all: true) }', { principal: holding() }, source);
    expect(outcomeOf(result as ExecutionResult).refused).toEqual(['ticks: FORBIDDEN INSUFFICIENT_SCOPE']);
    expect(source).not.toHaveBeenCalled();
  });

  it('gives each event to who may have it', async () => {
    const events = (await start(
      'subscription { ticks(all: true) }',
      { principal: holding('all') },
      ticks,
    )) as AsyncGenerator<ExecutionResult>;
    const seen = [];
    for await (const event of events) seen.push(outcomeOf(event));
    expect(seen).toEqual([
      { data: { ticks: 1 }, refused: [] },
      { data: { ticks: 2 }, refused: [] },
    ]);
  });

  it('is checked again at each event: who was signed out meanwhile gets no more', async () => {
    const context = { principal: holding() };
    const resolver = vi.fn<FieldResolver>((event) => (event as { ticks: number }).ticks);
    const events = (await start('subscription { ticks }', context, ticks, resolver)) as AsyncGenerator<ExecutionResult>;
    const first = await events.next();
    expect(outcomeOf(first.value as ExecutionResult).data).toEqual({ ticks: 1 });
    context.principal = { kind: 'rejected', reason: 'SESSION_REVOKED' };
    const second = await events.next();
    expect(outcomeOf(second.value as ExecutionResult)).toEqual({
      data: { ticks: null },
      refused: ['ticks: UNAUTHENTICATED SESSION_REVOKED'],
    });
    expect(resolver).toHaveBeenCalledTimes(1);
  });
});

describe('a schema without a directive', () => {
  it('is left as it is', () => {
    const resolver = spy('open');
    const sdl = `
      type Query { open(a: In): String node: Node any: Any }
      input In { a: Int } interface Node { id: ID } type T implements Node { id: ID } union Any = T
    `;
    const schema = schemaOf(sdl, { resolve: { 'Query.open': resolver } });
    resolveTypeOf(schema, 'Node', () => 'T');
    const node = schema.getType('Node') as { resolveType?: unknown };
    const before = node.resolveType;
    expect(enforceDirectives(schema)).toBe(schema);
    expect(schema.getQueryType()!.getFields()['open']!.resolve).toBe(resolver);
    expect(node.resolveType).toBe(before);
  });
});
