import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import type { Tokens } from './calls.js';
import { bearer, operation, type GraphqlError } from './client.js';

/** Longer than any server waits for its database: a client that gives up sooner would race with itself. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 100;

/** What a call came to, as a program that wants to stay signed in sees it. */
export type Outcome<T> =
  | { kind: 'answered'; answer: T }
  /** Nothing was said about the session: the same call again. */
  | { kind: 'retry'; why: string }
  /** Told to sign in again, or to refresh. */
  | { kind: 'refused'; code: string }
  /** What no client is prepared for. */
  | { kind: 'unexpected'; what: string };

const RETRYABLE = new Set(['SERVICE_UNAVAILABLE', 'RATE_LIMITED']);
const REFUSALS = new Set(['UNAUTHENTICATED', 'INVALID_REFRESH_TOKEN', 'INVALID_CREDENTIALS', 'FORBIDDEN']);

/** Needs a live access token, and nothing from the database. */
export const WHO_AM_I = 'query WhoAmI { viewer { id } }';
/** Needs a live access token, and the user's row. */
export const WHAT_IS_MY_ADDRESS = 'query WhatIsMyAddress { viewer { id email } }';

/** Sends an operation as an honest client does, and judges what comes back. */
export async function call<T>(
  url: string,
  document: string,
  variables: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Outcome<T>> {
  let body: { data?: Record<string, T> | null; errors?: readonly GraphqlError[] };
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: document, variables }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    body = (await response.json()) as typeof body;
  } catch (error) {
    return { kind: 'retry', why: error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : 'network' };
  }
  const [fault] = body.errors ?? [];
  const [answer] = Object.values(body.data ?? {});
  if (fault === undefined && answer !== undefined) return { kind: 'answered', answer };
  const { code = 'none', reason } = fault?.extensions ?? {};
  if (RETRYABLE.has(code)) return { kind: 'retry', why: code };
  if (REFUSALS.has(code)) return { kind: 'refused', code: reason ?? code };
  return { kind: 'unexpected', what: JSON.stringify(body) };
}

/** Calls until there is an answer that is no reason to call again; fails after `patienceMs`. */
export async function callUntilAnswered<T>(send: () => Promise<Outcome<T>>, patienceMs = 30_000): Promise<Outcome<T>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const outcome = await send();
    if (outcome.kind !== 'retry') return outcome;
    if (performance.now() > deadline) throw new Error(`Still no answer after ${patienceMs} ms: ${outcome.why}`);
    await pause(RETRY_MS);
  }
}

/**
 * Someone who wants to stay signed in: keeps the tokens that it got last, refreshes once at a time, and repeats what was not answered with the
 * same attemptId, at any replica.
 */
export class HonestClient {
  /** Why it believes that it is signed out. */
  lost: string | undefined;
  unexpected: string | undefined;
  calls = 0;
  retries = 0;
  refreshes = 0;
  /** When its last answer came, by `performance.now()`. */
  answeredAt = 0;
  /** When it was first answered after `mark`. */
  healedAt: number | undefined;

  private constructor(
    private readonly urls: readonly string[],
    public tokens: Tokens,
  ) {}

  static async register(urls: readonly string[]): Promise<HonestClient> {
    const input = { email: `${randomUUID()}@example.com`, password: 'seven purple ladders lean' };
    const outcome = await callUntilAnswered(() => call<Tokens>(anyOf(urls), operation('register'), { input }));
    if (outcome.kind !== 'answered') throw new Error(`register: ${JSON.stringify(outcome)}`);
    return new HonestClient(urls, outcome.answer);
  }

  /** From now on, `healedAt` is to be found out anew. */
  mark(): void {
    this.healedAt = undefined;
  }

  /** Refreshes, again and again until it is answered or `isOver`. */
  async refresh(isOver: () => boolean = () => false): Promise<void> {
    const input = { refreshToken: this.tokens.refreshToken, attemptId: randomUUID() };
    const answer = await this.insist(() => call<Tokens>(anyOf(this.urls), operation('refresh'), { input }), isOver);
    if (answer === undefined) return;
    this.tokens = answer;
    this.refreshes += 1;
  }

  /** Uses its access token. */
  async use(document = WHAT_IS_MY_ADDRESS, isOver: () => boolean = () => false): Promise<void> {
    const begun = performance.now();
    await this.insist(() => call(anyOf(this.urls), document, {}, bearer(this.tokens.accessToken)), isOver);
    if (this.answeredAt >= begun) this.healedAt ??= this.answeredAt;
  }

  private async insist<T>(send: () => Promise<Outcome<T>>, isOver: () => boolean): Promise<T | undefined> {
    while (this.lost === undefined && this.unexpected === undefined) {
      this.calls += 1;
      const outcome = await send();
      switch (outcome.kind) {
        case 'answered':
          this.answeredAt = performance.now();
          return outcome.answer;
        case 'refused':
          this.lost = outcome.code;
          return undefined;
        case 'unexpected':
          this.unexpected = outcome.what;
          return undefined;
        case 'retry':
          this.retries += 1;
          if (isOver()) return undefined;
          await pause(RETRY_MS);
      }
    }
    return undefined;
  }
}

function anyOf(urls: readonly string[]): string {
  return urls[Math.floor(Math.random() * urls.length)]!;
}
