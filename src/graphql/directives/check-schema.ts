import {
  DirectiveLocation,
  getNamedType,
  GraphQLError,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  specifiedDirectives,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';

import type { Requirement } from '../../authorization/requirement.js';
import { appliedDirectives, isGuarded, requirementsOf, type Annotated } from './requirements.js';

/** Every fault of a schema at once, each with the place where it stands. */
export class SchemaError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The schema does not say safely who may use it:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'SchemaError';
    this.faults = faults;
  }
}

interface Place {
  /** As in `User.disabled` or `Query.users(first:)`. */
  name: string;
  location: DirectiveLocation;
  element: Annotated;
}

/**
 * Refuses a schema that leaves open who may use it.
 *
 * Checks that every root field carries `@public`, `@authenticated` or `@requiresScopes`, and not `@public` beside another; that every applied
 * directive is defined, allowed in its place, and well-formed; that every scope named is one that some role grants; that what guards a field or an
 * argument of an interface guards each implementation too; and that a guarded argument or input field has no default value, for then nobody could
 * tell whether the caller supplied it.
 *
 * @throws {SchemaError} with every fault.
 */
export function checkSchema(schema: GraphQLSchema, grantableScopes: ReadonlySet<string>): void {
  const places = placesOf(schema);
  const broken = new Set<Annotated>();
  const faults: string[] = [];
  for (const place of places) {
    const found = directiveFaults(schema, place);
    if (found.length > 0) broken.add(place.element);
    faults.push(...found.map((fault) => `${place.name}: ${fault}`));
  }
  // What is broken has been said; its requirements cannot be read.
  if (broken.size === 0) {
    faults.push(
      ...undecidedRootFields(schema),
      ...unknownScopes(places, grantableScopes),
      ...guardedDefaults(schema),
      ...unguardedImplementations(schema),
    );
  }
  if (faults.length > 0) throw new SchemaError(faults);
}

function directiveFaults(schema: GraphQLSchema, { location, element }: Place): string[] {
  return appliedDirectives(element).flatMap((applied) => {
    const name = applied.name.value;
    const definition = schema.getDirective(name);
    if (definition == null) return [`@${name} is not a directive of this schema`];
    if (specifiedDirectives.some((specified) => specified.name === name)) return [];
    if (!definition.locations.includes(location)) return [`@${name} does not belong on ${location}`];
    // An argument that nobody reads may have been meant to ask for more: @authenticated(requires: ADMIN).
    const unread = applied.arguments?.find((given) => !definition.args.some((arg) => arg.name === given.name.value));
    if (unread !== undefined) return [`@${name} is malformed: it has no argument "${unread.name.value}"`];
    try {
      requirementsOf({ astNode: { directives: [applied] } });
      return [];
    } catch (error) {
      return [`@${name} is malformed: ${error instanceof GraphQLError ? error.message : String(error)}`];
    }
  });
}

function undecidedRootFields(schema: GraphQLSchema): string[] {
  return [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
    Object.values(type?.getFields() ?? {}).flatMap((field) => {
      const requirements = requirementsOf(field);
      const place = `${String(type)}.${field.name}`;
      if (requirements.length === 0) return [`${place}: say who may use it: @public, @authenticated or @requiresScopes`];
      const isContradictory = requirements.some(({ kind }) => kind === 'public') && requirements.length > 1;
      return isContradictory ? [`${place}: @public and another directive contradict each other`] : [];
    }),
  );
}

function unknownScopes(places: readonly Place[], grantable: ReadonlySet<string>): string[] {
  return places.flatMap(({ name, element }) =>
    requirementsOf(element).flatMap((requirement) => {
      if (requirement.kind !== 'scopes') return [];
      const unknown = requirement.anyOf.flat().filter((scope) => !grantable.has(scope));
      return unknown.map((scope) => `${name}: no role grants the scope "${scope}"`);
    }),
  );
}

function guardedDefaults(schema: GraphQLSchema): string[] {
  const faultOf = (name: string) => `${name}: a guarded input cannot have a default value`;
  return Object.values(schema.getTypeMap()).flatMap((type) => {
    if (isInputObjectType(type)) {
      return Object.values(type.getFields())
        .filter((field) => field.defaultValue !== undefined && isGuarded(field))
        .map((field) => faultOf(`${type.name}.${field.name}`));
    }
    if (!isObjectType(type)) return [];
    return Object.values(type.getFields()).flatMap((field) =>
      field.args
        .filter((arg) => arg.defaultValue !== undefined && isGuarded(arg))
        .map((arg) => faultOf(`${type.name}.${field.name}(${arg.name}:)`)),
    );
  });
}

function unguardedImplementations(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter(isInterfaceType)
    .flatMap((type) => schema.getImplementations(type).objects.flatMap((object) => unguardedImplementation(type, object)));
}

function unguardedImplementation(type: GraphQLInterfaceType, object: GraphQLObjectType): string[] {
  const fields = object.getFields();
  return Object.values(type.getFields()).flatMap((promised) => {
    const field = fields[promised.name];
    if (field === undefined) return [];
    const place = `${object.name}.${field.name}`;
    const missing = missingFrom(requirementsOf(promised), [...requirementsOf(field), ...requirementsOf(object)]);
    const faults = missing.map((requirement) => `${place}: ${type.name}.${promised.name} is guarded by ${requirement}, and this is not`);
    return [...faults, ...unguardedArguments(type, promised, field, place)];
  });
}

function unguardedArguments(
  type: GraphQLInterfaceType,
  promised: GraphQLField<unknown, unknown>,
  field: GraphQLField<unknown, unknown>,
  place: string,
): string[] {
  return promised.args.flatMap((promisedArg) => {
    const arg = field.args.find(({ name }) => name === promisedArg.name);
    if (arg === undefined) return [];
    return missingFrom(requirementsOf(promisedArg), requirementsOf(arg)).map(
      (requirement) => `${place}(${arg.name}:): ${type.name}.${promised.name}(${arg.name}:) is guarded by ${requirement}, and this is not`,
    );
  });
}

function missingFrom(promised: readonly Requirement[], given: readonly Requirement[]): string[] {
  const describe = (requirement: Requirement) =>
    requirement.kind === 'scopes' ? `@requiresScopes(scopes: ${JSON.stringify(requirement.anyOf)})` : `@${requirement.kind}`;
  const have = new Set(given.map(describe));
  return promised
    .filter(({ kind }) => kind !== 'public')
    .map(describe)
    .filter((requirement) => !have.has(requirement));
}

/** Everything in the schema that can carry a directive, introspection aside. */
function placesOf(schema: GraphQLSchema): Place[] {
  const places: Place[] = [{ name: 'schema', location: DirectiveLocation.SCHEMA, element: schema }];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    const place = (name: string, location: DirectiveLocation, element: Annotated) => places.push({ name, location, element });
    if (isObjectType(type) || isInterfaceType(type)) {
      place(type.name, isObjectType(type) ? DirectiveLocation.OBJECT : DirectiveLocation.INTERFACE, type);
      for (const field of Object.values(type.getFields())) {
        place(`${type.name}.${field.name}`, DirectiveLocation.FIELD_DEFINITION, field);
        for (const arg of field.args) place(`${type.name}.${field.name}(${arg.name}:)`, DirectiveLocation.ARGUMENT_DEFINITION, arg);
      }
    } else if (isInputObjectType(type)) {
      place(type.name, DirectiveLocation.INPUT_OBJECT, type);
      for (const field of Object.values(type.getFields()))
        place(`${type.name}.${field.name}`, DirectiveLocation.INPUT_FIELD_DEFINITION, field);
    } else if (isEnumType(type)) {
      place(type.name, DirectiveLocation.ENUM, type);
      for (const value of type.getValues()) place(`${type.name}.${value.name}`, DirectiveLocation.ENUM_VALUE, value);
    } else {
      place(type.name, isUnionType(type) ? DirectiveLocation.UNION : DirectiveLocation.SCALAR, getNamedType(type));
    }
  }
  return places;
}
