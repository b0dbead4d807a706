import { validate as isUuid } from 'uuid';

import { badInput } from '../../errors.js';

const MAX_PAGE_SIZE = 100;
const DEFAULT_PAGE_SIZE = 50;

/** @throws {AuthError} BAD_USER_INPUT */
export function parsePageSize(first: number | null): number {
  const size = first ?? DEFAULT_PAGE_SIZE;
  if (size < 1 || size > MAX_PAGE_SIZE) throw badInput('first', 'range', `Ask for 1 to ${String(MAX_PAGE_SIZE)} at a time.`);
  return size;
}

/** Opaque to clients, so that it may change. */
export function encodeCursor(id: string): string {
  return Buffer.from(id).toString('base64url');
}

/** @throws {AuthError} BAD_USER_INPUT */
export function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isUuid(id)) throw notACursor();
  return id;
}

/** @throws {AuthError} BAD_USER_INPUT */
export function decodeNumberCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!/^\d{1,18}$/.test(id)) throw notACursor();
  return id;
}

function notACursor() {
  return badInput('after', 'cursor', 'Give the endCursor of the page before.');
}
