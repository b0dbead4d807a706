import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCalls, newPerson, type Tokens } from '../support/calls.js';
import { bearer, operation } from '../support/client.js';
import { ProbeResolver } from '../support/probe.resolver.js';
import { sendRaw } from '../support/raw-http.js';
import { startTestServer, type TestServer } from '../support/server.js';

interface ErrorBody {
  errors: { message: string; extensions: Record<string, unknown> }[];
}

const PROBE = JSON.stringify({ query: '{ probe { value } }' });
const APP = 'https://app.example.com';

const probe = new ProbeResolver();

/** As it comes out of the box. */
let server: TestServer;
/** With one web app allowed to call it, behind a proxy on this machine. */
let open: TestServer;
/** Behind a proxy that is somewhere else. */
let elsewhere: TestServer;

beforeAll(async () => {
  const overrides = { resolvers: [probe] };
  [server, open, elsewhere] = await Promise.all([
    startTestServer({ overrides }),
    startTestServer({ variables: { LATCHKEY_CORS_ORIGINS: APP, LATCHKEY_TRUST_PROXY: '127.0.0.1,10.0.0.0/8' }, overrides }),
    startTestServer({ variables: { LATCHKEY_TRUST_PROXY: '10.0.0.0/8' } }),
  ]);
});

afterAll(() => Promise.all([server.close(), open.close(), elsewhere.close()]));

beforeEach(() => {
  probe.runs = 0;
});

function post(headers: Record<string, string>, body: BodyInit = PROBE, url = server.url): Promise<Response> {
  return fetch(new URL('/graphql', url), { method: 'POST', headers, body });
}

const postJson = (body: string, headers: Record<string, string> = {}) => post({ 'content-type': 'application/json', ...headers }, body);

const HASH_ALONE = `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"${'0'.repeat(64)}"}}}`;

/** A request as bytes, its connection to be closed, with the header lines given. */
function rawRequest(lines: readonly string[], { body = PROBE, start = 'POST /graphql HTTP/1.1', host = true } = {}): string {
  const own = [...(host ? ['Host: localhost'] : []), 'Content-Type: application/json', 'Connection: close'];
  return `${[start, ...own, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

const LENGTH = `Content-Length: ${PROBE.length}`;

describe('A7: the only way in', () => {
  it('is POST of JSON', async () => {
    const response = await postJson(PROBE);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ data: { probe: { value: 1 } } });
    expect(probe.runs).toBe(1);
  });

  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('is not %s: 405, and which method is', async (method) => {
    const url = new URL('/graphql?query=%7Bprobe%7Bvalue%7D%7D', server.url);
    const response = await fetch(url, { method, headers: { 'content-type': 'application/json', 'apollo-require-preflight': '1' } });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(probe.runs).toBe(0);
  });

  it('is not TRACE, which repeats nothing of what was sent', async () => {
    const reply = await sendRaw(server.url, rawRequest(['Authorization: Bearer canary'], { start: 'TRACE /graphql HTTP/1.1', body: '' }));
    expect([404, 405]).toContain(reply.status);
    expect(reply.text).not.toContain('canary');
  });

  it('takes no access token in the address', async () => {
    const response = await fetch(new URL('/graphql?access_token=abc', server.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: PROBE,
    });
    expect(response.status).toBe(400);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_request"');
    expect(probe.runs).toBe(0);
  });

  it('ignores an operation in the address', async () => {
    const url = new URL('/graphql?query=%7Bprobe%7Bvalue%7D%7D', server.url);
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    expect(response.status).toBe(400);
    expect(probe.runs).toBe(0);
  });

  it.each(['/graphql/', '//graphql', '/GRAPHQL', '/graphql%2f', '/%67raphql/x', '/graphql/../graphql'])('is not at %s', async (path) => {
    const reply = await sendRaw(server.url, rawRequest([LENGTH], { start: `POST ${path} HTTP/1.1` }));
    expect(reply.status).toBe(404);
    expect(probe.runs).toBe(0);
  });
});

describe('A7: a content type', () => {
  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json; charset="utf-8"',
    'application/json\t; charset=utf-8',
  ])('%j is JSON', async (contentType) => {
    expect((await post({ 'content-type': contentType })).status).toBe(200);
    expect(probe.runs).toBe(1);
  });

  // What a page elsewhere can make a browser send without asking first, and what has passed for it in other servers.
  it.each([
    'text/plain',
    'text/plain; application/json',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/graphql-response+json',
    'application/jsonp',
    'application/json, text/plain',
    'application/json text/plain',
    'application/json\t;',
    'application/json;',
    'application/json; charset=utf-16',
    'application/json; charset=ibm037',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; boundary=x',
    'application/',
    '/json',
    'json',
    '*/*',
  ])('%j is refused before anything runs, preflighted or not', async (contentType) => {
    for (const more of [{}, { 'apollo-require-preflight': 'true', 'x-apollo-operation-name': 'x' }]) {
      const response = await post({ 'content-type': contentType, ...more });
      expect(response.status).toBe(415);
      expect(((await response.json()) as ErrorBody).errors[0]!.extensions).toEqual({ code: 'BAD_REQUEST', retryable: false });
    }
    expect(probe.runs).toBe(0);
  });

  it.each([
    ['that is missing', []],
    ['that is empty', ['Content-Type:']],
    ['that comes twice', ['Content-Type: text/plain', 'Content-Type: application/json']],
    ['of another case and place', ['Content-Type: text/plain; application/json']],
  ])('%s is refused before anything runs', async (_name, lines) => {
    const head = ['POST /graphql HTTP/1.1', 'Host: localhost', 'Connection: close', LENGTH, ...lines].join('\r\n');
    expect((await sendRaw(server.url, `${head}\r\n\r\n${PROBE}`)).status).toBe(415);
    expect(probe.runs).toBe(0);
  });

  it('is what the header says, white space before it not counting (RFC 9110 section 5.5)', async () => {
    const head = `POST /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${LENGTH}\r\nContent-Type: \t application/json`;
    expect((await sendRaw(server.url, `${head}\r\n\r\n${PROBE}`)).status).toBe(200);
  });
});

describe('a body', () => {
  const bodyOf = (length: number) => `${PROBE.slice(0, -1)},"extensions":{"x":"${'x'.repeat(length - PROBE.length - 22)}"}}`;

  it.each([
    [65_536, 200, 1],
    [65_537, 413, 0],
    [1_000_000, 413, 0],
  ])('of %i bytes: %i', async (length, status, runs) => {
    const body = bodyOf(length);
    expect(body).toHaveLength(length);
    expect((await postJson(body)).status).toBe(status);
    expect(probe.runs).toBe(runs);
  });

  it('that is too large is cut off, however it is framed', async () => {
    const chunked = `${(70_000).toString(16)}\r\n${' '.repeat(70_000)}\r\n0\r\n\r\n`;
    const reply = await sendRaw(server.url, rawRequest(['Transfer-Encoding: chunked'], { body: chunked }));
    expect([reply.status, reply.responses, reply.closed]).toEqual([413, 1, true]);
  });

  it.each([
    ['nothing', ''],
    ['half of something', '{"query":"{ probe'],
    ['a string', '"{ probe { value } }"'],
    ['a number', '1'],
    ['null', 'null'],
    ['an empty object', '{}'],
    ['an operation beside a prototype', '{"query":"{ probe { value } }","__proto__":{"isAdmin":true}}'],
    ['variables with a prototype', '{"query":"{ probe { value } }","variables":{"__proto__":{"isAdmin":true}}}'],
    ['a prototype in disguise', '{"query":"{ probe { value } }","variables":{"\\u005f_proto__":{"isAdmin":true}}}'],
    ['a constructor with a prototype', '{"query":"{ probe { value } }","constructor":{"prototype":{"isAdmin":true}}}'],
    ['an array of one operation', `[${PROBE}]`],
    ['an array of two', `[${PROBE},${PROBE}]`],
    ['an empty array', '[]'],
    ['a query that is an object', '{"query":{"kind":"Document"}}'],
    ['a query that is a list', '{"query":["{ probe { value } }"]}'],
    ['variables that are a list', '{"query":"{ probe { value } }","variables":[1]}'],
    ['an operation name that is an object', '{"query":"{ probe { value } }","operationName":{}}'],
  ])('of %s is 400, and nothing runs', async (_name, body) => {
    const response = await postJson(body);
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as ErrorBody;
    expect(errors).toHaveLength(1);
    expect(errors[0]!.extensions).toEqual({ code: 'BAD_REQUEST', retryable: false });
    expect(probe.runs).toBe(0);
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it('with the hash of a persisted query is told to send the document', async () => {
    const response = await postJson(HASH_ALONE);
    const { errors } = (await response.json()) as ErrorBody;
    expect(errors[0]!.extensions).toEqual({ code: 'PERSISTED_QUERY_NOT_SUPPORTED', retryable: false });
  });

  it('with the same key twice means the last', async () => {
    const response = await postJson('{"query":"{ unknown }","query":"{ probe { value } }"}');
    expect(await response.json()).toEqual({ data: { probe: { value: 1 } } });
  });

  it('that is not UTF-8 does not stop the server', async () => {
    const response = await post({ 'content-type': 'application/json' }, new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]));
    expect(response.status).toBe(400);
  });
});

describe('A5, A10: a header', () => {
  it.each([
    ['one header', [`X-Long: ${'x'.repeat(17 * 1024)}`]],
    ['many headers', Array.from({ length: 400 }, (_, index) => `X-${index}: ${'x'.repeat(40)}`)],
    ['a bearer token', [`Authorization: Bearer ${'x'.repeat(17 * 1024)}`]],
    ['a Host', [`Host: ${'h'.repeat(17 * 1024)}`]],
  ])('block of 17 KiB in %s: 431', async (_name, lines) => {
    const reply = await sendRaw(server.url, rawRequest([LENGTH, ...lines]));
    expect([reply.status, reply.responses, reply.closed]).toEqual([431, 1, true]);
    expect(probe.runs).toBe(0);
  });

  it.each([
    'Host: a b',
    'Host: [',
    'Host: ]',
    'Host:',
    `Host: ${'h'.repeat(8192)}`,
    'Host: a/b',
    'Host: user@host',
    'Host: a:b:c',
    'Host: a?b',
    'Host: \xff',
  ])('%j is no host: 400', async (host) => {
    const reply = await sendRaw(server.url, rawRequest([host, LENGTH], { host: false }));
    expect([reply.status, reply.responses, reply.closed]).toEqual([400, 1, true]);
    expect(probe.runs).toBe(0);
  });

  it.each(['HTTP/1.1', 'HTTP/1.0'])('Host that is missing from %s: 400', async (version) => {
    const reply = await sendRaw(server.url, rawRequest([LENGTH], { host: false, start: `POST /graphql ${version}` }));
    expect([reply.status, reply.responses, reply.closed]).toEqual([400, 1, true]);
    expect(probe.runs).toBe(0);
  });

  it.each(['localhost', 'localhost:4000', '127.0.0.1', '[::1]', '[::1]:4000', 'auth.example.com', 'auth_1.internal'])(
    'Host: %s is a host',
    async (host) => {
      expect((await sendRaw(server.url, rawRequest([`Host: ${host}`, LENGTH], { host: false }))).status).toBe(200);
    },
  );
});

describe('Authorization', () => {
  it.each([
    ['twice', ['Authorization: Bearer abc', 'Authorization: Bearer abc']],
    ['twice, the second of another scheme', ['Authorization: Bearer abc', 'Authorization: Basic YTpi']],
    ['twice, spelt differently', ['authorization: Basic YTpi', 'AUTHORIZATION: Bearer abc']],
    ['without a token', ['Authorization: Bearer']],
    ['without a token but a space', ['Authorization: Bearer ']],
    ['with two tokens', ['Authorization: Bearer abc def']],
    ['with two tokens and a comma', ['Authorization: Bearer abc, Bearer def']],
    ['with a token in quotation marks', ['Authorization: Bearer "abc"']],
    ['with bytes beyond ASCII', ['Authorization: Bearer \xe4\xf6\xfc']],
    ['that is empty', ['Authorization:']],
  ])('%s is 400 and invalid_request', async (_name, lines) => {
    const reply = await sendRaw(server.url, rawRequest([LENGTH, ...lines]));
    expect([reply.status, reply.responses]).toEqual([400, 1]);
    expect(reply.text).toMatch(/^www-authenticate: Bearer error="invalid_request"\r$/im);
    expect(probe.runs).toBe(0);
  });

  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('takes %s for the scheme', async (scheme) => {
    const { accessToken, user } = await createCalls(server.graphql).answer<Tokens>('register', { input: newPerson() });
    const headers = { authorization: `${scheme} ${accessToken}` };
    expect(await createCalls(server.graphql).answer('viewer', {}, headers)).toMatchObject({ id: user.id });
  });

  it.each(['Basic YTpi', 'Digest username="x"', 'Token abc', 'Bearerabc', 'DPoP abc'])(
    '%s is no credentials of ours',
    async (authorization) => {
      const { errors, headers } = await server.graphql(operation('viewer'), {}, { authorization });
      expect(errors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
      expect(headers.get('www-authenticate')).toBe('Bearer');
    },
  );
});

describe('every response', () => {
  /** One of each kind of answer that the server gives. */
  const requests: [string, number, string | (() => Promise<Response>)][] = [
    ['an operation', 200, () => postJson(PROBE)],
    ['an operation that is refused', 200, () => postJson(JSON.stringify({ query: operation('viewer') }))],
    ['a document that does not fit the schema', 400, () => postJson('{"query":"{ nothing }"}')],
    ['the hash of a document', 200, () => postJson(HASH_ALONE)],
    ['JSON that is none', 400, () => postJson('{')],
    ['a malformed bearer token', 400, () => postJson(PROBE, { authorization: 'Bearer a b' })],
    ['another content type', 415, () => post({ 'content-type': 'text/plain' })],
    ['a body that is too large', 413, () => postJson(' '.repeat(65_537))],
    ['another method', 405, () => fetch(new URL('/graphql', server.url))],
    ['a path where nothing is', 404, () => fetch(new URL('/nothing', server.url))],
    ['/', 404, () => fetch(new URL('/', server.url))],
    ['a path that cannot be decoded', 400, () => fetch(`${server.url}/%canary`)],
    ['/livez', 200, () => fetch(new URL('/livez', server.url))],
    ['/readyz', 200, () => fetch(new URL('/readyz', server.url))],
    ['the key set', 200, () => fetch(new URL('/.well-known/jwks.json', server.url))],
    ['a Host that is none', 400, rawRequest(['Host: ['], { host: false })],
    ['two hosts', 400, rawRequest(['Host: a', LENGTH])],
    ['an expectation that nobody here meets', 417, rawRequest([LENGTH, 'Expect: canary'])],
    ['what is not HTTP', 400, 'canary\r\n\r\n'],
    ['a header block that is too large', 431, rawRequest([`X: ${'x'.repeat(17 * 1024)}`])],
  ];

  async function answerTo(request: string | (() => Promise<Response>)): Promise<{ status: number; headers: Headers; body: string }> {
    if (typeof request !== 'string') {
      const response = await request();
      return { status: response.status, headers: response.headers, body: await response.text() };
    }
    const { status, text } = await sendRaw(server.url, request);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const headers = new Headers();
    for (const line of head.split('\r\n').slice(1)) headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1));
    return { status, headers, body };
  }

  it.each(requests)(
    'to %s (%i) is JSON in UTF-8, is taken for nothing else, and does not say what runs here',
    async (_name, status, request) => {
      const { headers, body, ...reply } = await answerTo(request);
      expect(reply.status).toBe(status);
      expect(headers.get('content-type')).toMatch(/^application\/[a-z+-]*json; charset=utf-8$/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('server')).toBeNull();
      expect(headers.get('access-control-allow-origin')).toBe(_name === 'the key set' ? '*' : null);
      expect(body).not.toMatch(/canary|node_modules|fastify|stack/i);
      if (status >= 400) {
        const parsed = JSON.parse(body) as ErrorBody;
        expect(Object.keys(parsed)).toEqual(['errors']);
        expect(parsed.errors[0]!.message).toMatch(/^[A-Z].*\.$/s);
        expect(parsed.errors[0]!.extensions).toMatchObject({ retryable: false });
      }
    },
  );

  it('of the API is kept by nobody', async () => {
    for (const reply of [
      await postJson(PROBE),
      await postJson('{'),
      await postJson(HASH_ALONE),
      await post({ 'content-type': 'text/plain' }),
      await postJson(JSON.stringify({ query: operation('register'), variables: { input: newPerson() } })),
    ]) {
      expect(reply.headers.get('cache-control')).toBe('no-store');
    }
  });

  it('names a request id of ours, whatever the caller sends', async () => {
    const replies = await Promise.all([1, 2].map(() => postJson(PROBE, { 'x-request-id': 'mine', 'request-id': 'mine' })));
    const ids = replies.map(({ headers }) => headers.get('x-request-id'));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([
    ['application/graphql-response+json', 'application/graphql-response+json; charset=utf-8'],
    ['application/json', 'application/json; charset=utf-8'],
    ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json; charset=utf-8'],
    ['*/*', 'application/json; charset=utf-8'],
  ])('to Accept: %s is %s', async (accept, contentType) => {
    expect((await postJson(PROBE, { accept })).headers.get('content-type')).toBe(contentType);
  });

  it.each(['text/html', 'application/json;q=0', 'application/*;q=0, text/*'])(
    'to an Accept that nothing here meets is 406, and nothing runs: %s',
    async (accept) => {
      const response = await postJson(PROBE, { accept });
      expect(response.status).toBe(406);
      expect(probe.runs).toBe(0);
    },
  );
});

describe('A7: a page in a browser', () => {
  const preflight = (url: string, origin: string) =>
    fetch(new URL('/graphql', url), {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
    });
  const corsHeaders = (response: Response) => [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));

  it('may call from an origin that is allowed', async () => {
    const asked = await preflight(open.url, APP);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(APP);
    expect(asked.headers.get('access-control-allow-methods')).toBe('POST');
    expect(asked.headers.get('access-control-allow-headers')).toBe('authorization, content-type');
    const response = await post({ 'content-type': 'application/json', origin: APP }, PROBE, open.url);
    expect(await response.json()).toEqual({ data: { probe: { value: 1 } } });
    expect(response.headers.get('access-control-allow-origin')).toBe(APP);
    expect(response.headers.get('access-control-expose-headers')).toBe('www-authenticate, x-request-id');
    expect(response.headers.get('vary')).toMatch(/\borigin\b/i);
  });

  it.each([
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com.evil.example',
    'https://app.example.com:8443',
    'https://sub.app.example.com',
    'HTTPS://APP.EXAMPLE.COM/',
    'null',
    '*',
  ])('may not call from %s', async (origin) => {
    for (const response of [
      await preflight(open.url, origin),
      await post({ 'content-type': 'application/json', origin }, PROBE, open.url),
    ]) {
      expect(response.headers.get('access-control-allow-origin')).not.toBe(origin);
      expect(response.headers.get('access-control-allow-origin')).not.toBe('*');
    }
  });

  it('may call from nowhere unless an origin is allowed', async () => {
    expect(corsHeaders(await preflight(server.url, APP))).toEqual([]);
    expect(corsHeaders(await post({ 'content-type': 'application/json', origin: APP }))).toEqual([]);
  });

  it('never sends credentials of its own', async () => {
    for (const origin of [APP, 'https://evil.example']) {
      for (const response of [
        await preflight(open.url, origin),
        await post({ 'content-type': 'application/json', origin }, PROBE, open.url),
      ]) {
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
        expect(response.headers.get('set-cookie')).toBeNull();
      }
    }
  });
});

describe('A10: where a request comes from', () => {
  const document = '{ viewer { sessions { ipAddress userAgent } } }';

  async function originOf({ graphql }: TestServer, headers: Record<string, string>): Promise<unknown> {
    const { accessToken } = await createCalls(graphql).answer<Tokens>('register', { input: newPerson() }, headers);
    const { data } = await graphql<{ viewer: { sessions: { ipAddress: string; userAgent: string }[] } }>(document, {}, bearer(accessToken));
    return data!.viewer.sessions[0]!.ipAddress;
  }

  const forged = {
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-real-ip': '203.0.113.8',
    forwarded: 'for=203.0.113.9',
  };

  it('is the address of the connection, whatever X-Forwarded-For says', async () => {
    expect(await originOf(server, forged)).toBe('127.0.0.1');
  });

  it('is the address of the connection when the proxy is not one that is trusted', async () => {
    expect(await originOf(elsewhere, forged)).toBe('127.0.0.1');
  });

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['203.0.113.7:51234', '203.0.113.7'],
    ['[2001:db8::1]:51234', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[::ffff:203.0.113.7]:51234', '203.0.113.7'],
    ['6.6.6.6, 203.0.113.7', '203.0.113.7'],
    ['6.6.6.6, 203.0.113.7, 10.1.2.3', '203.0.113.7'],
  ])('behind a trusted proxy that says "%s" is %s', async (forwardedFor, address) => {
    expect(await originOf(open, { ...forged, 'x-forwarded-for': forwardedFor })).toBe(address);
  });

  it.each(['x'.repeat(200), '<script>', "' OR 1=1 --", ''])(
    'is an address or nothing, when a trusted proxy passes on %j',
    async (forwardedFor) => {
      expect(await originOf(open, { 'x-forwarded-for': forwardedFor })).toSatisfy(
        (address: string | null) => address === null || /^[0-9a-f.:]{2,45}$/.test(address),
      );
    },
  );

  it('tells a user agent in printable ASCII, cut to 256 characters', async () => {
    const userAgent = `Ap\xe9p/1.0 ${'x'.repeat(1000)}`;
    const { accessToken } = await createCalls(server.graphql).answer<Tokens>(
      'register',
      { input: newPerson() },
      { 'user-agent': userAgent },
    );
    const { data } = await server.graphql<{ viewer: { sessions: { userAgent: string }[] } }>(document, {}, bearer(accessToken));
    expect(data!.viewer.sessions[0]!.userAgent).toBe(`Ap?p/1.0 ${'x'.repeat(247)}`);
  });
});

describe('A9: a request that two servers could read differently', () => {
  const hidden = rawRequest([LENGTH]);
  const chunked = `${PROBE.length.toString(16)}\r\n${PROBE}\r\n0\r\n\r\n`;

  it.each<[string, string]>([
    [
      'Content-Length and Transfer-Encoding',
      rawRequest(['Content-Length: 5', 'Transfer-Encoding: chunked'], { body: `0\r\n\r\n${hidden}` }),
    ],
    [
      'Transfer-Encoding and Content-Length',
      rawRequest(['Transfer-Encoding: chunked', 'Content-Length: 5'], { body: `0\r\n\r\n${hidden}` }),
    ],
    ['two Content-Lengths', rawRequest([LENGTH, 'Content-Length: 0'], { body: PROBE + hidden })],
    ['two Content-Lengths that agree', rawRequest([LENGTH, LENGTH], { body: PROBE + hidden })],
    ['a list of Content-Lengths', rawRequest([`Content-Length: ${PROBE.length}, ${PROBE.length}`], { body: PROBE + hidden })],
    ['white space before Content-Length', rawRequest([` ${LENGTH}`], { body: PROBE + hidden })],
    ['white space behind a name', rawRequest([`Content-Length : ${PROBE.length}`], { body: PROBE + hidden })],
    ['a negative Content-Length', rawRequest(['Content-Length: -1'], { body: hidden })],
    ['a signed Content-Length', rawRequest([`Content-Length: +${PROBE.length}`], { body: PROBE + hidden })],
    ['a hexadecimal Content-Length', rawRequest(['Content-Length: 0x10'], { body: hidden })],
    ['a Content-Length beyond all numbers', rawRequest([`Content-Length: ${'9'.repeat(40)}`], { body: hidden })],
    ['a transfer coding that is unknown', rawRequest(['Transfer-Encoding: xchunked'], { body: chunked + hidden })],
    ['chunked that is not last', rawRequest(['Transfer-Encoding: chunked, identity'], { body: chunked + hidden })],
    ['a chunk size that is none', rawRequest(['Transfer-Encoding: chunked'], { body: `zz\r\n${PROBE}\r\n0\r\n\r\n${hidden}` })],
    ['a chunk that is longer than its size', rawRequest(['Transfer-Encoding: chunked'], { body: `1\r\n${PROBE}\r\n0\r\n\r\n${hidden}` })],
    ['a bare CR between lines', rawRequest([`X: y\r${LENGTH}`], { body: hidden })],
    ['a bare LF between lines', rawRequest([`X: y\n${LENGTH}`], { body: PROBE + hidden })],
    ['CR and something behind it', rawRequest([LENGTH, 'X: y\r\n\rX'], { body: hidden })],
    ['a line that is folded', rawRequest([LENGTH, 'X: y\r\n folded'], { body: PROBE + hidden })],
    ['NUL in a value', rawRequest([LENGTH, 'X: a\0b'], { body: PROBE + hidden })],
    ['NUL in a name', rawRequest([LENGTH, 'X\0: ab'], { body: PROBE + hidden })],
    ['a line without a colon', rawRequest([LENGTH, 'nothing'], { body: PROBE + hidden })],
    ['two Hosts', rawRequest([LENGTH, 'Host: evil.example'], { body: PROBE + hidden })],
    ['a Host in the address and another in the header', rawRequest([LENGTH], { start: 'POST http://a b/graphql HTTP/1.1', body: PROBE })],
    ['a version that does not exist', rawRequest([LENGTH], { start: 'POST /graphql HTTP/9.9', body: PROBE })],
    ['white space in the address', rawRequest([LENGTH], { start: 'POST /graphql /x HTTP/1.1', body: PROBE })],
  ])('%s: one 400, and the connection ends', async (_name, request) => {
    const reply = await sendRaw(server.url, request);
    expect([reply.status, reply.responses, reply.closed]).toEqual([400, 1, true]);
    expect(probe.runs).toBe(0);
  });

  it('none: a chunked request is one request', async () => {
    const reply = await sendRaw(server.url, rawRequest(['Transfer-Encoding: chunked'], { body: chunked }));
    expect([reply.status, reply.responses, probe.runs]).toEqual([200, 1, 1]);
  });
});
