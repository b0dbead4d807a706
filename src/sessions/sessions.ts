import { randomBytes } from 'node:crypto';

import { v7 as uuidv7, validate as isUuid } from 'uuid';

import type { Config } from '../config/config.js';
import type { AuthenticatedPrincipal, Principal } from '../authorization/principal.js';
import { sha256 } from '../crypto/digest.js';
import type { SecretRing } from '../crypto/secret-ring.js';
import { AuthError, badInput } from '../errors.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { Actor, AuditStore, SignInFailure } from '../persistence/audit.store.js';
import type { ClientAddress } from '../persistence/client-address.js';
import type { RevocationEntry } from '../persistence/revocation.store.js';
import type { Ending, RevocationReason, RotationResult, SessionRecord, SessionStore } from '../persistence/session.store.js';
import type { AccessTokens } from '../tokens/access-token.js';
import { openRefreshToken, REFRESH_SECRET_BYTES, succeedRefreshToken, type RefreshToken } from '../tokens/refresh-token.js';
import type { SessionActivity } from './activity.js';
import { judgeRotation } from './rotation.js';
import { issueTokenPair, type TokenPair } from './token-pair.js';

const FIRST_GENERATION = 1;

export interface Device {
  name: string | null;
  platform: string;
}

export interface SignIn {
  userId: string;
  /** What the password was verified against. */
  passwordHash: string;
  device: Device;
  /** Narrows the session; null takes whatever the roles grant. */
  scopes: readonly string[] | null;
  client: ClientAddress;
}

export interface RefreshAttempt {
  refreshToken: string;
  /** Chosen by the client, the same on every retry of one refresh. */
  attemptId: string | null;
  client: ClientAddress;
}

export type SessionSelection = 'THIS_SESSION' | 'OTHER_SESSIONS' | 'ALL_SESSIONS';

export interface Sessions {
  /**
   * Starts a session for a user who has just proved who they are.
   *
   * @throws {AuthError} INVALID_CREDENTIALS when the user was disabled, or the password changed, meanwhile.
   */
  start(signIn: SignIn): Promise<TokenPair>;
  /**
   * Trades a refresh token for a new pair (RFC 6749 section 6). Any number of repetitions by an honest client give the same successor; a token
   * that was replaced and is used again ends its session.
   *
   * @throws {AuthError} INVALID_REFRESH_TOKEN, always the same; the log says which row of the table it was.
   */
  refresh(attempt: RefreshAttempt): Promise<TokenPair>;
  /**
   * Ends sessions (RFC 7009 section 2): by refresh token, or by the principal's access token; a stale one ends its own session and no other. Whatever
   * cannot name a session ends none, and that is a success too.
   *
   * @throws {AuthError} SERVICE_UNAVAILABLE when the access token cannot be judged just now: its session lives on (RFC 7009 section 2.2.1).
   */
  logout(principal: Principal, actor: Actor, refreshToken: string | null, selection: SessionSelection): Promise<void>;
  /** @throws {AuthError} BAD_USER_INPUT when the user has no such session. */
  revoke(principal: AuthenticatedPrincipal, actor: Actor, sessionId: string): Promise<SessionRecord>;
}

interface SessionsOptions {
  store: SessionStore;
  audit: Pick<AuditStore, 'record'>;
  secrets: SecretRing;
  accessTokens: AccessTokens;
  activity: SessionActivity;
  settings: Pick<
    Config,
    'accessTokenLifetimeSeconds' | 'refreshIdleLifetimeSeconds' | 'refreshAbsoluteLifetimeSeconds' | 'refreshGraceSeconds'
  >;
  /** Makes what was revoked hold here at once, and elsewhere within about a second. */
  announce: (entries: readonly RevocationEntry[], ending: Ending) => void;
  metrics: Pick<Metrics, 'refreshes'>;
  log: Logger;
}

export function createSessions({
  store,
  audit,
  secrets,
  accessTokens,
  activity,
  settings,
  announce,
  metrics,
  log,
}: SessionsOptions): Sessions {
  const end = async (sessionId: string, reason: RevocationReason, actor: Actor, ofUserId?: string) => {
    announce(await store.revoke(sessionId, reason, actor, ofUserId), { reason, except: null });
  };

  const attemptRotation = async (presented: RefreshToken, attempt: RefreshAttempt) => {
    const salt = randomBytes(REFRESH_SECRET_BYTES);
    const successor = succeedRefreshToken(presented, salt, secrets.active);
    const token = {
      generation: presented.generation,
      secretHash: sha256(presented.secret),
      attemptHash: attempt.attemptId === null ? null : sha256(attempt.attemptId),
    };
    const row = await store.rotate({
      sessionId: presented.sessionId,
      generation: token.generation,
      presentedHash: token.secretHash,
      successorHash: sha256(successor.secret),
      salt,
      secretId: successor.sealedBy.id,
      attemptHash: token.attemptHash,
      graceSeconds: settings.refreshGraceSeconds,
      idleLifetimeSeconds: settings.refreshIdleLifetimeSeconds,
      ...attempt.client,
    });
    return { row, successor, verdict: judgeRotation(token, row) };
  };

  /**
   * The session that a caller may speak for, and whether it may speak for the user's others too. A refresh token names its session whether that
   * lives or not; only what is no refresh token of ours leaves it to the bearer.
   */
  const nameSession = async (principal: Principal, refreshToken: string | null, selection: SessionSelection) => {
    const token = refreshToken === null ? undefined : openRefreshToken(secrets, refreshToken);
    if (token === undefined) return nameByBearer(principal);
    const session = await store.findLive(token.sessionId);
    // It has ended already. Whoever is signed in by another may still end the rest.
    if (session === undefined) return selection === 'THIS_SESSION' ? undefined : nameByBearer(principal);
    // A token that was replaced long ago may be stolen: it ends its own session, and no other.
    return { sessionId: token.sessionId, userId: session.userId, mayEndOthers: token.generation >= session.generation - 1 };
  };

  return {
    async start({ userId, passwordHash, device, scopes, client }) {
      const secret = randomBytes(REFRESH_SECRET_BYTES);
      const sealedBy = secrets.active;
      const grant = await store.insert({
        id: uuidv7(),
        userId,
        currentHash: sha256(secret),
        secretId: sealedBy.id,
        scopes,
        deviceName: device.name,
        devicePlatform: device.platform,
        idleLifetimeSeconds: settings.refreshIdleLifetimeSeconds,
        absoluteLifetimeSeconds: settings.refreshAbsoluteLifetimeSeconds,
        passwordHash,
        ...client,
      });
      if (grant === undefined) {
        const reason: SignInFailure = 'CHANGED_MEANWHILE';
        await audit.record({ type: 'SIGN_IN_FAILED', userId, sessionId: null, reason }, { ...client, userId: null });
        throw new AuthError({ code: 'INVALID_CREDENTIALS' }, 'the user was disabled, or the password changed, meanwhile');
      }
      return issueTokenPair(accessTokens, settings, grant, { generation: FIRST_GENERATION, secret, sealedBy });
    },

    async refresh(attempt) {
      const presented = openRefreshToken(secrets, attempt.refreshToken);
      if (presented === undefined) {
        metrics.refreshes.inc({ verdict: 'garbage' });
        throw invalid('not a refresh token of ours');
      }
      const { row, successor, verdict } = await attemptRotation(presented, attempt);
      metrics.refreshes.inc({ verdict });
      if (row === undefined) throw invalid('no such session');
      const { grant } = row;

      switch (verdict) {
        case 'rotated':
          return issueTokenPair(accessTokens, settings, grant, successor);
        case 'unchanged':
          activity.see(grant);
          return issueTokenPair(accessTokens, settings, grant, presented);
        case 'repeated': {
          const repeated = repeatSuccessor(secrets, presented, row);
          if (repeated === undefined) throw invalid('the server secret of the successor was dropped');
          return issueTokenPair(accessTokens, settings, grant, repeated);
        }
        case 'reused':
          // Committed before anything is answered: the failure that follows must not undo it.
          await end(grant.sessionId, 'REFRESH_TOKEN_REUSED', { ...attempt.client, userId: null });
          log.warn(
            { sessionId: grant.sessionId, userId: grant.userId, presented: presented.generation, current: row.generation },
            'a refresh token was used again after it was replaced: the session has ended',
          );
          throw invalid('reused');
        case 'ahead':
          log.error(
            { sessionId: grant.sessionId, userId: grant.userId, presented: presented.generation, current: row.generation },
            'a refresh token that this database never issued: was it restored from a backup?',
          );
          throw invalid('ahead of the database');
        case 'ended':
          throw invalid('the session has ended');
      }
    },

    async logout(principal, actor, refreshToken, selection) {
      const named = await nameSession(principal, refreshToken, selection);
      if (named === undefined) return;
      if (selection === 'THIS_SESSION' || !named.mayEndOthers) {
        await end(named.sessionId, 'LOGOUT', { ...actor, userId: named.userId });
        return;
      }
      const ending: Ending = { except: selection === 'OTHER_SESSIONS' ? named.sessionId : null, reason: 'LOGOUT' };
      announce(await store.revokeAll(named.userId, ending, { ...actor, userId: named.userId }), ending);
    },

    async revoke(principal, actor, sessionId) {
      const { subject } = principal;
      const [session] = isUuid(sessionId) ? await store.byIds([sessionId]) : [];
      if (session?.userId !== subject) throw badInput('sessionId', 'exists', 'You have no such session.');
      await end(sessionId, 'REVOKED', actor, subject);
      return session;
    },
  };
}

function nameByBearer(principal: Principal): { sessionId: string; userId: string; mayEndOthers: boolean } | undefined {
  if (principal.kind === 'undecided') {
    throw new AuthError({ code: 'SERVICE_UNAVAILABLE' }, 'the session to end is named by a token that cannot be judged just now');
  }
  if (!('sessionId' in principal)) return undefined;
  return { sessionId: principal.sessionId, userId: principal.subject, mayEndOthers: principal.kind === 'authenticated' };
}

/** The successor that the first rotation gave out, made again from the predecessor and the row's salt. */
function repeatSuccessor(secrets: SecretRing, predecessor: RefreshToken, row: RotationResult): RefreshToken | undefined {
  const { salt } = row;
  if (salt === null) return undefined;
  return secrets
    .withId(row.secretId)
    .map((secret) => succeedRefreshToken(predecessor, salt, secret))
    .find((successor) => sha256(successor.secret).equals(row.currentHash));
}

function invalid(detail: string): AuthError {
  return new AuthError({ code: 'INVALID_REFRESH_TOKEN' }, detail);
}
