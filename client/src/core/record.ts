import type { SessionSelection } from '../operations.js';
import { isJsonObject, isText, isTextList, objectOrEmpty, parseJson } from './json.js';
import type { Session } from './state.js';

const VERSION = 1;

/** More cannot pile up: secure storage is made for small values (expo-secure-store warns beyond 2,048 bytes). */
const MAX_REVOCATIONS = 5;

export interface StoredSession extends Session {
  readonly refreshToken: string;
  /** The refresh that is under way, or was when the program ended; undefined between refreshes. */
  readonly attemptId: string | undefined;
}

/** A logout that the server has not confirmed. */
export interface Revocation {
  readonly refreshToken: string;
  readonly sessions: SessionSelection;
}

/** Everything that is stored, as one value, so that it changes as a whole. */
export interface StoredRecord {
  readonly session: StoredSession | undefined;
  readonly revocations: readonly Revocation[];
}

export const EMPTY_RECORD: StoredRecord = { session: undefined, revocations: [] };

/** The text to store; undefined when nothing is left to keep. */
export function printRecord({ session, revocations }: StoredRecord): string | undefined {
  if (session === undefined && revocations.length === 0) return undefined;
  return JSON.stringify({ version: VERSION, session: session ?? null, revocations });
}

/** Reads what was stored: every field has its type, or the whole is not a record of ours (undefined). */
export function parseRecord(text: string): StoredRecord | undefined {
  const { version, session, revocations } = objectOrEmpty(parseJson(text));
  if (version !== VERSION || !Array.isArray(revocations)) return undefined;
  const parsedSession = session === null ? undefined : parseSession(session);
  const parsedRevocations = revocations.map(parseRevocation).filter((revocation) => revocation !== undefined);
  if ((session !== null && parsedSession === undefined) || parsedRevocations.length !== revocations.length) return undefined;
  return { session: parsedSession, revocations: parsedRevocations };
}

/** The record after a session was given up: what is left of it is the means to revoke it. */
export function withoutSession(record: StoredRecord, sessions: SessionSelection): StoredRecord {
  if (record.session === undefined) return record;
  const { refreshToken } = record.session;
  return { session: undefined, revocations: [...record.revocations, { refreshToken, sessions }].slice(-MAX_REVOCATIONS) };
}

function parseSession(value: unknown): StoredSession | undefined {
  if (!isJsonObject(value)) return undefined;
  const { id, refreshToken, attemptId, scopes, expiresAt } = value;
  const user = parseUser(value['user']);
  if (!isText(id) || !isText(refreshToken) || !isTextList(scopes) || typeof expiresAt !== 'number' || user === undefined) return undefined;
  if (attemptId !== undefined && !isText(attemptId)) return undefined;
  return { id, user, scopes, expiresAt, refreshToken, attemptId };
}

export function parseUser(value: unknown): Session['user'] | undefined {
  const { id, email, roles } = objectOrEmpty(value);
  return isText(id) && isText(email) && isTextList(roles) ? { id, email, roles } : undefined;
}

function parseRevocation(value: unknown): Revocation | undefined {
  const { refreshToken, sessions } = objectOrEmpty(value);
  if (!isText(refreshToken) || (sessions !== 'THIS_SESSION' && sessions !== 'ALL_SESSIONS')) return undefined;
  return { refreshToken, sessions };
}
