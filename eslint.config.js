import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What runs as a process of its own: it may read the environment and the clock, and write to the console. */
const entryPoints = ['src/main.ts', 'src/node-version.ts', 'src/compile-cache.ts', 'src/development.ts', 'src/cli/**'];
const page = 'src/graphiql/**';

const randomness = {
  object: 'Math',
  property: 'random',
  message: 'Not random enough for anything here: use src/crypto.',
};
const environment = [
  { object: 'process', property: 'env', message: 'Configuration is a parameter: add a key to src/config and hand the value down.' },
  { object: 'process', property: 'exit', message: 'Only main.ts and cli/ end the process.' },
];
const realClock = {
  properties: [{ object: 'Date', property: 'now', message: 'Time is a parameter: take a Clock (src/clock.ts).' }],
  syntax: [
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Time is a parameter: take a Clock (src/clock.ts).' },
    { selector: 'CallExpression[callee.name="Date"]', message: 'Time is a parameter: take a Clock (src/clock.ts).' },
  ],
};

/** `eslint-disable…` needs its reason behind `--` on the same line, as the compiler's own suppressions do. */
const suppressionReason = {
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        if (/^\s*eslint-disable/.test(comment.value) && !/\s--\s+\S{3}/.test(comment.value)) {
          context.report({ loc: comment.loc, message: 'Say why, on the same line: eslint-disable-next-line rule -- reason' });
        }
      }
    },
  }),
};

export default defineConfig(
  globalIgnores(['**/dist/', 'coverage/', '.latchkey/', 'examples/codegen/src/gql/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },

  {
    name: 'latchkey/every-file',
    extends: [js.configs.recommended],
    plugins: { latchkey: { rules: { 'suppression-reason': suppressionReason } } },
    rules: {
      'latchkey/suppression-reason': 'error',
      // `== null` asks whether a GraphQL argument was given: a client may say null or say nothing.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'object-shorthand': 'error',
      'prefer-template': 'error',
    },
  },

  {
    name: 'latchkey/typescript',
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // A number in a template literal reads as itself; nothing else is let in.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => db.close()` says what it means.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // GraphQL types and resolvers are classes because of their decorators, however little stands inside.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      // given['NODE_ENV'] shows that the key comes from outside and may be missing.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // A union that grows breaks every place that decides by it.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    },
  },

  {
    name: 'latchkey/server',
    files: ['src/**'],
    ignores: [...entryPoints, page, 'src/clock.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': ['error', randomness, ...environment, ...realClock.properties],
      'no-restricted-syntax': ['error', ...realClock.syntax],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            ...['process', 'node:process'].map((name) => ({ name, importNames: ['env', 'exit'], message: environment[0].message })),
            {
              name: 'node:http',
              allowTypeImports: true,
              message: 'Node loads all of its own fetch for an import of this: import() it where it is needed.',
            },
          ],
        },
      ],
    },
  },
  {
    name: 'latchkey/clock',
    files: ['src/clock.ts'],
    rules: { 'no-console': 'error', 'no-restricted-properties': ['error', randomness, ...environment] },
  },
  {
    name: 'latchkey/entry-points-and-page',
    files: [...entryPoints, page],
    rules: { 'no-restricted-properties': ['error', randomness] },
  },

  {
    name: 'latchkey/graphql-types',
    files: ['src/graphql/**'],
    rules: {
      // GraphQL types are classes for their decorators' sake and have no methods: a resolver returns their shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },

  {
    name: 'latchkey/client-core',
    files: ['client/src/**'],
    rules: { 'no-console': 'error' },
  },
  {
    name: 'latchkey/client-without-platform',
    files: ['client/src/**'],
    ignores: ['client/src/storage/**'],
    rules: {
      // It runs in Node, browsers, React Native and Electron: what one of them lacks is asked for in core/platform.ts.
      'no-restricted-globals': [
        'error',
        'window',
        'document',
        'localStorage',
        'sessionStorage',
        'navigator',
        'crypto',
        'performance',
        'process',
        'Buffer',
      ],
    },
  },
  {
    name: 'latchkey/client-operations',
    files: ['client/src/operations.ts'],
    rules: {
      // GraphQL clients want variables that are assignable to a record, and an interface is not.
      '@typescript-eslint/consistent-type-definitions': 'off',
    },
  },

  {
    name: 'latchkey/tests',
    files: ['test/**', 'client/test/**'],
    rules: {
      // A value that the test has just made is there; if not, the test fails on that line all the same.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A fake is async because what it stands for is.
      '@typescript-eslint/require-await': 'off',
      // expect(store.method) names a method without calling it.
      '@typescript-eslint/unbound-method': 'off',
    },
  },

  {
    name: 'latchkey/plain-javascript',
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: Object.fromEntries(
        ['clearTimeout', 'console', 'fetch', 'Headers', 'performance', 'setTimeout', 'URL'].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    // Plain JavaScript that Node runs as it is: its packages are not installed with the project's, so that no type of theirs is known.
    name: 'latchkey/bench',
    files: ['bench/**/*.mjs'],
    languageOptions: { globals: { AbortController: 'readonly', Buffer: 'readonly' } },
  },
  {
    name: 'latchkey/commonjs',
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable' } },
  },
);
