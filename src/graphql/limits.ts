import { ApolloArmor } from '@escape.tech/graphql-armor';
import {
  getNamedType,
  GraphQLError,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type ASTVisitor,
  type GraphQLCompositeType,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** Marks a field that tries a password or a token; an operation may hold one of them. */
export const CREDENTIAL_FIELD = { credential: true };

/**
 * What a document may hold. GraphiQL's own introspection takes 163 tokens and passes; `maxRecursiveSelections` of Apollo would refuse it.
 */
const LIMITS = { maxTokens: 1000, depth: 10, aliases: 10, directives: 5, cost: 5000, validationErrors: 3 } as const;

export const parseOptions = { maxTokens: LIMITS.maxTokens };
export const validationOptions = { maxErrors: LIMITS.validationErrors };
export const executionOptions = { maxCoercionErrors: LIMITS.validationErrors };

/** The rules that a document must pass before anything of it runs. */
export function createLimitRules(): ValidationRule[] {
  const armor = new ApolloArmor({
    maxDepth: { n: LIMITS.depth, exposeLimits: false },
    maxAliases: { n: LIMITS.aliases, allowList: [], exposeLimits: false },
    maxDirectives: { n: LIMITS.directives, exposeLimits: false },
    costLimit: { maxCost: LIMITS.cost, exposeLimits: false },
    // The parser counts tokens, and Apollo hides suggestions.
    maxTokens: { enabled: false },
    blockFieldSuggestion: { enabled: false },
  }).protect();
  return [...armor.validationRules, oneCredentialField];
}

/** At most one credential field an operation, seen through aliases and fragments: one request is one guess. */
export function oneCredentialField(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(operation) {
      const root = context.getSchema().getRootType(operation.operation);
      if (root == null || countCredentialFields(context, root, operation.selectionSet, new Set()) <= 1) return;
      context.reportError(new GraphQLError('An operation may hold one field that takes a credential.', { nodes: operation }));
    },
  };
}

function countCredentialFields(
  context: ValidationContext,
  type: GraphQLCompositeType,
  { selections }: SelectionSetNode,
  path: ReadonlySet<string>,
): number {
  let count = 0;
  for (const selection of selections) {
    // Two are as bad as a thousand: a bomb of fragments is not counted out.
    if (count > 1) return count;
    if (selection.kind === Kind.FIELD) {
      const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value] : undefined;
      if (field === undefined) continue;
      if (field.extensions['credential'] === true) count += 1;
      const inner = getNamedType(field.type);
      if (selection.selectionSet !== undefined && isCompositeType(inner))
        count += countCredentialFields(context, inner, selection.selectionSet, path);
    } else {
      const name = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
      if (name !== undefined && path.has(name)) continue;
      const fragment = name === undefined ? selection : context.getFragment(name);
      if (fragment == null || !('selectionSet' in fragment)) continue;
      const condition = fragment.typeCondition === undefined ? type : context.getSchema().getType(fragment.typeCondition.name.value);
      if (isCompositeType(condition)) {
        count += countCredentialFields(context, condition, fragment.selectionSet, name === undefined ? path : new Set(path).add(name));
      }
    }
  }
  return count;
}
