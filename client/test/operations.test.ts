import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'graphql';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import * as operations from '../src/operations.js';
import { printOperations } from './support/print-operations.js';

const file = new URL('../src/operations.ts', import.meta.url);

it('ships every operation of schema/operations, typed as the schema has it', async () => {
  const printed = await format(printOperations(), { ...(await resolveConfig(file)), parser: 'typescript' });
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, printed);
  expect(readFileSync(file, 'utf8') === printed, 'It has drifted: UPDATE_DOCS=1 npx vitest run --project client operations').toBe(true);
});

it.each(Object.entries(operations))('ships a document that parses: %s', (name, document) => {
  expect(parse(document).definitions).toMatchObject([{ name: { value: name.replace('Document', '') } }]);
});
