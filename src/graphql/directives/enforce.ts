import {
  defaultFieldResolver,
  defaultTypeResolver,
  getNamedType,
  isAbstractType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLAbstractType,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';

import type { Principal } from '../../authorization/principal.js';
import { refusalOf, type Requirement } from '../../authorization/requirement.js';
import { requirementsOf } from './requirements.js';

/** What the directives need of a resolver's context. */
interface PrincipalContext {
  readonly principal: Principal;
}

type AnyField = ReturnType<GraphQLObjectType['getFields']>[string];
type Arguments = Readonly<Record<string, unknown>>;

/** What else a call must meet because of what the caller supplied. */
type SuppliedRequirements = (supplied: Arguments) => Requirement[];

/**
 * Makes the directives of a schema hold, in place.
 *
 * Every guarded field is checked before its resolver or its subscription runs, and so is every field whose type is guarded. A guarded object type
 * holds whichever way it is reached: each of its fields is checked, and an interface or a union does not resolve to it. A guarded argument or input
 * field is checked when the caller supplies it, null included.
 *
 * It does not check that the schema decides everything: `check-schema.ts` does.
 */
export function enforceDirectives(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isObjectType(type)) {
      const ofType = requirementsOf(type);
      for (const field of Object.values(type.getFields())) enforceField(field, ofType);
    } else if (isAbstractType(type)) {
      enforceAbstractType(schema, type);
    }
  }
  return schema;
}

function enforceField(field: AnyField, ofParent: readonly Requirement[]): void {
  const resultType = getNamedType(field.type);
  const ofResult = isObjectType(resultType) ? requirementsOf(resultType) : [];
  const always = [...ofParent, ...requirementsOf(field), ...ofResult].filter(({ kind }) => kind !== 'public');
  const whenSupplied = suppliedRequirements(field.args);
  if (always.length === 0 && whenSupplied === undefined) return;

  const check = (args: Arguments, { principal }: PrincipalContext) => {
    demand(always, principal);
    if (whenSupplied !== undefined) demand(whenSupplied(args), principal);
  };
  const { resolve = defaultFieldResolver, subscribe } = field;
  field.resolve = (source, args: Arguments, context: PrincipalContext, info) => {
    check(args, context);
    return resolve(source, args, context, info);
  };
  if (subscribe !== undefined) {
    field.subscribe = (source, args: Arguments, context: PrincipalContext, info) => {
      check(args, context);
      return subscribe(source, args, context, info);
    };
  }
}

function enforceAbstractType(schema: GraphQLSchema, type: GraphQLAbstractType): void {
  const guarded = new Map(schema.getPossibleTypes(type).map((possible) => [possible.name, requirementsOf(possible)]));
  if ([...guarded.values()].every((requirements) => requirements.length === 0)) return;
  const resolveType = type.resolveType ?? defaultTypeResolver;
  type.resolveType = async (value, context: PrincipalContext, info, abstractType) => {
    const name = await resolveType(value, context, info, abstractType);
    if (name !== undefined) demand(guarded.get(name) ?? [], context.principal);
    return name;
  };
}

function demand(requirements: readonly Requirement[], principal: Principal): void {
  for (const requirement of requirements) {
    const refusal = refusalOf(requirement, principal);
    if (refusal !== undefined) throw refusal;
  }
}

/** How to find the guarded inputs among supplied ones; undefined when none can be reached from here. */
function suppliedRequirements(
  inputs: readonly (GraphQLArgument | GraphQLInputField)[],
  known = new Map<GraphQLInputType, SuppliedRequirements | undefined>(),
): SuppliedRequirements | undefined {
  const checks = inputs.flatMap((input) => {
    const own = requirementsOf(input);
    const inner = innerRequirements(input.type, known);
    return own.length > 0 || inner !== undefined ? [{ name: input.name, own, inner }] : [];
  });
  if (checks.length === 0) return undefined;
  return (supplied) =>
    checks.flatMap(({ name, own, inner }) =>
      Object.hasOwn(supplied, name) ? [...own, ...(inner === undefined ? [] : inside(inner, supplied[name]))] : [],
    );
}

function innerRequirements(
  type: GraphQLInputType,
  known: Map<GraphQLInputType, SuppliedRequirements | undefined>,
): SuppliedRequirements | undefined {
  if (isNonNullType(type) || isListType(type)) return innerRequirements(type.ofType, known);
  if (!isInputObjectType(type)) return undefined;
  if (!known.has(type)) {
    // An input type may hold itself: what is found below is looked up when it is needed.
    known.set(type, (supplied) => found?.(supplied) ?? []);
    const found: SuppliedRequirements | undefined = suppliedRequirements(Object.values(type.getFields()), known);
    known.set(type, found);
  }
  return known.get(type);
}

function inside(inner: SuppliedRequirements, value: unknown): Requirement[] {
  if (Array.isArray(value)) return value.flatMap((item) => inside(inner, item));
  return typeof value === 'object' && value !== null ? inner(value as Arguments) : [];
}
