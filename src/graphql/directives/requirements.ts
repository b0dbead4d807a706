import { getDirectiveValues, type ConstDirectiveNode } from 'graphql';

import type { Requirement } from '../../authorization/requirement.js';
import { authenticatedDirective, publicDirective, requiresScopesDirective } from './definitions.js';

/** Anything of a schema that can carry a directive. */
export interface Annotated {
  astNode?: { readonly directives?: readonly ConstDirectiveNode[] | undefined } | null | undefined;
  extensionASTNodes?: readonly { readonly directives?: readonly ConstDirectiveNode[] | undefined }[] | undefined;
}

export function appliedDirectives({ astNode, extensionASTNodes }: Annotated): readonly ConstDirectiveNode[] {
  return [astNode, ...(extensionASTNodes ?? [])].flatMap((node) => node?.directives ?? []);
}

/** What the directives on one element of the schema ask for; all of it must be met. */
export function requirementsOf(element: Annotated): Requirement[] {
  return appliedDirectives(element).flatMap((directive): Requirement[] => {
    switch (directive.name.value) {
      case publicDirective.name:
        return [{ kind: 'public' }];
      case authenticatedDirective.name:
        return [{ kind: 'authenticated' }];
      case requiresScopesDirective.name: {
        const values = getDirectiveValues(requiresScopesDirective, { directives: [directive] });
        return [{ kind: 'scopes', anyOf: values?.['scopes'] as string[][] }];
      }
      default:
        return [];
    }
  });
}

/** Whether something is asked for that not everyone meets. */
export function isGuarded(element: Annotated): boolean {
  return requirementsOf(element).some((requirement) => requirement.kind !== 'public');
}
