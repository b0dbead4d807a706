import { readdirSync, readFileSync } from 'node:fs';

import { buildSchema, Kind, parse, specifiedRules, validate } from 'graphql';
import { describe, expect, it } from 'vitest';

import { createLimitRules, parseOptions } from '../../../src/graphql/limits.js';

const folder = new URL('../../../schema/', import.meta.url);
const schema = buildSchema(readFileSync(new URL('schema.graphql', folder), 'utf8'));
const files = readdirSync(new URL('operations/', folder)).sort();

describe('the documents in schema/operations', () => {
  it('call every root field', () => {
    const called = files.flatMap((file) =>
      parse(readFileSync(new URL(`operations/${file}`, folder), 'utf8')).definitions.flatMap((definition) =>
        definition.kind === Kind.OPERATION_DEFINITION
          ? definition.selectionSet.selections.map((selection) => (selection.kind === Kind.FIELD ? selection.name.value : selection.kind))
          : [],
      ),
    );
    const fields = [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.keys(type!.getFields()));
    expect(called.toSorted()).toEqual(fields.toSorted());
  });

  it.each(files)('are valid and within the limits: %s', (file) => {
    const document = parse(readFileSync(new URL(`operations/${file}`, folder), 'utf8'), parseOptions);
    expect(validate(schema, document, [...specifiedRules, ...createLimitRules()])).toEqual([]);
  });

  it.each(files)('hold one named operation, which their file is named after: %s', (file) => {
    const { definitions } = parse(readFileSync(new URL(`operations/${file}`, folder), 'utf8'));
    const names = definitions.map((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION ? definition.name?.value : definition.kind,
    );
    const expected = file
      .replace('.graphql', '')
      .split('-')
      .map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`)
      .join('');
    expect(names).toEqual([expected]);
  });
});
