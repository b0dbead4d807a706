import { parseFault, type Fault } from './faults.js';
import { isJsonObject, objectOrEmpty, parseJson, type JsonObject } from './json.js';

/** What came of a call: an answer; a refusal that stands; or no verdict, so that the same call may succeed later. */
export type Reply =
  | { readonly kind: 'data'; readonly data: JsonObject; readonly fault?: undefined }
  | { readonly kind: 'refused'; readonly fault: Fault }
  | { readonly kind: 'unavailable'; readonly fault: Fault };

/** Sends one operation that carries a credential; never rejects. With `accessToken`, as its bearer. */
export type Send = (document: string, variables: JsonObject, options?: { signal?: AbortSignal; accessToken?: string }) => Promise<Reply>;

const NO_VERDICT: ReadonlySet<string> = new Set(['SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL_SERVER_ERROR', '']);

export function createSend({ endpoint, fetch, timeoutMs }: { endpoint: string; fetch: typeof globalThis.fetch; timeoutMs: number }): Send {
  return async (document, variables, { signal, accessToken } = {}) => {
    const giveUp = new AbortController();
    const abort = (): void => {
      giveUp.abort();
    };
    const ask = async (): Promise<Reply> => {
      try {
        const response = await fetch(endpoint, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/graphql-response+json, application/json',
            ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
          },
          body: JSON.stringify({ query: document, variables }),
          signal: giveUp.signal,
          credentials: 'omit',
          // A redirect would carry the credential in the body to an address that nobody has chosen.
          redirect: 'error',
        });
        return toReply(response, await response.text());
      } catch {
        return unanswered();
      }
    };
    // Not every fetch heeds its signal, and a hung one must not block every later refresh.
    const givenUp = new Promise<Reply>((resolve) => {
      giveUp.signal.addEventListener('abort', () => {
        resolve(unanswered());
      });
    });
    const timer = setTimeout(abort, timeoutMs);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    const reply = await Promise.race([ask(), givenUp]);
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    return reply;
  };
}

function toReply({ status, headers }: Response, text: string): Reply {
  const { data, errors } = objectOrEmpty(parseJson(text));
  if (Array.isArray(errors) && errors.length > 0) {
    const fault = parseFault(errors[0]);
    if (status < 500 && !NO_VERDICT.has(fault.code)) return { kind: 'refused', fault };
    return { kind: 'unavailable', fault: { ...fault, retryAfterSeconds: fault.retryAfterSeconds ?? retryAfter(headers) } };
  }
  if (status < 300 && isJsonObject(data)) return { kind: 'data', data };
  // A proxy's error page, a captive portal, an answer that was cut off: none says anything of the session.
  return { kind: 'unavailable', fault: { ...parseFault(undefined), retryAfterSeconds: retryAfter(headers) } };
}

/** Seconds, as RFC 9110 section 10.2.3 has them; a date would be by a clock that is not ours. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after') ?? '';
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function unanswered(): Reply {
  return { kind: 'unavailable', fault: { ...parseFault(undefined), code: 'NETWORK', message: 'The server could not be reached.' } };
}
