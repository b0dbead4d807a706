import type { FastifyPluginCallback } from 'fastify';

import type { KeyRing } from '../keys/key-ring.js';

/** How long others may keep the key set; a new key is published for longer before it signs. */
const JWKS_MAX_AGE_SECONDS = 300;

/** The public keys, for whoever verifies our tokens themselves (RFC 7517 section 5). */
export function wellKnownRoutes({ keys }: { keys: KeyRing }): FastifyPluginCallback {
  return (app, _options, done) => {
    app.get('/.well-known/jwks.json', (_request, reply) =>
      reply
        .header('cache-control', `public, max-age=${String(JWKS_MAX_AGE_SECONDS)}`)
        .header('access-control-allow-origin', '*')
        .header('cross-origin-resource-policy', 'cross-origin')
        .type('application/jwk-set+json')
        .send(JSON.stringify(keys.jwks())),
    );
    done();
  };
}
