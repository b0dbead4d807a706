import { buildSchema, isAbstractType, isObjectType, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';

import type { Principal } from '../../../../src/authorization/principal.js';

/** The directives as SDL says them: names and shapes of Apollo Federation. */
const DIRECTIVES = `
  directive @public on FIELD_DEFINITION
  directive @authenticated on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
  directive @requiresScopes(scopes: [[String!]!]!) on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
`;

export interface TestContext {
  principal: Principal;
}

export type FieldResolver = GraphQLFieldResolver<unknown, TestContext, Record<string, unknown>>;

interface Resolvers {
  /** By `Type.field`. */
  resolve?: Record<string, FieldResolver>;
  subscribe?: Record<string, FieldResolver>;
}

/** A schema of somebody's own, in plain SDL. */
export function schemaOf(sdl: string, { resolve = {}, subscribe = {} }: Resolvers = {}): GraphQLSchema {
  const schema = buildSchema(DIRECTIVES + sdl);
  const fieldAt = (place: string) => {
    const [typeName = '', fieldName = ''] = place.split('.');
    const type = schema.getType(typeName);
    const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
    if (field === undefined) throw new Error(`There is no field ${place}.`);
    return field;
  };
  for (const [place, resolver] of Object.entries(resolve)) fieldAt(place).resolve = resolver;
  for (const [place, resolver] of Object.entries(subscribe)) fieldAt(place).subscribe = resolver;
  return schema;
}

/** Makes an interface or a union tell its type by a function, as applications do, instead of by `__typename`. */
export function resolveTypeOf(schema: GraphQLSchema, typeName: string, resolveType: () => string): void {
  const type = schema.getType(typeName);
  if (!isAbstractType(type)) throw new Error(`${typeName} is not abstract.`);
  type.resolveType = resolveType;
}
