import { OperatorError } from '../errors.js';

/** Where a server was to listen, and the variable that says on which port. */
interface Place {
  host: string;
  port: number;
  variable: string;
}

/** Says what to do about an address that cannot be listened on; any other error is left as it is. */
export function explainListenFault(error: unknown, { host, port, variable }: Place): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'EADDRINUSE':
      return new OperatorError(
        `Port ${String(port)} of ${host} is taken. End the program that listens there, or set ${variable} to another port; 0 takes a free one.`,
        { cause: error },
      );
    case 'EACCES':
      return new OperatorError(`This process may not listen on port ${String(port)}. Set ${variable} to one from 1024 on.`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new OperatorError(
        `This machine has no address "${host}". Set HOST to one that it has: localhost, or 0.0.0.0 for all of them.`,
        {
          cause: error,
        },
      );
    default:
      return error;
  }
}
