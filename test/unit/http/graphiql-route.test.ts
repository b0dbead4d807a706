import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import helmet from '@fastify/helmet';
import Fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GRAPHIQL_CONTENT_SECURITY_POLICY, graphiqlRoute } from '../../../src/http/graphiql-route.js';

let assetsDir: string;

beforeEach(async () => {
  assetsDir = await mkdtemp(join(tmpdir(), 'graphiql-route-'));
  await mkdir(join(assetsDir, 'assets'));
  await writeFile(join(assetsDir, 'index.html'), '<!doctype html>');
  await writeFile(join(assetsDir, 'assets', 'index-abc.js'), 'export {};');
});

afterEach(async () => {
  await rm(assetsDir, { recursive: true });
});

async function get(url: string) {
  const app = Fastify();
  await app.register(helmet);
  await app.register(graphiqlRoute({ assetsDir }));
  const response = await app.inject({ url });
  await app.close();
  return response;
}

describe('the GraphiQL page', () => {
  it.each(['/', '/graphiql'])('is where %s leads', async (url) => {
    const response = await get(url);
    expect(response.statusCode).toBe(302);
    expect(response.headers.location).toBe('/graphiql/');
  });

  it('is asked for anew each time', async () => {
    const response = await get('/graphiql/');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('text/html');
    expect(response.headers['cache-control']).toBe('no-cache');
  });

  it('has assets that are kept for good', async () => {
    const response = await get('/graphiql/assets/index-abc.js');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('javascript');
    expect(response.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  it.each(['/', '/graphiql', '/graphiql/', '/graphiql/assets/index-abc.js', '/graphiql/assets/missing.js'])(
    'carries its own policy at %s, whatever the rest of the server says',
    async (url) => {
      const { headers } = await get(url);
      expect(headers['content-security-policy']).toBe(GRAPHIQL_CONTENT_SECURITY_POLICY);
      expect(headers['x-content-type-options']).toBe('nosniff');
    },
  );

  it.each(['/graphiql/assets/missing.js', '/graphiql/..%2fpackage.json', '/graphiql/%2e%2e/package.json', '/graphiql/assets/'])(
    'serves nothing at %s',
    async (url) => {
      expect((await get(url)).statusCode).toBeGreaterThanOrEqual(400);
    },
  );

  it('names what to run when it has not been built', async () => {
    const app = Fastify();
    const registration = async () => {
      await app.register(graphiqlRoute({ assetsDir: join(assetsDir, 'nowhere') }));
    };
    await expect(registration()).rejects.toThrow('Run "npm run build"');
    await app.close();
  });
});
