import { readFileSync } from 'node:fs';

import {
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  lexicographicSortSchema,
  print,
  type ConstDirectiveNode,
  type GraphQLSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';

import { checkSchema } from '../../../src/graphql/directives/check-schema.js';
import { printCoreSchema } from '../../../src/graphql/print-schema.js';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const printed = printCoreSchema();
const core = buildSchema(printed);
const contract = buildSchema(read('test/support/core-contract.graphql'));

interface Element {
  /** As in `User.disabled` or `Query.users(first:)`. */
  place: string;
  description: string | null | undefined;
  directives: string[];
}

interface Described {
  description?: string | null | undefined;
  astNode?: { directives?: readonly ConstDirectiveNode[] | undefined } | null | undefined;
}

/** Everything of a schema that can carry a description or a directive. */
function elementsOf(schema: GraphQLSchema): Element[] {
  const elements: Element[] = [];
  const add = (place: string, { description, astNode }: Described) => {
    elements.push({ place, description, directives: (astNode?.directives ?? []).map((directive) => print(directive)).sort() });
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || ['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name)) continue;
    add(type.name, type);
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        add(`${type.name}.${field.name}`, field);
        for (const arg of field.args) add(`${type.name}.${field.name}(${arg.name}:)`, arg);
      }
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) add(`${type.name}.${field.name}`, field);
    } else if (isEnumType(type)) {
      for (const value of type.getValues()) add(`${type.name}.${value.name}`, value);
    }
  }
  return elements;
}

describe('schema/schema.graphql', () => {
  it('is the schema as it is emitted', () => {
    expect(
      read('schema/schema.graphql') === printed,
      'It has drifted: npm run build && npx latchkey schema --out schema/schema.graphql',
    ).toBe(true);
  });

  it('is sorted, so that a change shows as the lines that changed', () => {
    const definitions = [...printed.matchAll(/^(?:enum|input|interface|scalar|type|union) (\w+)/gm)].map(([, name]) => name);
    expect(definitions).toEqual(definitions.toSorted());
    const placesIn = (schema: GraphQLSchema, typeName: string) =>
      elementsOf(schema).flatMap(({ place }) => (place.startsWith(`${typeName}.`) ? [place] : []));
    const sorted = lexicographicSortSchema(core);
    for (const name of definitions) expect(placesIn(core, name!)).toEqual(placesIn(sorted, name!));
  });

  it('describes every type, field, argument and value', () => {
    const roots = ['Query', 'Mutation', 'Subscription'];
    const undescribed = elementsOf(core).filter(({ place, description }) => !roots.includes(place) && !description?.trim());
    expect(undescribed.map(({ place }) => place)).toEqual([]);
    for (const directive of core.getDirectives()) expect(directive.description, `@${directive.name}`).toBeTruthy();
  });

  it('says who may use each root field', () => {
    expect(() => checkSchema(core, new Set(['users:read', 'users:write', 'audit:read']))).not.toThrow();
  });
});

describe('the contract', () => {
  const describeChanges = (changes: readonly { description: string }[]) => changes.map(({ description }) => description);

  it('is broken by no difference from the schema: names, nullability, defaults', () => {
    expect(describeChanges(findBreakingChanges(contract, core))).toEqual([]);
    const changedDefaults = findDangerousChanges(contract, core).filter(({ description }) => description.includes('default'));
    expect(describeChanges(changedDefaults)).toEqual([]);
  });

  it('is kept to the letter where the schema could differ without breaking a client', () => {
    // The schema may have more than the contract; what both have must not differ the other way round either.
    const changes = findBreakingChanges(core, contract).filter(
      ({ type }) => !type.endsWith('_REMOVED') && !type.endsWith('_REMOVED_FROM_ENUM'),
    );
    expect(describeChanges(changes)).toEqual([]);
  });

  it('has the very directives that it names, on the very elements', () => {
    const inCore = new Map(elementsOf(core).map(({ place, directives }) => [place, directives]));
    for (const { place, directives } of elementsOf(contract)) expect([place, inCore.get(place)]).toEqual([place, directives]);
  });

  it('has the very definitions of the directives', () => {
    for (const name of ['public', 'authenticated', 'requiresScopes']) {
      const [ours, theirs] = [core.getDirective(name)!, contract.getDirective(name)!];
      expect(ours.locations.toSorted()).toEqual(theirs.locations.toSorted());
      expect(ours.args.map((arg) => [arg.name, String(arg.type)])).toEqual(theirs.args.map((arg) => [arg.name, String(arg.type)]));
      expect(ours.isRepeatable).toBe(false);
    }
  });
});
