/**
 * The direction of imports: each row imports only the rows below it.
 *
 * A new folder under src/ gets its place here first; a file outside every room is an error of its own.
 */
const rows = [
  [{ name: 'entry', path: '^src/(main|node-version|compile-cache|development)\\.ts$|^src/cli/' }],
  [{ name: 'server', path: '^src/(server|core)\\.ts$' }],
  [{ name: 'http', path: '^src/http/' }],
  [{ name: 'graphql', path: '^src/graphql/' }],
  [
    { name: 'sessions', path: '^src/sessions/', mayImport: ['accounts', 'authorization'] },
    { name: 'accounts', path: '^src/accounts/', mayImport: ['authorization'] },
    { name: 'authorization', path: '^src/authorization/', mayImport: [] },
  ],
  [
    { name: 'persistence', path: '^src/persistence/', mayImport: [] },
    { name: 'tokens', path: '^src/tokens/', mayImport: [] },
  ],
  [
    { name: 'keys', path: '^src/keys/', mayImport: ['crypto'] },
    { name: 'crypto', path: '^src/crypto/', mayImport: [] },
  ],
  [{ name: 'base', path: '^src/config/|^src/(errors|clock|log|metrics|periodic|work-queue)\\.ts$' }],
];

/** The exploration page: bundled by Vite for a browser, served as files, imported by nobody. */
const page = '^src/graphiql/';

const anyOf = (rooms) => rooms.map((room) => room.path).join('|');
const rooms = rows.flat();
const below = (name) => anyOf(rows.slice(rows.findIndex((row) => row.some((room) => room.name === name)) + 1).flat());

const upward = rows.slice(1).flatMap((row, index) =>
  row.map((room) => ({
    name: `${room.name}-imports-upward`,
    severity: 'error',
    comment: 'Each row imports only the rows below it. What a lower row needs from above is handed to it as a parameter, in server.ts.',
    from: { path: room.path },
    to: { path: anyOf(rows.slice(0, index + 1).flat()) },
  })),
);

const sideways = rows.flatMap((row) =>
  row
    .filter((room) => room.mayImport !== undefined)
    .map((room) => ({
      name: `${room.name}-imports-sideways`,
      severity: 'error',
      comment: 'Rooms of one row do not import each other, but for those that mayImport names.',
      from: { path: room.path },
      to: { path: anyOf(row.filter((other) => other !== room && !room.mayImport.includes(other.name))) || '^$' },
    })),
);

/** Packages as they resolve, and as they are written when nothing could be resolved. */
const packages = (...names) => `(^|/)node_modules/(${names.join('|')})(/|$)|^(${names.join('|')})(/|$)`;

/** What any file of the client kit may import. */
const inClient = '^client/src/|^(node:)?[a-z_]+(/promises)?$';

/** The files of the client kit that are for one library, with the optional peers that they are for. */
const integrations = [
  { path: '^client/src/integrations/apollo\\.ts$', peers: ['@apollo/client', 'rxjs'] },
  { path: '^client/src/integrations/urql\\.ts$', peers: ['@urql/core', 'wonka'] },
];

module.exports = {
  forbidden: [
    ...upward,
    ...sideways,
    {
      name: 'outside-every-room',
      severity: 'error',
      comment: 'This file is in no row. Put it into a room, or give its folder a row.',
      from: { path: '^src/', pathNot: `${anyOf(rooms)}|${page}` },
      to: {},
    },
    {
      name: 'into-no-room',
      severity: 'error',
      comment: 'The imported file is in no row. Put it into a room, or give its folder a row.',
      from: {},
      to: { path: '^src/', pathNot: `${anyOf(rooms)}|${page}` },
    },
    {
      name: 'page-stands-alone',
      severity: 'error',
      comment: 'The exploration page speaks to the server by HTTP only.',
      from: { path: page },
      to: { path: anyOf(rooms) },
    },
    {
      name: 'nobody-imports-the-page',
      severity: 'error',
      comment: 'It is bundled for a browser; beside itself, only its own tests import it.',
      from: { pathNot: `${page}|^test/unit/graphiql/` },
      to: { path: page },
    },
    {
      name: 'orm-in-persistence-only',
      severity: 'error',
      comment: 'Stores are the only importers of the ORM. Everyone else receives a store.',
      from: { path: '^src/', pathNot: '^src/persistence/' },
      to: { path: packages('@mikro-orm', '@electric-sql', 'pg') },
    },
    {
      name: 'no-graphql-below-graphql',
      severity: 'error',
      comment: 'The domain knows no GraphQL.',
      from: { path: below('graphql') },
      to: {
        path: packages(
          'graphql',
          'graphql-[^/]+',
          '@graphql-tools',
          'type-graphql',
          '@apollo',
          '@as-integrations',
          '@escape\\.tech',
          'class-validator',
        ),
      },
    },
    {
      name: 'fastify-in-http-only',
      severity: 'error',
      comment: 'Only http/ and server.ts know the web framework.',
      from: { path: '^src/', pathNot: '^src/http/|^src/server\\.ts$' },
      to: { path: packages('fastify', '@fastify', '@as-integrations/fastify') },
    },
    {
      name: 'client-stands-alone',
      severity: 'error',
      comment: 'The client kit is a package of its own: it needs nothing of the server, and no package when it runs.',
      from: { path: '^client/src/', pathNot: anyOf(integrations) },
      to: { pathNot: inClient },
    },
    ...integrations.map(({ path, peers }) => ({
      name: 'client-integration-knows-its-own-library',
      severity: 'error',
      comment: 'Who imports an integration has its library, and need not have any other.',
      from: { path },
      to: { pathNot: `${inClient}|${packages(...peers)}` },
    })),
    {
      name: 'client-core-without-platform',
      severity: 'error',
      comment: 'The core runs in Node, browsers, React Native and Electron. Only what names a platform may import what that platform has.',
      from: { path: '^client/src/', pathNot: '^client/src/storage/(node-file|atomic-file|file-lock|electron-safe-storage)\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'nobody-imports-the-client',
      severity: 'error',
      comment: 'The server does not know its clients.',
      from: { pathNot: '^(client|examples)/' },
      to: { path: '^client/' },
    },
    {
      name: 'examples-stand-alone',
      severity: 'error',
      comment:
        'An example can be copied out of here: it has its own files, the client kit as it is published, and what its package.json names.',
      from: { path: '^examples/([^/]+)/' },
      to: { pathNot: '^examples/$1/|^client/dist/|node_modules/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Two files that import each other are one file, or lack a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dependency',
      severity: 'error',
      comment:
        'The image that is shipped has no devDependencies. The exploration page is bundled, so its packages are needed to build only.',
      from: { path: '^(src|migrations)/', pathNot: page },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm'] },
    },
    {
      name: 'not-to-undeclared-package',
      severity: 'error',
      comment: 'A package that is imported stands in package.json, with an exact version.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'server-not-to-tests',
      severity: 'error',
      from: { path: `^(src|migrations)/` },
      to: { path: '^(test|scripts|bench)/' },
    },
  ],
  options: {
    // Made by the code generator.
    exclude: { path: '^examples/codegen/src/gql/' },
    doNotFollow: { path: 'node_modules|^client/dist/' },
    // A workspace may use what the root's package.json has.
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // An import of a type is knowledge too: without this, the domain could name Fastify's types unseen.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
