import type { GraphQLErrorLike } from './faults.js';
import { isJsonObject, objectOrEmpty, parseJson } from './json.js';
import { platform } from './platform.js';

interface BearerFetchOptions {
  endpoint: string;
  fetch: typeof globalThis.fetch;
  accessToken: () => Promise<string | undefined>;
  recover: (errors: readonly GraphQLErrorLike[], sent: string | undefined) => Promise<string | undefined>;
}

/** A `fetch` that adds the bearer where it belongs, and asks once more when the answer says that a refresh would help. */
export function createBearerFetch({ endpoint, fetch, accessToken, recover }: BearerFetchOptions): typeof globalThis.fetch {
  // A path leads to the page's own origin, where there is a page.
  const home = originOf(endpoint.replace(/^(?=\/[^/])/, String(platform.location?.origin)));

  /** The bearer goes to the server that issued it, and to nobody else. What cannot be compared is somebody else. */
  const isHome = (url: string): boolean => url === endpoint || (home !== undefined && home === originOf(url));

  return async (input, init) => {
    const headers = new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined));
    if (!isHome(isRequest(input) ? input.url : input.toString()) || headers.has('authorization')) return fetch(input, init);
    const ask = (target: typeof input, token: string): Promise<Response> => {
      headers.set('authorization', `Bearer ${token}`);
      return fetch(target, { ...init, headers });
    };

    const token = await accessToken();
    if (token === undefined) return fetch(input, init);
    // A Request can be sent once; its copy is for the first time.
    const response = await ask(isRequest(input) ? input.clone() : input, token);
    const answer = await readErrors(response);
    if (!answer) return response;
    const fresh = await recover(answer.errors, token);
    const mayRepeat = !isStream(init?.body) && !(isPartial(answer) && mayBeMutation(init?.body));
    return fresh !== undefined && mayRepeat ? ask(input, fresh) : response;
  };
}

interface Answer {
  readonly errors: readonly GraphQLErrorLike[];
  readonly data: unknown;
}

/** The answer, if it may say UNAUTHENTICATED; leaves the response unread. Streams are left alone: they would have to be awaited to the end. */
async function readErrors(response: Response): Promise<Answer | undefined> {
  if (!/^application\/(graphql-response\+)?json\b/i.test(response.headers.get('content-type') ?? '')) return undefined;
  const text = await response.clone().text();
  // Most answers hold no such word, and need not be parsed twice.
  if (!text.includes('UNAUTHENTICATED')) return undefined;
  const { errors, data } = objectOrEmpty(parseJson(text));
  return Array.isArray(errors) ? { errors, data } : undefined;
}

/** Whether some of the root fields were answered. */
export function isPartial(answer: Pick<Answer, 'data'>): boolean {
  return isJsonObject(answer.data) && Object.values(answer.data).some((value) => value !== null);
}

/** Whether the body may hold a mutation: one that has been carried out in part is not sent twice. */
function mayBeMutation(body: unknown): boolean {
  return typeof body !== 'string' || body.includes('mutation');
}

function isRequest(input: RequestInfo | URL): input is Request {
  return typeof input === 'object' && 'clone' in input;
}

function isStream(body: RequestInit['body']): boolean {
  return typeof body === 'object' && body !== null && 'getReader' in body;
}

/** Not `new URL(…).origin`: React Native's URL has long had none. What two parsers may read in two ways has no origin here. */
function originOf(url: string): string | undefined {
  const [origin] = /^https?:\/\/[^/?#\\\s]+(?=[/?#]|$)/i.exec(url) ?? [];
  return origin?.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2');
}
