import { AuthError } from '../errors.js';

/** SQLSTATE classes that say "not now": connection, resources, operator intervention, system, rollback of a transaction. */
const TRANSIENT_CLASSES = new Set(['08', '40', '53', '57', '58']);
/** lock_not_available, read_only_sql_transaction (a standby after failover), invalid_password and invalid_catalog_name (seen while it restarts);
 * invalid_sql_statement_name and duplicate_prepared_statement (a pooler in front that passes prepared statements to the wrong connection). */
const TRANSIENT_STATES = new Set(['55P03', '25006', '28P01', '3D000', '26000', '42P05']);
const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/** pg's own errors carry no code. */
const DRIVER_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout)/;

/**
 * Tells a database that cannot answer just now from a fault of ours: the former becomes SERVICE_UNAVAILABLE, so that no client takes it
 * for a refusal and drops its session; the latter comes back as it is, to be masked.
 */
export function toServiceUnavailable(error: unknown): unknown {
  if (!isTransient(error)) return error;
  return new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the database cannot answer', { cause: error });
}

function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (DRIVER_MESSAGE.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some(isTransient)) return true;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return false;
  return NETWORK_CODES.has(code) || TRANSIENT_STATES.has(code) || (code.length === 5 && TRANSIENT_CLASSES.has(code.slice(0, 2)));
}

/** Whether the driver gave up waiting for the answer to a query. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

/** The name of the unique constraint that a statement broke, if that is what it did (SQLSTATE 23505). */
export function brokenUniqueConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '23505' || !('constraint' in error)) return undefined;
  return typeof error.constraint === 'string' ? error.constraint : undefined;
}
