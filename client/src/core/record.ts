import type { SessionSelection } from '../operations.js';
import { isText, isTextList, objectOrEmpty, parseJson } from './json.js';
import type { Session, User } from './state.js';

const VERSION = 1;

/** More cannot pile up: secure storage is made for small values (expo-secure-store warns beyond 2,048 bytes). */
const MAX_REVOCATIONS = 5;

export interface StoredSession extends Session {
  readonly refreshToken: string;
  /** The refresh that is under way, or was when the program ended; undefined between refreshes. */
  readonly attemptId?: string | undefined;
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

/** Stands for a text that is no record of ours, or that of a later version. */
export const UNREADABLE_RECORD: StoredRecord = { ...EMPTY_RECORD };

/** The text to store; undefined when nothing is left to keep. */
export function printRecord({ session, revocations }: StoredRecord): string | undefined {
  if (!session && revocations.length === 0) return undefined;
  return JSON.stringify({ version: VERSION, session: session ?? null, revocations });
}

/** Reads what was stored: every field has its type, or the whole is the UNREADABLE_RECORD. */
export function parseRecord(text: string | undefined): StoredRecord {
  if (text === undefined) return EMPTY_RECORD;
  const { version, session, revocations } = objectOrEmpty(parseJson(text));
  const isOurs = version === VERSION && Array.isArray(revocations) && revocations.every(isRevocation);
  if (!isOurs || (session !== null && !isStoredSession(session))) return UNREADABLE_RECORD;
  return { session: session ?? undefined, revocations };
}

/** The record after a session was given up: what is left of it is the means to revoke it. */
export function withoutSession(record: StoredRecord, sessions: SessionSelection): StoredRecord {
  if (!record.session) return record;
  const { refreshToken } = record.session;
  return { session: undefined, revocations: [...record.revocations, { refreshToken, sessions }].slice(-MAX_REVOCATIONS) };
}

function isStoredSession(value: unknown): value is StoredSession {
  const { id, user, scopes, expiresAt, refreshToken, attemptId } = objectOrEmpty(value);
  const isSession = isText(id) && isUser(user) && isTextList(scopes) && typeof expiresAt === 'number';
  return isSession && isText(refreshToken) && (attemptId === undefined || isText(attemptId));
}

export function isUser(value: unknown): value is User {
  const { id, email, roles } = objectOrEmpty(value);
  return isText(id) && isText(email) && isTextList(roles);
}

function isRevocation(value: unknown): value is Revocation {
  const { refreshToken, sessions } = objectOrEmpty(value);
  return isText(refreshToken) && (sessions === 'THIS_SESSION' || sessions === 'ALL_SESSIONS');
}
