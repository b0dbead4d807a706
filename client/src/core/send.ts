import { parseFault, positiveOrNone, type Fault } from './faults.js';
import { isJsonObject, objectOrEmpty, parseJson, type JsonObject } from './json.js';
import type { OfflineReason } from './offline-error.js';

/** What came of a call: an answer, or why there is none. */
export type Reply = { readonly data: JsonObject; readonly fault?: undefined } | Refused;

export interface Refused {
  readonly data?: undefined;
  readonly fault: Fault;
  /** False: that is no verdict, and the same call may succeed later. */
  readonly isFinal: boolean;
}

/** Sends one operation that carries a credential; never rejects. With `accessToken`, as its bearer. */
export type Send = (document: string, variables: JsonObject, options?: { signal?: AbortSignal; accessToken?: string }) => Promise<Reply>;

const NO_VERDICT = /^(SERVICE_UNAVAILABLE|RATE_LIMITED|INTERNAL_SERVER_ERROR)?$/;

interface SendOptions {
  endpoint: string;
  fetch: typeof globalThis.fetch;
  requestTimeoutMs: number;
}

export function createSend({ endpoint, fetch, requestTimeoutMs }: SendOptions): Send {
  return (document, variables, { signal, accessToken } = {}) =>
    new Promise((resolve) => {
      const giveUp = new AbortController();
      const done = (reply: Reply): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        resolve(reply);
      };
      // Not every fetch heeds its signal, and a hung one must not block every later refresh.
      const abort = (): void => {
        giveUp.abort();
        done(unanswered());
      };
      const timer = setTimeout(abort, requestTimeoutMs);
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) {
        abort();
        return;
      }
      const ask = async (): Promise<Reply> => {
        const response = await fetch(endpoint, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/graphql-response+json, application/json',
            ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
          },
          body: JSON.stringify({ query: document, variables }),
          signal: giveUp.signal,
          credentials: 'omit',
          // A redirect would carry the credential in the body to an address that nobody has chosen.
          redirect: 'error',
        });
        return toReply(response, await response.text());
      };
      ask().then(done, abort);
    });
}

function toReply({ status, headers }: Response, text: string): Reply {
  const { data, errors } = objectOrEmpty(parseJson(text));
  const [error] = Array.isArray(errors) ? (errors as unknown[]) : [];
  if (error === undefined && status < 300 && isJsonObject(data)) return { data };
  // A proxy's error page, a captive portal, an answer that was cut off: none has a code, and none says anything of the session.
  const fault = parseFault(error);
  if (status < 500 && !NO_VERDICT.test(fault.code)) return { fault, isFinal: true };
  // Seconds, as RFC 9110 section 10.2.3 has them; a date, which is none, would be by a clock that is not ours.
  const retryAfterSeconds = fault.retryAfterSeconds ?? positiveOrNone(Number(headers.get('retry-after')));
  return { fault: { ...fault, retryAfterSeconds }, isFinal: false };
}

function unanswered(): Reply {
  return { fault: { ...parseFault(), code: 'NETWORK', message: 'The server was not reached.' }, isFinal: false };
}

/** The only two words of the server that end a session. */
export function endsSession({ fault, isFinal }: Refused): boolean {
  return isFinal && (fault.code === 'INVALID_REFRESH_TOKEN' || fault.reason === 'SESSION_REVOKED');
}

/** What it means for the session that a call has not succeeded. */
export function offlineReason(fault: Fault | undefined): OfflineReason {
  if (fault?.code === 'NETWORK') return 'network';
  return fault?.code === 'RATE_LIMITED' ? 'rate-limited' : 'server';
}
