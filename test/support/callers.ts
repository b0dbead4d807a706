import type { Caller } from '../../src/accounts/accounts.js';
import type { Actor } from '../../src/persistence/audit.store.js';

/** Someone not signed in, from nowhere in particular: no limit on an address counts them. */
export const NOBODY: Caller = { signedIn: null, ipAddress: null, userAgent: null };

/** Who makes a change where it does not matter who. */
export const OPERATOR: Actor = { userId: null, ipAddress: null, userAgent: null };
