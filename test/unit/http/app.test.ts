import helmet from '@fastify/helmet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fastify, { type FastifyInstance } from 'fastify';
import { loadConfig } from '../../../src/config/config.js';
import { createHttpApp, HELMET_HEADERS } from '../../../src/http/app.js';
import { CONTENT_SECURITY_POLICY } from '../../../src/http/http-error.js';
import { recordingLog } from '../../support/log.js';

const CANARY = 'canary-of-a-secret';

let app: FastifyInstance;
let recorded: ReturnType<typeof recordingLog>;

beforeEach(async () => {
  recorded = recordingLog();
  app = await createHttpApp({ settings: { corsOrigins: [], trustProxy: [] }, log: recorded.log });
  app.get('/ok', () => ({ ok: true }));
  app.get('/breaks', () => {
    throw Object.assign(new Error(CANARY), { code: '42P01', detail: CANARY });
  });
  app.get('/refuses', () => {
    throw Object.assign(new Error(CANARY), { statusCode: 418 });
  });
});

afterEach(() => app.close());

describe('the HTTP server', () => {
  it.each(['/ok', '/breaks', '/refuses', '/nowhere'])('puts its headers on what %s answers', async (url) => {
    const { headers } = await app.inject(url);
    expect(headers).toMatchObject({
      ...HELMET_HEADERS,
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
  });

  it('says of itself what helmet would say', async () => {
    const helmeted = fastify();
    await helmeted.register(helmet, { contentSecurityPolicy: false });
    helmeted.get('/', (_request, reply) => reply.raw.getHeaders());
    expect((await helmeted.inject('/')).json()).toEqual(HELMET_HEADERS);
    await helmeted.close();
  });

  it('masks what a route throws, with the request id that the log has', async () => {
    const response = await app.inject('/breaks');
    const requestId = response.headers['x-request-id'];
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR', requestId } }] });
    expect(response.body).not.toContain(CANARY);
    expect(recorded.lines).toContainEqual(expect.objectContaining({ level: 'error', requestId, msg: 'a request failed' }));
  });

  it('does not repeat the text of an error that refuses', async () => {
    const response = await app.inject('/refuses');
    expect(response.statusCode).toBe(418);
    expect(response.body).not.toContain(CANARY);
  });

  it('logs the route of a request, never its address', async () => {
    await app.inject(`/ok?token=${CANARY}`);
    await app.inject(`/${CANARY}`);
    expect(recorded.lines.filter(({ msg }) => msg === 'request')).toEqual([
      expect.objectContaining({ method: 'GET', route: '/ok', status: 200 }),
      expect.objectContaining({ method: 'GET', status: 404 }),
    ]);
    expect(recorded.written.join('')).not.toContain(CANARY);
  });

  it.each(['10.0.0.7', '10.0.0.0/8', '10.0.0.0/1', '10.0.0.7/32', '::1', 'fd00::/8', '::ffff:10.0.0.7', '::ffff:10.0.0.0/104'])(
    'believes a proxy that the configuration names %s',
    async (proxy) => {
      const settings = loadConfig({ LATCHKEY_TRUST_PROXY: proxy });
      const proxied = await createHttpApp({ settings, log: recorded.log });
      proxied.get('/ip', ({ ip }) => ip);
      const remoteAddress = proxy.split('/')[0]!;
      const { body } = await proxied.inject({ url: '/ip', remoteAddress, headers: { 'x-forwarded-for': '192.0.2.1' } });
      expect(body).toBe('192.0.2.1');
      await proxied.close();
    },
  );

  it.each(['a b', '[', 'a/b', 'h'.repeat(300)])('refuses %j for a host', async (host) => {
    expect((await app.inject({ url: '/ok', headers: { host } })).statusCode).toBe(400);
  });
});
