import { z } from 'zod';

import type { FieldFault } from '../errors.js';

/** RFC 5321 section 4.5.3.1.3, less the angle brackets. */
const MAX_LENGTH = 254;
const emailSchema = z.email();

export interface Email {
  /** As the user wrote it, but for white space around it. */
  email: string;
  /** What makes two spellings one address. */
  emailKey: string;
}

/** Two spellings with the same key are one address: compatibility forms (NFKC) and letter case do not count. */
export function emailKey(text: string): string {
  return text.trim().normalize('NFKC').toLowerCase();
}

export function parseEmail(text: string): Email | FieldFault {
  const key = text.length > MAX_LENGTH * 2 ? '' : emailKey(text);
  if (!text.isWellFormed() || key.length > MAX_LENGTH || !emailSchema.safeParse(key).success) {
    return { path: 'email', rule: 'email', message: 'Give an e-mail address such as name@example.com.' };
  }
  return { email: text.trim().normalize('NFKC'), emailKey: key };
}
