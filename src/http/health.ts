import type { FastifyPluginCallback } from 'fastify';

/** What must be so before traffic may come, each by name. */
export type Readiness = Readonly<Record<string, boolean>>;

/** /livez: the process answers. /readyz: it can serve, and is not about to stop. */
export function healthRoutes({ readiness }: { readiness: () => Promise<Readiness> }): FastifyPluginCallback {
  return (app, _options, done) => {
    app.addHook('onRequest', (_request, reply, next) => {
      void reply.header('cache-control', 'no-store');
      next();
    });
    app.get('/livez', (_request, reply) => reply.send({ status: 'ok' }));
    app.get('/readyz', async (_request, reply) => {
      const checks = await readiness();
      const isReady = Object.values(checks).every(Boolean);
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'unavailable', checks });
    });
    done();
  };
}
