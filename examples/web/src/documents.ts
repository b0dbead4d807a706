import type { TypedDocumentNode } from '@apollo/client';
import * as operations from '@latchkey/client/operations';
import { parse } from 'graphql';

/** Apollo wants documents parsed; the types stay. */
function parsed<Data, Variables>(
  text: string & { readonly __apiType?: (variables: Variables) => Data },
): TypedDocumentNode<Data, Variables> {
  return parse(text);
}

export const ViewerDocument = parsed(operations.ViewerDocument);
export const RevokeSessionDocument = parsed(operations.RevokeSessionDocument);
export const ChangePasswordDocument = parsed(operations.ChangePasswordDocument);
