import type { FieldFault } from '../errors.js';

/** ASCII alone: no two names look alike, and none can be taken for an e-mail address. */
const USERNAME = /^[a-z0-9](?:[a-z0-9._-]{1,30})[a-z0-9]$/;

export interface Username {
  username: string;
  usernameKey: string;
}

export function usernameKey(text: string): string {
  return text.trim().normalize('NFKC').toLowerCase();
}

export function parseUsername(text: string): Username | FieldFault {
  const key = text.length > 64 ? '' : usernameKey(text);
  if (!USERNAME.test(key)) {
    return {
      path: 'username',
      rule: 'username',
      message: 'Use 3 to 32 letters, digits, dots, hyphens or underscores, with a letter or digit at both ends.',
    };
  }
  return { username: text.trim().normalize('NFKC'), usernameKey: key };
}
