import { parse } from 'graphql';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createRequest, GraphQLRequestError } from '../../src/integrations/request.js';
import { RevokeSessionDocument, UsersDocument, ViewerDocument, type ViewerData } from '../../src/operations.js';
import type { TypedDocument } from '../../src/typed-document.js';
import { ENDPOINT, startSignedIn } from '../support/device.js';
import { refusal, type Fate } from '../support/model-server.js';

async function start() {
  const program = await startSignedIn();
  return { ...program, request: createRequest({ endpoint: ENDPOINT, auth: program.auth }) };
}

/** What GraphQL Code Generator makes with `documentMode: 'string'` has this shape. */
class TypedDocumentString<Result, Variables> extends String {
  readonly __apiType?: (variables: Variables) => Result;

  override toString(): TypedDocument<Result, Variables> {
    return super.toString();
  }
}

describe('createRequest', () => {
  it('tells the types of data and variables from the document', async () => {
    const { request } = await start();
    expectTypeOf(request(ViewerDocument)).resolves.toEqualTypeOf<ViewerData>();
    expectTypeOf(request(UsersDocument, { first: 10 })).resolves.toHaveProperty('users');
    // @ts-expect-error -- its variables are required
    await expect(request(RevokeSessionDocument)).resolves.toBeDefined();
    // @ts-expect-error -- there is no such variable
    await expect(request(UsersDocument, { last: 10 })).resolves.toBeDefined();
    // @ts-expect-error -- a parsed document would have to be printed
    await expect(request(parse('{ viewer { id } }'))).resolves.toBeDefined();
    expectTypeOf(request('{ viewer { id } }')).resolves.toBeUnknown();
  });

  it('sends a document of GraphQL Code Generator as its text', async () => {
    const { request, server } = await start();
    const document = new TypedDocumentString<{ viewer: { id: string } }, { first?: number }>('query Viewer { viewer { id } }');
    const { viewer } = await request(document, { first: 1 });
    expect(viewer.id).toBe('user-1');
    expect(server.callsOf('Viewer')).toHaveLength(1);
  });

  it('rejects with the errors, the status and the data of an answer that has errors', async () => {
    const { request, server } = await start();
    const errors = [{ message: 'Not you', path: ['a'], extensions: { code: 'FORBIDDEN' } }];
    server.fates(() => Response.json({ data: { a: null, b: 1 }, errors }));
    const failure = await request(ViewerDocument).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GraphQLRequestError);
    expect(failure).toMatchObject({ name: 'GraphQLRequestError', message: 'Not you', status: 200, data: { a: null, b: 1 }, errors });
  });

  it.each<[string, Fate]>([
    ['an error page', () => new Response('<html>Bad gateway</html>', { status: 502 })],
    ['JSON that is no GraphQL', () => Response.json({ message: 'no' }, { status: 502 })],
    ['neither data nor errors', () => Response.json({ data: null }, { status: 502 })],
    ['errors that are none', () => Response.json({ data: {}, errors: 'all of it' }, { status: 502 })],
  ])('rejects with the status of an answer that is %s', async (_, fate) => {
    const { request, server } = await start();
    server.fates(fate);
    await expect(request(ViewerDocument)).rejects.toMatchObject({
      errors: [],
      status: 502,
      message: expect.stringContaining('502') as string,
    });
  });

  it('takes no offence at errors that are null', async () => {
    const { request, server } = await start();
    server.fates(() => Response.json({ data: { viewer: null }, errors: null }));
    expect(await request(ViewerDocument)).toEqual({ viewer: null });
  });

  it('rejects with what fetch throws when there is no answer', async () => {
    const { request, server } = await start();
    server.fates('lose-request');
    await expect(request(ViewerDocument)).rejects.toBeInstanceOf(TypeError);
  });

  it('sends again what a refresh has cured', async () => {
    const { request, server } = await start();
    server.fates(() => refusal('UNAUTHENTICATED', { reason: 'TOKEN_STALE' }));
    expect((await request(ViewerDocument)).viewer.id).toBe('user-1');
    expect(server.callsOf('Viewer')).toHaveLength(2);
  });
});
