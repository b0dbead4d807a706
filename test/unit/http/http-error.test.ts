import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { bareHttpError, CONTENT_SECURITY_POLICY, rawHttpError, sendHttpError } from '../../../src/http/http-error.js';

describe('an error that never became an operation', () => {
  it.each([
    [400, 'BAD_REQUEST', false],
    [404, 'BAD_REQUEST', false],
    [405, 'BAD_REQUEST', false],
    [413, 'BAD_REQUEST', false],
    [431, 'BAD_REQUEST', false],
    [500, 'INTERNAL_SERVER_ERROR', false],
    [503, 'SERVICE_UNAVAILABLE', true],
  ])('of status %i has the shape that GraphQL clients read, with code %s', async (status, code, retryable) => {
    const app = Fastify();
    app.get('/', (_request, reply) => sendHttpError(reply, status, 'What to do.', { requestId: 'r' }));
    const response = await app.inject('/');
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.json()).toEqual({ errors: [{ message: 'What to do.', extensions: { code, retryable, requestId: 'r' } }] });
    await app.close();
  });

  it('brings its own headers where no hook can set them', () => {
    const { headers, body } = bareHttpError(400, 'Größe.');
    expect(headers).toEqual({
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'x-content-type-options': 'nosniff',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'cache-control': 'no-store',
      connection: 'close',
    });
    expect(JSON.parse(body)).toEqual({ errors: [{ message: 'Größe.', extensions: { code: 'BAD_REQUEST', retryable: false } }] });
  });

  it('is one whole response where there is only a socket', () => {
    const [head = '', body] = rawHttpError(431, 'Too much.').split('\r\n\r\n');
    const [status, ...lines] = head.split('\r\n');
    expect(status).toBe('HTTP/1.1 431 ');
    expect(lines).toEqual(Object.entries(bareHttpError(431, 'Too much.').headers).map(([name, value]) => `${name}: ${value}`));
    expect(body).toBe(bareHttpError(431, 'Too much.').body);
  });
});
