import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { introspectionFromSchema, lexicographicSortSchema, type IntrospectionQuery } from 'graphql';

import { declareCoreSchema } from './schema.js';

/** The schema of Latchkey alone, as `schema/schema.graphql` shows it: with descriptions and applied directives. */
export function printCoreSchema(): string {
  return `${printSchemaWithDirectives(lexicographicSortSchema(declareCoreSchema()))}\n`;
}

/** The same as an introspection query is answered. */
export function introspectCoreSchema(): IntrospectionQuery {
  return introspectionFromSchema(lexicographicSortSchema(declareCoreSchema()));
}
