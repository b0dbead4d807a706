import { access } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';

/**
 * What the page may load and call: this server, and nothing else.
 *
 * Inline styles are allowed because Monaco positions each line of text with a style attribute and writes its themes into style elements,
 * neither of which takes a nonce. Inline scripts and `eval` are not.
 */
export const GRAPHIQL_CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Serves the exploration page at `/graphiql/`, where `/` and `/graphiql` lead.
 *
 * @throws {Error} when the plugin is registered and `assetsDir` does not hold the built page.
 */
export function graphiqlRoute(options: { assetsDir: string }): FastifyPluginAsync {
  const { assetsDir } = options;
  return async (app) => {
    await requireBuiltPage(assetsDir);

    app.addHook('onRequest', async (_request, reply) => {
      reply.header('content-security-policy', GRAPHIQL_CONTENT_SECURITY_POLICY);
      reply.header('x-content-type-options', 'nosniff');
    });

    for (const path of ['/', '/graphiql']) {
      app.get(path, async (_request, reply) => reply.header('cache-control', 'no-cache').redirect('/graphiql/'));
    }

    await app.register(fastifyStatic, {
      root: assetsDir,
      prefix: '/graphiql/',
      decorateReply: false,
      dotfiles: 'ignore',
      cacheControl: false,
      setHeaders(reply, path) {
        // A file in assets/ carries the hash of its content in its name; index.html names those of today.
        const isHashed = path.startsWith(join(assetsDir, 'assets'));
        reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  };
}

async function requireBuiltPage(assetsDir: string): Promise<void> {
  try {
    await access(join(assetsDir, 'index.html'));
  } catch {
    throw new Error(`GraphiQL has not been built: ${assetsDir} holds no index.html. Run "npm run build", or set LATCHKEY_GRAPHIQL=false.`);
  }
}
