import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { wellKnownRoutes } from '../../../src/http/well-known.js';
import type { KeyRing } from '../../../src/keys/key-ring.js';

const jwks = { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x', kid: 'k', alg: 'EdDSA', use: 'sig' }] };

async function get(method: 'GET' | 'POST' = 'GET') {
  const app = Fastify();
  await app.register(wellKnownRoutes({ keys: { jwks: () => jwks } as Partial<KeyRing> as KeyRing }));
  const response = await app.inject({ method, url: '/.well-known/jwks.json' });
  await app.close();
  return response;
}

describe('the key set', () => {
  it('is what the key ring publishes', async () => {
    const response = await get();
    expect([response.statusCode, response.json()]).toEqual([200, jwks]);
  });

  it('is a JWK set that anyone may read and keep for five minutes', async () => {
    expect((await get()).headers).toMatchObject({
      'content-type': 'application/jwk-set+json; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
  });

  it('is only read', async () => {
    expect((await get('POST')).statusCode).toBe(404);
  });
});
