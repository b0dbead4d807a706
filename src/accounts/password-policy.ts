import type { FieldFault } from '../errors.js';

/** In code points. Checked before anything else touches the password. */
const MAX_LENGTH = 1024;

/** What a password may not be made of, beside a few characters more. */
const PRODUCT_NAME = 'latchkey';
const FEWEST_OTHER_CHARACTERS = 4;

export interface PasswordPolicy {
  /** A new password, ready to be hashed; or why it is refused. `context` holds the user's e-mail address and names. */
  parseNew(password: string, path: string, context: readonly (string | null)[]): Promise<{ password: string } | FieldFault>;
}

/**
 * A password ready for hashing or verification: in NFC, so that the same characters typed on two keyboards are the same bytes; or why it
 * can never be one.
 *
 * Ill-formed strings are refused: argon2 would read every lone surrogate as one and the same character. Nothing is trimmed or cut off.
 */
export function preparePassword(password: string, path: string): { password: string } | FieldFault {
  if (password.length > MAX_LENGTH * 2 || codePoints(password) > MAX_LENGTH) {
    return { path, rule: 'maxLength', message: `Use at most ${String(MAX_LENGTH)} characters.` };
  }
  if (!password.isWellFormed()) return { path, rule: 'wellFormed', message: 'The password holds half a character. Type it again.' };
  return { password: password.normalize('NFC') };
}

/**
 * The rules for new passwords (NIST SP 800-63B-4 section 3.1.1.2, https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver): a length in
 * code points, no common password, none made of the user's own names; no rule on what characters it is composed of.
 */
export function createPasswordPolicy({ minLength }: { minLength: number }): PasswordPolicy {
  let common: Promise<ReadonlySet<string>> | undefined;
  // Read when the first password is chosen: that takes a tenth of a start, which a server need not wait for.
  const commonPasswords = () =>
    (common ??= import('@zxcvbn-ts/language-common').then(
      ({ dictionary }) => new Set(dictionary['passwords-common'].filter((word) => word.length >= minLength)),
    ));

  return {
    async parseNew(raw, path, context) {
      const prepared = preparePassword(raw, path);
      if ('rule' in prepared) return prepared;
      const { password } = prepared;
      if (codePoints(password) < minLength) {
        return { path, rule: 'minLength', message: `Use at least ${String(minLength)} characters. A few words make a good password.` };
      }
      const folded = password.toLowerCase();
      if ((await commonPasswords()).has(folded)) return { path, rule: 'common', message: 'Many people use this password. Choose another.' };
      const words = [PRODUCT_NAME, ...context.flatMap((word) => (word === null ? [] : [word, word.split('@')[0] ?? '']))];
      const isPersonal = words
        .filter((word) => word.length >= 3)
        .some((word) => codePoints(folded.replaceAll(word.toLowerCase(), '')) < FEWEST_OTHER_CHARACTERS);
      if (isPersonal) return { path, rule: 'personal', message: 'Do not make the password from your e-mail address or name.' };
      return { password };
    },
  };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
