import { isErrorList, unauthenticatedReason, type GraphQLErrorLike } from './faults.js';
import { isJsonObject, objectOrEmpty, parseJson } from './json.js';

interface BearerFetchOptions {
  endpoint: string;
  fetch: typeof globalThis.fetch;
  accessToken: () => Promise<string | undefined>;
  recover: (errors: readonly GraphQLErrorLike[], sent: string | undefined) => Promise<boolean>;
}

/** A `fetch` that adds the bearer where it belongs, and asks once more when the answer says that a refresh would help. */
export function createBearerFetch({ endpoint, fetch, accessToken, recover }: BearerFetchOptions): typeof globalThis.fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined));
    if (!isOfEndpoint(isRequest(input) ? input.url : input.toString(), endpoint) || headers.has('authorization')) return fetch(input, init);
    const ask = (target: typeof input, token: string): Promise<Response> => {
      headers.set('authorization', `Bearer ${token}`);
      return fetch(target, { ...init, headers });
    };

    const token = await accessToken();
    if (token === undefined) return fetch(input, init);
    // A Request can be sent once; its copy is for the first time.
    const response = await ask(isRequest(input) ? input.clone() : input, token);
    const answer = await readRefusal(response);
    const mayRepeat = !isStream(init?.body) && !(isPartial(answer) && mayBeMutation(init?.body));
    if (answer === undefined || !(await recover(answer.errors, token)) || !mayRepeat) return response;
    const fresh = await accessToken();
    return fresh === undefined ? response : ask(input, fresh);
  };
}

interface Refusal {
  readonly errors: readonly GraphQLErrorLike[];
  readonly data: unknown;
}

/** The answer, if it says UNAUTHENTICATED; leaves the response unread. Streams are left alone: they would have to be awaited to the end. */
async function readRefusal(response: Response): Promise<Refusal | undefined> {
  if (!/^application\/(graphql-response\+)?json\b/i.test(response.headers.get('content-type') ?? '')) return undefined;
  const text = await response.clone().text();
  // Most answers hold no such word, and need not be parsed twice.
  if (!text.includes('UNAUTHENTICATED')) return undefined;
  const { errors, data } = objectOrEmpty(parseJson(text));
  return isErrorList(errors) && unauthenticatedReason(errors) !== undefined ? { errors, data } : undefined;
}

/** Whether some of the root fields were answered. */
export function isPartial(answer: Refusal | undefined): boolean {
  return isJsonObject(answer?.data) && Object.values(answer.data).some((value) => value !== null);
}

/** Whether the body may hold a mutation: one that has been carried out in part is not sent twice. */
function mayBeMutation(body: unknown): boolean {
  return typeof body !== 'string' || body.includes('mutation');
}

function isRequest(input: RequestInfo | URL): input is Request {
  return typeof input === 'object' && 'clone' in input;
}

function isStream(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'getReader' in body;
}

/** The bearer goes to the server that issued it, and to nobody else. What cannot be compared is somebody else. */
function isOfEndpoint(url: string, endpoint: string): boolean {
  const origin = originOf(url);
  return url === endpoint || (origin !== undefined && origin === originOf(endpoint));
}

/** Not `new URL(…).origin`: React Native's URL has long had none. What two parsers may read in two ways has no origin here. */
function originOf(url: string): string | undefined {
  const [origin] = /^https?:\/\/[^/?#\\\s]+(?=[/?#]|$)/i.exec(url) ?? [];
  return origin?.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2');
}
