import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../schema/schema.graphql',
  documents: 'src/*.ts',
  generates: {
    'src/gql/': {
      preset: 'client',
      // Not `useFragment`: it is no hook, and React's lint rules would take it for one.
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'readFragment' } },
      config: {
        // Documents stay text: nothing parses GraphQL in the browser to print it again.
        documentMode: 'string',
        // As JSON has them. A scalar of the schema that is not listed is an error, not `any`.
        scalars: { ID: 'string', DateTimeISO: 'string' },
        strictScalars: true,
        immutableTypes: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
