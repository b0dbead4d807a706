import { defineConfig } from 'vite';

/** The page and the API are one origin to the browser, so that no CORS is needed. */
export default defineConfig({
  server: { proxy: { '/graphql': 'http://localhost:4000' } },
});
