import { readdirSync, readFileSync } from 'node:fs';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isRequiredInputField,
  Kind,
  parse,
  parseType,
  stripIgnoredCharacters,
  type GraphQLEnumType,
  type GraphQLSchema,
  type ListTypeNode,
  type NamedTypeNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';

const folder = new URL('../../../schema/', import.meta.url);

/** What a scalar is in JSON. One that is missing here is a mistake to be seen. */
const SCALARS: Readonly<Record<string, string>> = {
  Boolean: 'boolean',
  DateTimeISO: 'string',
  ID: 'string',
  Int: 'number',
  String: 'string',
};

/**
 * The text of `client/src/operations.ts`: every document of schema/operations with the types of its variables and its data.
 *
 * The documents are simple: no fragment, no alias, no union. One that is not fails here.
 */
export function printOperations(): string {
  const schema = buildSchema(readFileSync(new URL('schema.graphql', folder), 'utf8'));
  const documents = readdirSync(new URL('operations/', folder))
    .sort()
    .map((file) => readFileSync(new URL(`operations/${file}`, folder), 'utf8'));
  const inputs = new Map<string, string>();
  const operations = documents.map((text) => printOperation(schema, text, inputs));
  return [
    `// Made from schema/ by a test of it. After a change there: UPDATE_DOCS=1 npx vitest run --project client operations`,
    `import type { TypedDocument } from './typed-document.js';`,
    ...[...inputs].sort(([a], [b]) => a.localeCompare(b)).map(([, definition]) => definition),
    ...operations,
    '',
  ].join('\n\n');
}

function printOperation(schema: GraphQLSchema, text: string, inputs: Map<string, string>): string {
  const [definition] = parse(text).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION || definition.name === undefined) throw new Error(`Not one named operation: ${text}`);
  const name = definition.name.value;
  const root = schema.getRootType(definition.operation);
  const comment = /^#\s*(.*)/.exec(text)?.[1] ?? name;
  return [
    `export type ${name}Variables = ${printVariables(schema, definition, inputs)};`,
    `export type ${name}Data = ${printSelections(schema, root, definition.selectionSet)};`,
    `/** ${comment} */\nexport const ${name}Document = '${stripIgnoredCharacters(text)}' as TypedDocument<${name}Data, ${name}Variables>;`,
  ].join('\n\n');
}

function printVariables(schema: GraphQLSchema, { variableDefinitions = [] }: OperationDefinitionNode, inputs: Map<string, string>): string {
  const fields = variableDefinitions.map(({ variable, type }) => {
    const isOptional = type.kind !== Kind.NON_NULL_TYPE;
    return `${variable.name.value}${isOptional ? '?' : ''}: ${printType(type, (name) => printInput(schema, name, inputs))};`;
  });
  return fields.length === 0 ? 'Record<string, never>' : `{ ${fields.join(' ')} }`;
}

/** The name of an input type, whose definition is noted on the way. */
function printInput(schema: GraphQLSchema, name: string, inputs: Map<string, string>): string {
  const type = schema.getType(name);
  if (isEnumType(type)) {
    inputs.set(name, `${describe(type)}export type ${name} = ${printEnum(type)};`);
    return name;
  }
  if (!isInputObjectType(type)) return printScalar(name);
  if (!inputs.has(name)) {
    inputs.set(name, '');
    const fields = Object.values(type.getFields()).map((field) => {
      const printed = printType(parseType(String(field.type)), (inner) => printInput(schema, inner, inputs));
      return `${describe(field)}${field.name}${isRequiredInputField(field) ? '' : '?'}: ${printed};`;
    });
    inputs.set(name, `${describe(type)}export interface ${name} {\n${fields.join('\n')}\n}`);
  }
  return name;
}

function printSelections(schema: GraphQLSchema, parent: unknown, { selections }: SelectionSetNode): string {
  if (!isObjectType(parent)) throw new Error(`Only object types are known here, not ${String(parent)}`);
  const fields = selections.map((selection) => {
    if (selection.kind !== Kind.FIELD || selection.alias !== undefined) throw new Error('Only plain fields are known here');
    const { name, selectionSet } = selection;
    const field = parent.getFields()[name.value];
    if (field === undefined) throw new Error(`${parent.name} has no field ${name.value}`);
    const printed = printType(parseType(String(field.type)), (typeName) => {
      const type = schema.getType(typeName);
      if (selectionSet !== undefined) return printSelections(schema, type, selectionSet);
      return isEnumType(type) ? `(${printEnum(type)})` : printScalar(typeName);
    });
    return `${name.value}: ${printed};`;
  });
  return `{ ${fields.join(' ')} }`;
}

function printType(type: TypeNode, printNamed: (name: string) => string): string {
  return type.kind === Kind.NON_NULL_TYPE ? printNonNull(type.type, printNamed) : `${printNonNull(type, printNamed)} | null`;
}

function printNonNull(type: NamedTypeNode | ListTypeNode, printNamed: (name: string) => string): string {
  return type.kind === Kind.LIST_TYPE ? `readonly (${printType(type.type, printNamed)})[]` : printNamed(type.name.value);
}

function printScalar(name: string): string {
  const printed = SCALARS[name];
  if (printed === undefined) throw new Error(`What is the scalar ${name} in JSON?`);
  return printed;
}

function printEnum(type: GraphQLEnumType): string {
  return type
    .getValues()
    .map(({ name }) => `'${name}'`)
    .join(' | ');
}

function describe({ description }: { description?: string | null | undefined }): string {
  return description == null ? '' : `/** ${description} */\n`;
}
