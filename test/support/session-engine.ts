import { v7 as uuidv7 } from 'uuid';

import { createSecretRing, type SecretRing } from '../../src/crypto/secret-ring.js';
import { AuthError } from '../../src/errors.js';
import { createKeyRing } from '../../src/keys/key-ring.js';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import { createAuditStore } from '../../src/persistence/audit.store.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import type { RevocationEntry } from '../../src/persistence/revocation.store.js';
import { createSessionStore, type SessionStore } from '../../src/persistence/session.store.js';
import { createSigningKeyStore } from '../../src/persistence/signing-key.store.js';
import { createUserStore, type UserStore } from '../../src/persistence/user.store.js';
import { createSessionActivity, type SessionActivity } from '../../src/sessions/activity.js';
import { createSessions, type Sessions } from '../../src/sessions/sessions.js';
import type { TokenPair } from '../../src/sessions/token-pair.js';
import { createAccessTokens, type AccessTokenClaims } from '../../src/tokens/access-token.js';
import { systemClock } from '../../src/clock.js';
import type { AuthenticatedPrincipal } from '../../src/authorization/principal.js';
import { OPERATOR } from './callers.js';
import { testConfig, type Variables } from './config.js';
import type { TestDatabase } from './database.js';
import { recordingLog, type LogLine } from './log.js';

const CLIENT = { ipAddress: '192.0.2.1', userAgent: 'test' };
const PASSWORD_HASH = 'of nothing';

/** What the tests look at in a session's row. */
export interface SessionRow {
  generation: number;
  seenGeneration: number;
  revokedReason: string | null;
  /** Revoked itself, or begun before its user's sessions were ended. */
  isRevoked: boolean;
  /** Changes with every write to the row. */
  version: string;
}

/** Sessions on a real database, as one replica composes them. */
export interface SessionEngine {
  database: Database;
  sessions: Sessions;
  store: SessionStore;
  users: UserStore;
  activity: SessionActivity;
  secrets: SecretRing;
  /** What sessions and their activity have logged. */
  lines: LogLine[];
  metrics: Metrics;
  /** What it has told the other replicas to be revoked. */
  announced: RevocationEntry[];
  /** How many times the database was asked since the engine was made. */
  readonly queries: number;
  newUser(roles?: readonly string[]): Promise<string>;
  /** Signs in by the password that every user of `newUser` has, or by the one with this hash. */
  signIn(userId: string, scopes?: readonly string[] | null, passwordHash?: string): Promise<TokenPair>;
  refresh(pair: Pick<TokenPair, 'refreshToken'>, attemptId?: string | null): Promise<TokenPair>;
  /** Verifies the access token as a request does, and reports what that says of its generation. */
  use(pair: TokenPair): Promise<AccessTokenClaims>;
  claims(pair: TokenPair): Promise<AccessTokenClaims>;
  /** Moves everything that happened to the session into the past: the database's clock cannot be moved. */
  age(pair: TokenPair, seconds: number): Promise<void>;
  /** Lets the row be of so many generations before, as one from a backup is; a negative number lets it be of later ones. */
  setGenerationBack(pair: TokenPair, generations: number): Promise<void>;
  row(pair: TokenPair): Promise<SessionRow>;
  isAlive(pair: TokenPair): Promise<boolean>;
  /** Another replica on the same database, with other settings. */
  replica(variables: Variables): Promise<SessionEngine>;
  close(): Promise<void>;
}

export async function openSessionEngine(testDatabase: TestDatabase, variables: Variables = {}): Promise<SessionEngine> {
  const own = { ...testDatabase.variables, ...variables };
  const { log } = recordingLog();
  return compose(await openDatabase(testConfig(own), log), own);
}

async function compose(database: Database, variables: Variables): Promise<SessionEngine> {
  const config = testConfig(variables);
  const { log, lines } = recordingLog();
  let queries = 0;
  const counted: Database = {
    ...database,
    query: (sql, parameters) => {
      queries += 1;
      return database.query(sql, parameters);
    },
    read: (work) => {
      queries += 1;
      return database.read(work);
    },
  };
  const secrets = createSecretRing(config.secrets);
  const revocationLifetimeSeconds = config.accessTokenLifetimeSeconds;
  const store = createSessionStore(counted, { revocationLifetimeSeconds });
  const users = createUserStore(counted, { revocationLifetimeSeconds });
  const keys = createKeyRing({
    store: createSigningKeyStore(counted),
    secrets,
    algorithm: config.signingAlgorithm,
    lifetimeSeconds: config.signingKeyLifetimeSeconds,
    clock: systemClock,
    log: recordingLog().log,
  });
  await keys.load();
  const accessTokens = createAccessTokens({ keys, clock: systemClock, settings: config });
  const activity = createSessionActivity({ sessions: store, clock: systemClock, log });
  const metrics = createMetrics();
  const announced: RevocationEntry[] = [];
  const announce = (entries: readonly RevocationEntry[]) => void announced.push(...entries);
  const sessions = createSessions({
    store,
    audit: createAuditStore(counted),
    secrets,
    accessTokens,
    activity,
    settings: config,
    announce,
    metrics,
    log,
  });

  const claims = async ({ accessToken }: TokenPair) => {
    const verdict = await accessTokens.verify(accessToken);
    if (verdict.kind === 'rejected') throw new Error(`The access token was rejected: ${verdict.detail}`);
    return verdict.claims;
  };

  return {
    database,
    sessions,
    store,
    users,
    activity,
    secrets,
    lines,
    metrics,
    announced,
    get queries() {
      return queries;
    },
    async newUser(roles = ['user']) {
      const id = uuidv7();
      const email = `${id}@example.com`;
      const nameless = { username: null, usernameKey: null };
      await users.insert({ id, email, emailKey: email, ...nameless, passwordHash: PASSWORD_HASH, roles }, OPERATOR);
      return id;
    },
    signIn: (userId, scopes = null, passwordHash = PASSWORD_HASH) =>
      sessions.start({ userId, passwordHash, device: { name: null, platform: 'OTHER' }, scopes, client: CLIENT }),
    refresh: ({ refreshToken }, attemptId = null) => sessions.refresh({ refreshToken, attemptId, client: CLIENT }),
    claims,
    async use(pair) {
      const seen = await claims(pair);
      activity.see(seen);
      await activity.flush();
      return seen;
    },
    async age({ grant }, seconds) {
      await database.query(
        `UPDATE session
            SET rotated_at = rotated_at - d, auth_time = auth_time - d, created_at = created_at - d, last_seen_at = last_seen_at - d,
                idle_expires_at = idle_expires_at - d, absolute_expires_at = absolute_expires_at - d
           FROM make_interval(secs => $2) AS d
          WHERE id = $1`,
        [grant.sessionId, seconds],
      );
    },
    async setGenerationBack({ grant }, generations) {
      await database.query(`UPDATE session SET generation = generation - $2::int WHERE id = $1`, [grant.sessionId, generations]);
    },
    async row({ grant }) {
      const [row] = await database.query<SessionRow>(
        `SELECT s.generation, s.seen_generation AS "seenGeneration", s.revoked_reason AS "revokedReason",
                (s.revoked_at IS NOT NULL OR s.user_version < u.session_version) AS "isRevoked", s.xmin::text AS version
           FROM session s JOIN user_account u ON u.id = s.user_id WHERE s.id = $1`,
        [grant.sessionId],
      );
      return row!;
    },
    isAlive: async ({ grant }) => (await store.findLive(grant.sessionId)) !== undefined,
    replica: (others) => compose(database, { ...variables, ...others }),
    close: () => database.close(),
  };
}

/** The principal that a verified access token makes. */
export function principalOf({ grant }: TokenPair): AuthenticatedPrincipal {
  return {
    kind: 'authenticated',
    subject: grant.userId,
    sessionId: grant.sessionId,
    scopes: new Set(grant.scopes),
    authTime: grant.authTime,
  };
}

/** The code of the AuthError that a call ends with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: unknown) => {
      if (!(error instanceof AuthError)) throw error;
      return error.fault.code;
    },
  );
}
