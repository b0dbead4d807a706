import type { Logger } from '../log.js';
import type { HousekeepingStore, Walked } from '../persistence/housekeeping.store.js';

/** Enough to keep up, few enough to leave the database to its users. */
const BATCHES_A_RUN = 20;

export type Removed = Record<'sessions' | 'revocations' | 'throttles' | 'signingKeys' | 'auditEvents', number>;

export interface Housekeeping {
  /** One round: a bounded number of batches. What is left waits for the next one. */
  run(): Promise<Removed>;
  /** On to the end of every table, however many batches that takes, or until another replica has the turn. */
  runToTheEnd(): Promise<Removed>;
}

/** Removes ended sessions, expired revocations, idle throttles, dead signing keys and old audit events. Sessions and throttles are walked through by and by. */
export function createHousekeeping({
  store,
  auditRetentionDays,
  log,
}: {
  store: HousekeepingStore;
  auditRetentionDays: number;
  log: Logger;
}): Housekeeping {
  const drain = async (batches: number, removeBatch: () => Promise<number>): Promise<number> => {
    let total = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      const removed = await removeBatch();
      total += removed;
      if (removed < store.batchSize) break;
    }
    return total;
  };

  const createWalk = (removeNext: (after: string | undefined) => Promise<Walked>) => {
    let after: string | undefined;
    return async (batches: number): Promise<number> => {
      let total = 0;
      for (let batch = 0; batch < batches; batch += 1) {
        const { removed, last, isOurTurn } = await removeNext(after);
        total += removed;
        after = last;
        if (last === undefined || !isOurTurn) break;
      }
      return total;
    };
  };
  const walkSessions = createWalk((after) => store.removeSessions(after));
  const walkThrottles = createWalk((after) => store.removeThrottles(after));

  const remove = async (batches: number): Promise<Removed> => {
    const removed: Removed = {
      sessions: await walkSessions(batches),
      revocations: await drain(batches, () => store.removeRevocations()),
      throttles: await walkThrottles(batches),
      signingKeys: await drain(batches, () => store.removeSigningKeys()),
      auditEvents: await drain(batches, () => store.removeAuditEvents(auditRetentionDays)),
    };
    if (Object.values(removed).some((count) => count > 0)) log.info(removed, 'removed what nobody needs any more');
    return removed;
  };

  return { run: () => remove(BATCHES_A_RUN), runToTheEnd: () => remove(Number.POSITIVE_INFINITY) };
}
