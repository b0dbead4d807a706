import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { healthRoutes, type Readiness } from '../../../src/http/health.js';

async function get(url: string, readiness: () => Promise<Readiness> = async () => ({})) {
  const app = Fastify();
  await app.register(healthRoutes({ readiness }));
  const response = await app.inject(url);
  await app.close();
  return response;
}

describe('/livez', () => {
  it('answers as long as the process does, and asks nobody', async () => {
    const response = await get('/livez', () => Promise.reject(new Error('asked')));
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'ok' }]);
  });
});

describe('/readyz', () => {
  it.each([
    [503, 'unavailable', { database: false, keys: true }],
    [503, 'unavailable', { database: true, keys: false }],
    [503, 'unavailable', { database: false, keys: false }],
    [200, 'ok', { database: true, keys: true }],
  ])('is %i and %s when the checks say %j', async (status, text, checks) => {
    const response = await get('/readyz', async () => checks);
    expect([response.statusCode, response.json()]).toEqual([status, { status: text, checks }]);
  });

  it('is not ready when a check cannot be made', async () => {
    expect((await get('/readyz', () => Promise.reject(new Error('no answer')))).statusCode).toBe(500);
  });
});

describe('health', () => {
  it.each(['/livez', '/readyz'])('%s is kept by nobody', async (url) => {
    expect((await get(url)).headers['cache-control']).toBe('no-store');
  });
});
