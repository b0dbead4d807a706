import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** Bundles the exploration page: everything that it loads comes from this server. */
export default defineConfig({
  root: fileURLToPath(new URL('src/graphiql', import.meta.url)),
  base: '/graphiql/',
  publicDir: false,
  worker: { format: 'es' },
  build: {
    outDir: fileURLToPath(new URL('dist/graphiql', import.meta.url)),
    emptyOutDir: true,
    target: 'es2023',
    // Browsers that lack modulepreload lack what GraphiQL needs, too.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Monaco is one chunk of 3 MB.
    chunkSizeWarningLimit: 4000,
    // Thirty files of GraphiQL's dependencies say "use client", which means nothing here.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
});
