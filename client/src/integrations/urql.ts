import { makeErrorResult, makeOperation, type Exchange, type Operation, type OperationResult } from '@urql/core';
import { filter, fromPromise, fromValue, makeSubject, merge, mergeMap, onPush, pipe, share, takeUntil, type Source } from 'wonka';
import type { Auth } from '../auth.js';
import { cure, parseRefusal, type Refusal } from './refusal.js';

/** One try of an operation; its results are known by it. */
interface Attempt {
  /** As it came, without the token: a cache in front may execute it again. */
  readonly operation: Operation;
  readonly sent: string | undefined;
  readonly isRepetition: boolean;
  isAnswered: boolean;
}

/** What goes on to the next exchange, or what goes back. */
type Outcome = Operation | OperationResult;

const isResult = (outcome: Outcome): outcome is OperationResult => 'operation' in outcome;
const isOperation = (outcome: Outcome): outcome is Operation => !isResult(outcome);

/**
 * An exchange for @urql/core 6 that sends operations with the access token, and once more when the answer is UNAUTHENTICATED for a reason that a
 * refresh cures.
 *
 * It stands behind the caches and before the exchange that sends, and does not look at where that is: have nothing behind it but Latchkey and what
 * trusts its tokens. An operation whose `fetchOptions` have an Authorization header of yours passes as it is. Of several results, only the first can
 * have the operation sent again; a mutation that was carried out in part is not repeated.
 *
 * While no access token can be had, the `networkError` of a result is an `OfflineError`.
 */
export function createAuthExchange(auth: Auth): Exchange {
  return ({ forward }) =>
    (operations$) => {
      const repetitions = makeSubject<Outcome>();
      const begun$ = pipe(
        operations$,
        mergeMap((operation) => (operation.kind === 'teardown' ? fromValue<Outcome>(operation) : whileAsked(operation, begin(operation)))),
      );
      const outcomes$ = pipe(merge([begun$, repetitions.source]), share);
      const results$ = pipe(forward(pipe(outcomes$, filter(isOperation))), mergeMap(judge));
      return merge([results$, pipe(outcomes$, filter(isResult))]);

      /** What comes of it, unless the operation is torn down before. */
      function whileAsked({ key }: Operation, outcome: Promise<Outcome>): Source<Outcome> {
        const teardown$ = pipe(
          operations$,
          filter((other) => other.kind === 'teardown' && other.key === key),
        );
        return pipe(fromPromise(outcome), takeUntil(teardown$));
      }

      /** `fresh`: the access token to repeat it with. */
      async function begin(operation: Operation, fresh?: string): Promise<Outcome> {
        try {
          const { fetchOptions } = operation.context;
          const given = typeof fetchOptions === 'function' ? fetchOptions() : fetchOptions;
          const headers = new Headers(given?.headers);
          if (headers.has('authorization')) return operation;
          const sent = fresh ?? (await auth.accessToken());
          if (sent !== undefined) headers.set('authorization', `Bearer ${sent}`);
          const latchkey: Attempt = { operation, sent, isRepetition: fresh !== undefined, isAnswered: false };
          return makeOperation(operation.kind, operation, { latchkey, fetchOptions: { ...given, headers: toRecord(headers) } });
        } catch (error) {
          return makeErrorResult(operation, toError(error));
        }
      }

      function judge(result: OperationResult): Source<OperationResult> {
        const attempt = result.operation.context['latchkey'] as Attempt | undefined;
        if (attempt === undefined) return fromValue(result);
        const { operation, isRepetition, isAnswered } = attempt;
        const answer = { ...result, operation };
        attempt.isAnswered = true;
        const refusal = parseRefusal({ errors: result.error?.graphQLErrors, data: result.data as unknown });
        if (isRepetition || isAnswered || refusal === undefined) return fromValue(answer);
        return pipe(
          whileAsked(operation, repeatIfCured(attempt, refusal, answer)),
          onPush((outcome) => {
            if (isResult(outcome)) return;
            // What is left of a stream must not mix with what comes now.
            if (result.hasNext) repetitions.next(makeOperation('teardown', operation));
            repetitions.next(outcome);
          }),
          filter(isResult),
        );
      }

      async function repeatIfCured({ operation, sent }: Attempt, refusal: Refusal, answer: OperationResult): Promise<Outcome> {
        try {
          const fresh = await cure(auth, refusal, sent, operation.kind === 'mutation');
          return fresh === undefined ? answer : await begin(operation, fresh);
        } catch (error) {
          return makeErrorResult(operation, toError(error));
        }
      }
    };
}

/** urql tells the Headers of browsers by having no keys, and those of React Native have some. */
function toRecord(headers: Headers): Record<string, string> {
  const record: Record<string, string> = {};
  headers.forEach((value, name) => {
    record[name] = value;
  });
  return record;
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
