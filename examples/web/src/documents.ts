import type { TypedDocumentNode } from '@apollo/client';
import type { TypedDocument } from '@latchkey/client';
import * as operations from '@latchkey/client/operations';
import { parse } from 'graphql';

/** Apollo wants documents parsed; the types stay. */
function parsed<Data, Variables>(text: TypedDocument<Data, Variables>): TypedDocumentNode<Data, Variables> {
  return parse(text);
}

export const ViewerDocument = parsed(operations.ViewerDocument);
export const RevokeSessionDocument = parsed(operations.RevokeSessionDocument);
export const ChangePasswordDocument = parsed(operations.ChangePasswordDocument);
