import { defineConfig, type Plugin } from 'vite';

/** The page and the API are one origin to the browser, so that no CORS is needed. */
const proxy = { '/graphql': 'http://localhost:4000' };

export default defineConfig({
  plugins: [contentSecurityPolicy()],
  server: { proxy },
  preview: { proxy },
  build: { target: 'es2023', modulePreload: { polyfill: false } },
});

/**
 * Lets the built page load its own files and speak to the API, and nothing else: a script that gets in all the same has nowhere to send a token to.
 * Not in development, where Vite adds styles and scripts of its own.
 */
function contentSecurityPolicy(): Plugin {
  let api = '';
  return {
    name: 'content-security-policy',
    apply: 'build',
    configResolved({ env }) {
      const endpoint: unknown = env['VITE_ENDPOINT'];
      api = typeof endpoint === 'string' ? ` ${new URL(endpoint).origin}` : '';
    },
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: {
          'http-equiv': 'Content-Security-Policy',
          content: `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'${api}; base-uri 'none'; form-action 'none'`,
        },
        injectTo: 'head-prepend',
      },
    ],
  };
}
