import { createSend } from '../../../src/graphiql/api.js';
import { createSession, type Session } from '../../../src/graphiql/session.js';

export interface Call {
  operation: string;
  input: Record<string, unknown>;
}

type Answer = (call: Call) => Response | Promise<Response>;

/** A server that answers each call with the next answer given, keeps the calls, and fails loudly when it is asked more than that. */
export class FakeServer {
  readonly calls: Call[] = [];
  readonly #answers: Answer[] = [];
  readonly session: Session;

  constructor() {
    let attempts = 0;
    this.session = createSession({
      send: createSend({ endpoint: '/graphql', fetch: this.#fetch }),
      randomId: () => `attempt-${String((attempts += 1))}`,
    });
  }

  answers(...answers: Answer[]): this {
    this.#answers.push(...answers);
    return this;
  }

  callsOf(operation: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.operation === operation).map((call) => call.input);
  }

  readonly #fetch: typeof globalThis.fetch = async (_url, init) => {
    if (typeof init?.body !== 'string') throw new TypeError('expected a JSON body');
    const body = JSON.parse(init.body) as { query: string; variables: { input: Record<string, unknown> } };
    const call = { operation: /mutation (\w+)/.exec(body.query)?.[1] ?? 'none', input: body.variables.input };
    this.calls.push(call);
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error(`no answer was prepared for ${call.operation}`);
    return answer(call);
  };
}

export function tokens(name: string, overrides: Record<string, unknown> = {}): Answer {
  return ({ operation }) =>
    Response.json({
      data: {
        [operation.toLowerCase()]: {
          accessToken: `access-${name}`,
          tokenType: 'Bearer',
          expiresIn: 900,
          refreshToken: `refresh-${name}`,
          user: { id: '1', email: 'ada@example.com', roles: ['user'] },
          ...overrides,
        },
      },
    });
}

export function refusal(code: string, extensions: Record<string, unknown> = {}, status = 200): Answer {
  return () => Response.json({ data: null, errors: [{ message: `message of ${code}`, extensions: { code, ...extensions } }] }, { status });
}

export const unreachable: Answer = () => {
  throw new TypeError('fetch failed');
};

export const loggedOut: Answer = () => Response.json({ data: { logout: { success: true } } });

/** An answer that waits until it is let go. */
export function held(answer: Answer): { answer: Answer; release: () => void } {
  const gate = Promise.withResolvers<undefined>();
  return {
    answer: async (call) => {
      await gate.promise;
      return answer(call);
    },
    release: () => {
      gate.resolve(undefined);
    },
  };
}
