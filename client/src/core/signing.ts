import { LogoutDocument, type DeviceInput } from '../operations.js';
import { createBackoff } from './backoff.js';
import type { Current } from './current.js';
import { parseFault, type FieldFault } from './faults.js';
import { OfflineError } from './offline-error.js';
import type { RecordStore } from './record-store.js';
import { EMPTY_RECORD, UNREADABLE_RECORD, withoutSession, type Revocation, type StoredRecord } from './record.js';
import { endsSession, offlineReason, type Refused, type Send } from './send.js';
import type { Session } from './state.js';
import { startStopwatch } from './stopwatch.js';
import { parseTokens } from './tokens.js';

export type SignInResult = { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly error: SignInError };

export interface SignInError {
  /** OFFLINE: no answer came, or the storage failed; the same call can succeed later. UNEXPECTED: client and server do not understand each other. */
  readonly code: 'INVALID_CREDENTIALS' | 'BAD_USER_INPUT' | 'CONFLICT' | 'RATE_LIMITED' | 'OFFLINE' | 'UNEXPECTED';
  /** For people. */
  readonly message: string;
  /** EMAIL_TAKEN or USERNAME_TAKEN with CONFLICT; with OFFLINE, an OfflineReason. */
  readonly reason: string | undefined;
  /** With BAD_USER_INPUT: what was refused. */
  readonly fields: readonly FieldFault[];
  /** With RATE_LIMITED, and perhaps with OFFLINE. */
  readonly retryAfterSeconds: number | undefined;
}

export interface LogoutResult {
  /**
   * Nothing is left on this device that the kit would sign in with; until the server has confirmed, the refresh token is kept for telling it. False: the
   * storage failed, and the kit goes on trying while the program runs.
   */
  readonly forgotten: boolean;
  /**
   * The server has confirmed that this session is over; with `everywhere`, the others are too, unless this one had ended before. False: it was not
   * reached, and is told later, if need be when the program starts again; then of this session alone once somebody has signed in here. Or it has
   * refused; or the storage could not be read, and nothing was left to name the session by: it lives until its time is over.
   */
  readonly revoked: boolean;
}

interface SigningOptions {
  current: Current;
  store: RecordStore;
  send: Send;
  device?: DeviceInput | undefined;
  closed: AbortSignal;
}

/** Begins and ends sessions by the user's will, and tells the server of those that have ended. */
interface Signing {
  /** Gets a session by a document that gives tokens, and puts it in the place of the one that was there. */
  readonly signIn: (document: string, input: object) => Promise<SignInResult>;
  /** `Auth.logout`. */
  readonly logout: (options?: { readonly everywhere?: boolean }) => Promise<LogoutResult>;
  /**
   * Tells the server of these logouts, whatever has become of them in the storage, or of those there, and goes on trying. True: it has confirmed
   * all. Never rejects.
   */
  readonly report: (revocations?: readonly Revocation[]) => Promise<boolean>;
}

export function createSigning({ current, store, send, device, closed }: SigningOptions): Signing {
  const chores = createBackoff(() => void report(), closed);

  async function report(revocations?: readonly Revocation[]): Promise<boolean> {
    let isConfirmed = true;
    try {
      for (const revocation of revocations ?? (await store.change()).revocations) {
        const reply = await send(LogoutDocument, { input: revocation }, { signal: closed });
        if (reply.fault && !reply.isFinal) {
          chores.fail(reply.fault.retryAfterSeconds);
          return false;
        }
        // What is refused for good is not asked again, and not done.
        isConfirmed &&= !reply.fault || endsSession(reply);
        await store.change((record) => ({
          ...record,
          revocations: record.revocations.filter(({ refreshToken }) => refreshToken !== revocation.refreshToken),
        }));
      }
    } catch {
      chores.fail();
      return false;
    }
    chores.reset();
    return isConfirmed;
  }

  async function signIn(document: string, input: object): Promise<SignInResult> {
    // A logout everywhere that the server heard of later would end the session that begins here.
    await report();
    const elapsedMs = startStopwatch();
    const reply = await send(document, { input: { ...input, device } });
    if (reply.fault) return failure(reply);
    const tokens = parseTokens(reply.data, elapsedMs);
    if (!tokens) return failure({ fault: parseFault(), isFinal: true });
    const { stored } = tokens;
    try {
      // A record that cannot be read any more must not keep its owner from signing in anew.
      const { revocations } = await store.change(
        (before) => ({
          session: stored,
          revocations: withoutSession(before, 'THIS_SESSION').revocations.map((revocation) => ({
            ...revocation,
            sessions: 'THIS_SESSION',
          })),
        }),
        EMPTY_RECORD,
      );
      const session = current.hold(tokens);
      void report(revocations);
      return { ok: true, session };
    } catch (error) {
      if (!(error instanceof OfflineError)) throw error;
      // A session that cannot be kept is not left open at the server.
      await send(LogoutDocument, { input: { refreshToken: stored.refreshToken } });
      return {
        ok: false,
        error: { ...parseFault({ message: 'The session was not stored.' }), code: 'OFFLINE', reason: error.reason },
      };
    }
  }

  async function logout({ everywhere }: { readonly everywhere?: boolean } = {}): Promise<LogoutResult> {
    const { session, held } = current.era;
    const sessions = everywhere ? 'ALL_SESSIONS' : 'THIS_SESSION';
    current.leave('logged-out');
    const forget = (record: StoredRecord): StoredRecord => {
      if (record === UNREADABLE_RECORD) return EMPTY_RECORD;
      return !session || session.id === record.session?.id ? withoutSession(record, sessions) : record;
    };
    const read = await store.insist(forget).catch(() => undefined);
    // Unreadable, but perhaps it can be removed.
    const left = read ?? (await store.change(undefined, UNREADABLE_RECORD).catch(() => undefined));
    if (!left) chores.fail();
    else {
      // A sign-in that was being stored has got ahead of this.
      if (!left.session) current.leave('logged-out');
      if (left.revocations.length > 0 || (read && !session)) return { forgotten: true, revoked: await report(left.revocations) };
    }
    // Only the access token is left to name the session to the server.
    const reply = held && (await send(LogoutDocument, { input: { sessions } }, { accessToken: held.accessToken }));
    return { forgotten: left !== undefined, revoked: reply?.data !== undefined };
  }

  return { signIn, logout, report };
}

const REFUSALS = ['INVALID_CREDENTIALS', 'BAD_USER_INPUT', 'CONFLICT', 'RATE_LIMITED'] as const;

function failure({ fault, isFinal }: Refused): SignInResult {
  const code = REFUSALS.find((known) => known === fault.code) ?? (isFinal ? 'UNEXPECTED' : 'OFFLINE');
  return { ok: false, error: { ...fault, code, reason: code === 'OFFLINE' ? offlineReason(fault) : fault.reason } };
}
