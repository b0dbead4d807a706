import { createAccounts, type Accounts } from './accounts/accounts.js';
import { createLoginThrottle } from './accounts/login-throttle.js';
import { createPasswordPolicy } from './accounts/password-policy.js';
import type { Clock } from './clock.js';
import type { Config } from './config/config.js';
import { createPasswordHasher, type PasswordHasher } from './crypto/password-hasher.js';
import { createSecretRing } from './crypto/secret-ring.js';
import { createKeyRing, type KeyRing } from './keys/key-ring.js';
import type { Logger } from './log.js';
import { createMetrics, type Metrics } from './metrics.js';
import { repeat, type Periodic } from './periodic.js';
import { createAuditStore, type AuditStore } from './persistence/audit.store.js';
import type { Database } from './persistence/database.js';
import { createHousekeepingStore } from './persistence/housekeeping.store.js';
import { createRevocationStore, type RevocationEntry, type RevocationStore } from './persistence/revocation.store.js';
import { createSessionStore, type Ending, type SessionStore } from './persistence/session.store.js';
import { createSigningKeyStore } from './persistence/signing-key.store.js';
import { createThrottleStore } from './persistence/throttle.store.js';
import { createUserStore, type UserStore } from './persistence/user.store.js';
import { createSessionActivity, type SessionActivity } from './sessions/activity.js';
import { logEndings } from './sessions/endings-log.js';
import { createHousekeeping, type Housekeeping } from './sessions/housekeeping.js';
import { createRevocationFeed, type RevocationFeed } from './sessions/revocation-feed.js';
import { createSessions, type Sessions } from './sessions/sessions.js';
import { createAccessTokens, type AccessTokens } from './tokens/access-token.js';

/** A revocation outlives the last access token that it concerns by so long, beside the clock tolerance. */
const REVOCATION_SLACK_SECONDS = 30;
const KEY_MAINTENANCE_INTERVAL_MS = 60_000;
/** A key may have been revoked that this replica still believes. */
const KEY_MAINTENANCE_RETRY_MS = 1000;

/** Everything that Latchkey does, without HTTP and GraphQL: what the server and the command line share. */
export interface Core {
  accounts: Accounts;
  sessions: Sessions;
  accessTokens: AccessTokens;
  keys: KeyRing;
  revocations: RevocationFeed;
  activity: SessionActivity;
  housekeeping: Housekeeping;
  hasher: PasswordHasher;
  metrics: Metrics;
  stores: { users: UserStore; sessions: SessionStore; audit: AuditStore; revocations: RevocationStore };
  /** Keeps the signing keys young, and loads them again when they have changed. */
  keyMaintenance: Periodic;
  /** Makes what was revoked hold here at once, and elsewhere within about a second. */
  announce: (entries: readonly RevocationEntry[], ending?: Ending) => void;
}

interface CoreOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  database: Database;
  /** Connections that nothing else may use up: revocations and signing keys are read through them. */
  reservedDatabase: Database;
}

/** Makes and wires the domain; nothing runs yet but the timer of `keyMaintenance`. */
export async function createCore({ config, clock, log, database, reservedDatabase }: CoreOptions): Promise<Core> {
  const secrets = createSecretRing(config.secrets);
  const revocationLifetimeSeconds = config.accessTokenLifetimeSeconds + config.clockToleranceSeconds + REVOCATION_SLACK_SECONDS;
  const stores = {
    users: createUserStore(database, { revocationLifetimeSeconds }),
    sessions: createSessionStore(database, { revocationLifetimeSeconds }),
    audit: createAuditStore(database),
    revocations: createRevocationStore(reservedDatabase, { revocationLifetimeSeconds }),
  };
  const metrics = createMetrics();

  const keys = createKeyRing({
    store: createSigningKeyStore(reservedDatabase),
    secrets,
    algorithm: config.signingAlgorithm,
    lifetimeSeconds: config.signingKeyLifetimeSeconds,
    clock,
    log,
  });
  const keyMaintenance = repeat({
    name: 'the maintenance of signing keys',
    everyMs: KEY_MAINTENANCE_INTERVAL_MS,
    retryAfterMs: KEY_MAINTENANCE_RETRY_MS,
    work: () => keys.maintain(),
    log,
  });
  const accessTokens = createAccessTokens({
    keys,
    clock,
    settings: config,
    onCheck: (result) => {
      metrics.tokenChecks.inc({ result });
    },
  });

  const revocations = createRevocationFeed({ store: stores.revocations, clock, log, onKeysChanged: () => void keyMaintenance.runNow() });
  const announce = (entries: readonly RevocationEntry[], ending?: Ending) => {
    if (ending !== undefined) logEndings(log, entries, ending);
    for (const { kind } of entries) metrics.revocations.inc({ kind });
    revocations.announce(entries);
  };
  const activity = createSessionActivity({ sessions: stores.sessions, clock, log });

  const hasher = await createPasswordHasher(config.argon2, config.passwordPeppers);
  const accounts = createAccounts({
    users: stores.users,
    hasher,
    policy: createPasswordPolicy({ minLength: config.passwordMinLength }),
    throttle: createLoginThrottle({ store: createThrottleStore(database), addressLimitPerMinute: config.addressLimitPerMinute, clock }),
    audit: stores.audit,
    announce,
    metrics,
  });
  const sessions = createSessions({
    store: stores.sessions,
    audit: stores.audit,
    secrets,
    accessTokens,
    activity,
    settings: config,
    announce,
    metrics,
    log,
  });
  const housekeeping = createHousekeeping({ store: createHousekeepingStore(database), auditRetentionDays: config.auditRetentionDays, log });

  return { accounts, sessions, accessTokens, keys, revocations, activity, housekeeping, hasher, metrics, stores, keyMaintenance, announce };
}
