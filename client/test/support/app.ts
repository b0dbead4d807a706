import { newPerson } from '../../../test/support/calls.js';
import { createAuth, type Auth, type AuthOptions } from '../../src/auth.js';
import { memoryStorage } from '../../src/storage/memory.js';

export interface SentOperation {
  name: string;
  authorization: string | null;
}

/** An app with one `fetch` for all that it sends. */
export interface App {
  auth: Auth;
  endpoint: string;
  fetch: typeof globalThis.fetch;
  /** Every operation that was sent, in order. */
  sent: SentOperation[];
  timesSent(name: string): number;
  /** Answers in place of the server, to what is named; undefined lets it through. */
  intercept(answer: (name: string) => Response | undefined): void;
}

export interface AppOptions extends Partial<Omit<AuthOptions, 'endpoint' | 'fetch'>> {
  endpoint: string;
  /** Tells the kit that access tokens live an hour, so that it learns from the server alone when they do not. */
  isUnaware?: boolean;
}

export function startApp({ endpoint, isUnaware = false, storage = memoryStorage(), ...options }: AppOptions): App {
  const sent: SentOperation[] = [];
  let answerOf: (name: string) => Response | undefined = () => undefined;
  const watched: typeof fetch = async (input, init) => {
    const name = /(?:mutation|query) (\w+)/.exec(typeof init?.body === 'string' ? init.body : '')?.[1] ?? '';
    sent.push({ name, authorization: new Headers(init?.headers).get('authorization') });
    const response = answerOf(name) ?? (await fetch(input, init));
    if (!isUnaware) return response;
    return new Response((await response.text()).replace(/"expiresIn":\d+/, '"expiresIn":3600'), response);
  };
  return {
    auth: createAuth({ endpoint, device: { name: 'A test' }, ...options, storage, fetch: watched }),
    endpoint,
    fetch: watched,
    sent,
    timesSent: (name) => sent.filter((operation) => operation.name === name).length,
    intercept(answer) {
      answerOf = answer;
    },
  };
}

export interface SignedInApp extends App {
  email: string;
  sessionId: string;
}

/** An app that somebody has registered with. */
export async function startSignedInApp(options: AppOptions): Promise<SignedInApp> {
  const app = startApp(options);
  const person = newPerson();
  const result = await app.auth.register(person);
  if (!result.ok) throw new Error(result.error.message);
  app.sent.length = 0;
  return { ...app, email: person.email, sessionId: result.session.id };
}
