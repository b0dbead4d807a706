import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesRule } from '@escape.tech/graphql-armor-max-directives';
import {
  getNamedType,
  GraphQLError,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type ASTVisitor,
  type GraphQLCompositeType,
  type NamedTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/**
 * Marks a field that tries a password or a token; an operation may hold one of them. `logout` tries none: it answers the same whatever token it is
 * given, and what is none of ours costs no query.
 */
export const CREDENTIAL_FIELD = { credential: true };

/**
 * What a document may hold. GraphiQL's own introspection takes 163 tokens and passes; `maxRecursiveSelections` of Apollo would refuse it.
 *
 * With pages of a hundred, these bound what it can ask for. A cost could not be told from the document: page sizes come in variables.
 */
const LIMITS = { maxTokens: 1000, depth: 10, aliases: 10, directives: 5, validationErrors: 3 } as const;

export const parseOptions = { maxTokens: LIMITS.maxTokens };
export const validationOptions = { maxErrors: LIMITS.validationErrors };
export const executionOptions = { maxCoercionErrors: LIMITS.validationErrors };

/** The rules that a document must pass before anything of it runs. The parser counts its tokens. */
export function createLimitRules(): ValidationRule[] {
  return [
    maxDepthRule({ n: LIMITS.depth, ...refusedAs('The document is nested more deeply than is allowed.') }),
    maxAliasesRule({ n: LIMITS.aliases, allowList: [], ...refusedAs('The document has more aliases than are allowed.') }),
    maxDirectivesRule({ n: LIMITS.directives, ...refusedAs('The document has more directives than are allowed.') }),
    knownOperationType,
    oneCredentialField,
  ];
}

/** The armor's own message begins with "Syntax Error", which a document over a limit does not have. */
function refusedAs(message: string) {
  return {
    onReject: [
      (context: ValidationContext | null) => {
        context?.reportError(new GraphQLError(message));
      },
    ],
    propagateOnRejection: false,
  };
}

/** The schema may have no subscriptions, say. Left to execution, that would look like a fault of ours. */
function knownOperationType(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(node) {
      if (context.getSchema().getRootType(node.operation) == null) {
        context.reportError(new GraphQLError(`This schema has no ${node.operation}.`, { nodes: node }));
      }
    },
  };
}

/** At most one credential field an operation, seen through aliases and fragments: one request is one guess. */
export function oneCredentialField(context: ValidationContext): ASTVisitor {
  const countIn = createCredentialCounter(context);
  return {
    OperationDefinition(operation) {
      const root = context.getSchema().getRootType(operation.operation);
      if (root == null || countIn(root, operation.selectionSet) <= 1) return;
      context.reportError(new GraphQLError('An operation may hold one field that tries a credential.', { nodes: operation }));
    },
  };
}

/** Counts the credential fields of selections, up to two: two are as bad as a thousand. */
function createCredentialCounter(context: ValidationContext): (type: GraphQLCompositeType, selections: SelectionSetNode) => number {
  // Each fragment is counted once, however often it is spread: a bomb of fragments would take for ever to write out.
  const countOfFragment = new Map<string, number>();

  const countFragment = (name: string): number => {
    const known = countOfFragment.get(name);
    if (known !== undefined) return known;
    // A fragment that holds itself adds nothing by that; another rule refuses it.
    countOfFragment.set(name, 0);
    const fragment = context.getFragment(name);
    const count = fragment == null ? 0 : countUnder(fragment.typeCondition, fragment.selectionSet);
    countOfFragment.set(name, count);
    return count;
  };

  const countUnder = (condition: NamedTypeNode, selections: SelectionSetNode): number => {
    const type = context.getSchema().getType(condition.name.value);
    return isCompositeType(type) ? countIn(type, selections) : 0;
  };

  const countSelection = (type: GraphQLCompositeType, selection: SelectionNode): number => {
    switch (selection.kind) {
      case Kind.FRAGMENT_SPREAD:
        return countFragment(selection.name.value);
      case Kind.INLINE_FRAGMENT:
        return selection.typeCondition === undefined
          ? countIn(type, selection.selectionSet)
          : countUnder(selection.typeCondition, selection.selectionSet);
      case Kind.FIELD: {
        const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value] : undefined;
        if (field === undefined) return 0;
        const own = field.extensions['credential'] === true ? 1 : 0;
        const inner = getNamedType(field.type);
        return selection.selectionSet !== undefined && isCompositeType(inner) ? own + countIn(inner, selection.selectionSet) : own;
      }
    }
  };

  const countIn = (type: GraphQLCompositeType, { selections }: SelectionSetNode): number => {
    let count = 0;
    for (const selection of selections) count = Math.min(2, count + countSelection(type, selection));
    return count;
  };

  return countIn;
}
