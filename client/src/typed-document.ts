/**
 * The text of an operation that knows the types of its data and variables.
 *
 * A plain string when it runs. `__apiType` is never there; by it urql, graphql-request and GraphQL Code Generator tell the types
 * (`DocumentTypeDecoration` of `@graphql-typed-document-node/core`).
 */
export type TypedDocument<Data, Variables> = string & { readonly __apiType?: (variables: Variables) => Data };
