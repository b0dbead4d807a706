import type { Logger } from '../log.js';
import type { HousekeepingStore } from '../persistence/housekeeping.store.js';

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
/** Enough to keep up, few enough to leave the database to its users. */
const BATCHES_A_RUN = 20;

export type Removed = Record<'sessions' | 'revocations' | 'throttles' | 'signingKeys' | 'auditEvents', number>;

export interface Housekeeping {
  /** One round: a bounded number of batches. What is left waits for the next one. */
  run(): Promise<Removed>;
}

/** Removes ended sessions, expired revocations, idle throttles, dead signing keys and old audit events. Sessions are walked through by and by. */
export function createHousekeeping({
  store,
  auditRetentionDays,
  log,
}: {
  store: HousekeepingStore;
  auditRetentionDays: number;
  log: Logger;
}): Housekeeping {
  let sessionsAfter = FIRST_ID;

  const drain = async (removeBatch: () => Promise<number>): Promise<number> => {
    let total = 0;
    for (let batch = 0; batch < BATCHES_A_RUN; batch += 1) {
      const removed = await removeBatch();
      total += removed;
      if (removed < store.batchSize) break;
    }
    return total;
  };

  const walkSessions = async (): Promise<number> => {
    let total = 0;
    for (let batch = 0; batch < BATCHES_A_RUN; batch += 1) {
      const { removed, lastId } = await store.removeSessions(sessionsAfter);
      total += removed;
      sessionsAfter = lastId ?? FIRST_ID;
      if (lastId === undefined) break;
    }
    return total;
  };

  return {
    async run() {
      const removed: Removed = {
        sessions: await walkSessions(),
        revocations: await drain(() => store.removeRevocations()),
        throttles: await drain(() => store.removeThrottles()),
        signingKeys: await drain(() => store.removeSigningKeys()),
        auditEvents: await drain(() => store.removeAuditEvents(auditRetentionDays)),
      };
      if (Object.values(removed).some((count) => count > 0)) log.info(removed, 'removed what nobody needs any more');
      return removed;
    },
  };
}
