import { operation, type GraphqlClient, type GraphqlError } from './client.js';

/** What `register`, `login` and `refresh` of schema/operations answer. */
export interface Tokens {
  accessToken: string;
  tokenType: string;
  expiresIn: number;
  refreshToken: string;
  refreshTokenExpiresIn: number;
  scope: string;
  session: { id: string };
  user: { id: string; email: string; roles: string[] };
}

type Variables = Record<string, unknown>;
type Headers = Record<string, string>;

export interface Calls {
  /** Sends `schema/operations/<name>.graphql` and gives what its one root field answers; fails on any error. */
  answer<T>(name: string, variables?: Variables, headers?: Headers): Promise<T>;
  /** Sends it and gives the one error that it is refused with; fails when it is not. */
  fault(name: string, variables?: Variables, headers?: Headers): Promise<GraphqlError>;
}

export function createCalls(graphql: GraphqlClient): Calls {
  return {
    async answer<T>(name: string, variables?: Variables, headers?: Headers): Promise<T> {
      const { data, errors } = await graphql<Record<string, T>>(operation(name), variables, headers);
      const [answer] = Object.values(data ?? {});
      if (errors.length > 0 || answer === undefined) throw new Error(`${name} was refused: ${JSON.stringify(errors)}`);
      return answer;
    },
    async fault(name, variables, headers) {
      const { errors } = await graphql(operation(name), variables, headers);
      const [error] = errors;
      if (error === undefined || errors.length > 1) throw new Error(`${name} answered with ${errors.length} errors, not with one`);
      return error;
    },
  };
}

/** Long enough for every policy, and in no list. */
export const PASSWORD = 'seven purple ladders lean';

let people = 0;

/** A registration that no other is in the way of. */
export function newPerson(): { email: string; password: string } {
  people += 1;
  return { email: `person${people}@example.com`, password: PASSWORD };
}
