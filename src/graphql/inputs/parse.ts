import { validate as isUuid } from 'uuid';

import { badInput } from '../../errors.js';
import type { Device } from '../../sessions/sessions.js';
import { isScopeToken } from '../../tokens/scope.js';
import type { DeviceInput, LoginInput, RefreshInput } from './inputs.js';

const MAX_DEVICE_NAME_LENGTH = 128;
/** Composed, a character may be a fourth of what was sent. To compose what is much longer takes seconds: the time grows with the square. */
const MAX_UNCOMPOSED_LENGTH = 4 * MAX_DEVICE_NAME_LENGTH;
const MAX_ATTEMPT_ID_LENGTH = 128;
const MAX_SCOPES = 64;

/** C0 and C1 controls: none belongs in a name that people will read. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** @throws {AuthError} BAD_USER_INPUT */
export function parseDevice(input: DeviceInput | null | undefined): Device {
  const given = input?.name?.trim() ?? '';
  const name = given.length > MAX_UNCOMPOSED_LENGTH ? given : given.normalize('NFC');
  if (name.length > MAX_DEVICE_NAME_LENGTH || !name.isWellFormed() || CONTROL_CHARACTER.test(name)) {
    throw badInput('device.name', 'deviceName', `Use at most ${String(MAX_DEVICE_NAME_LENGTH)} printable characters.`);
  }
  return { name: name === '' ? null : name, platform: input?.platform ?? 'OTHER' };
}

/** @throws {AuthError} BAD_USER_INPUT */
export function parseScopes({ scopes }: LoginInput): readonly string[] | null {
  if (scopes == null) return null;
  if (scopes.length > MAX_SCOPES || !scopes.every(isScopeToken)) {
    throw badInput('scopes', 'scope', `Give at most ${String(MAX_SCOPES)} scopes such as "users:read", one a string.`);
  }
  return scopes;
}

/** @throws {AuthError} BAD_USER_INPUT */
export function parseAttemptId({ attemptId }: RefreshInput): string | null {
  if (attemptId == null) return null;
  if (attemptId.length < 1 || attemptId.length > MAX_ATTEMPT_ID_LENGTH || !attemptId.isWellFormed()) {
    throw badInput('attemptId', 'length', `Use 1 to ${String(MAX_ATTEMPT_ID_LENGTH)} characters; a UUID does well.`);
  }
  return attemptId;
}

/**
 * A user's id as the database writes it: a UUID may come in capitals.
 *
 * @throws {AuthError} BAD_USER_INPUT
 */
export function parseUserId(id: string, path: string): string {
  if (!isUuid(id)) throw badInput(path, 'exists', 'There is no such user.');
  return id.toLowerCase();
}
