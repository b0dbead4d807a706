import { ApolloLink, type HttpLink } from '@apollo/client';
import { ServerError } from '@apollo/client/errors';
import { isMutationOperation } from '@apollo/client/utilities';
import { catchError, concatMap, defer, from, of, switchMap, throwError, type Observable } from 'rxjs';
import type { Auth } from '../auth.js';
import { parseJson } from '../core/json.js';
import { cure, parseRefusal, type Refusal } from './refusal.js';

/**
 * A link for Apollo Client 4 that sends operations with the access token, and once more when the answer is UNAUTHENTICATED for a reason that a
 * refresh cures.
 *
 * It stands before the link that ends the chain, and cannot see where that one sends to: have nothing behind it but Latchkey and what trusts its
 * tokens. An operation whose context has an Authorization header of yours passes as it is. Of several results, only the first can have the operation
 * sent again; a mutation that was carried out in part is not repeated.
 *
 * While no access token can be had, the error of an operation is an `OfflineError`.
 */
export function createAuthLink(auth: Auth): ApolloLink {
  /** The header that each operation has from here: a link in front may forward it again, and this one is not its caller's. */
  const added = new WeakMap<ApolloLink.Operation, string>();

  return new ApolloLink((operation, forward) => {
    const { headers: found = {} } = operation.getContext() as HttpLink.ContextOptions;
    const isAuthorization = ([name]: [string, string]): boolean => name.toLowerCase() === 'authorization';
    const own = Object.entries(found).filter((entry) => !isAuthorization(entry) || entry[1] !== added.get(operation));
    if (own.some(isAuthorization)) return forward(operation);

    let sent: string | undefined;
    const send = (token: string | undefined): Observable<ApolloLink.Result> => {
      sent = token;
      const headers = Object.fromEntries(own);
      if (token !== undefined) added.set(operation, (headers['authorization'] = `Bearer ${token}`));
      operation.setContext({ headers });
      return forward(operation);
    };
    const curing = (refusal: Refusal): Observable<string | undefined> =>
      from(cure(auth, refusal, sent, isMutationOperation(operation.query)));

    return defer(auth.accessToken).pipe(
      switchMap(send),
      concatMap((result, index) => {
        const refusal = index === 0 ? parseRefusal(result) : undefined;
        if (refusal === undefined) return of(result);
        return curing(refusal).pipe(switchMap((fresh) => (fresh === undefined ? of(result) : throwError(() => new SendAgain(fresh)))));
      }),
      catchError((error: unknown) => {
        if (error instanceof SendAgain) return send(error.accessToken);
        // Whoever answers a refusal as plain JSON with a status of 401 has Apollo make an error of it.
        const refusal = ServerError.is(error) ? parseRefusal(parseJson(error.bodyText)) : undefined;
        if (refusal === undefined) return throwError(() => error);
        return curing(refusal).pipe(switchMap((fresh) => (fresh === undefined ? throwError(() => error) : send(fresh))));
      }),
    );
  });
}

/** Leaves the first try. */
class SendAgain extends Error {
  constructor(readonly accessToken: string) {
    super();
  }
}
