import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

/** What is answered otherwise than an audit would like; none of it is a MUST. An audit that is not named here has to be ok. */
const deliberate: Record<string, 'notice' | 'warn'> = {
  // A GET may be had for the asking by any page in a browser, so there is none.
  '5A70': 'notice',
  D6D5: 'notice',
  '6A70': 'notice',
  // 400, where the audits follow an older text that wants 200 of application/json.
  '572B': 'warn',
  FDE2: 'warn',
  '7B9B': 'warn',
};

const audits = serverAudits({ url: () => new URL('/graphql', server.url).href });

describe('GraphQL over HTTP', () => {
  it.each(audits)('$id: $name', async ({ id, fn }) => {
    const result = await fn();
    expect({ status: result.status, reason: 'reason' in result ? result.reason : undefined }).toMatchObject({
      status: deliberate[id] ?? 'ok',
    });
  });

  it('departs from no audit that does not exist any more, and from no requirement', () => {
    const names = new Map(audits.map(({ id, name }) => [id, name]));
    expect(Object.keys(deliberate).map((id) => names.get(id)?.split(' ')[0])).toEqual(
      Object.values(deliberate).map((status) => (status === 'notice' ? 'MAY' : 'SHOULD')),
    );
  });
});
