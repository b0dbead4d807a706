import { describe, expect, it, vi } from 'vitest';

import type { HousekeepingStore } from '../../../src/persistence/housekeeping.store.js';
import { createHousekeeping } from '../../../src/sessions/housekeeping.js';
import { recordingLog } from '../../support/log.js';

const BATCH = 10;
const NOTHING = { sessions: 0, revocations: 0, throttles: 0, signingKeys: 0, auditEvents: 0 };

type Walk = HousekeepingStore['removeSessions'];

function setUp(more: Partial<HousekeepingStore> = {}) {
  const store = {
    batchSize: BATCH,
    removeRevocations: vi.fn(async () => 0),
    removeSigningKeys: vi.fn(async () => 0),
    removeAuditEvents: vi.fn<HousekeepingStore['removeAuditEvents']>(async () => 0),
    removeSessions: vi.fn<Walk>(async () => ({ removed: 0, last: undefined, isOurTurn: true })),
    removeThrottles: vi.fn<Walk>(async () => ({ removed: 0, last: undefined, isOurTurn: true })),
    ...more,
  };
  const { log, lines } = recordingLog();
  return { store, lines, housekeeping: createHousekeeping({ store, auditRetentionDays: 365, log }) };
}

/** A table with so many rows to remove, a batch at a time. */
function table(rows: number) {
  return vi.fn(async () => {
    const removed = Math.min(rows, BATCH);
    rows -= removed;
    return removed;
  });
}

describe('a round of housekeeping', () => {
  it('removes batch after batch of each kind until one is not full', async () => {
    const removeRevocations = table(25);
    const { housekeeping } = setUp({
      removeRevocations,
      removeSigningKeys: table(1),
      removeAuditEvents: table(3),
    });
    expect(await housekeeping.run()).toEqual({ sessions: 0, revocations: 25, throttles: 0, signingKeys: 1, auditEvents: 3 });
    expect(removeRevocations).toHaveBeenCalledTimes(3);
  });

  it('leaves the rest to the next one after twenty batches', async () => {
    const { housekeeping } = setUp({ removeRevocations: table(250) });
    expect(await housekeeping.run()).toMatchObject({ revocations: 200 });
    expect(await housekeeping.run()).toMatchObject({ revocations: 50 });
  });

  it('goes on to the end of every table when it is told to, however far that is', async () => {
    const removeSessions = vi.fn<Walk>(async (after = '0') => {
      const last = Number(after) + 1;
      return { removed: last === 90 ? 3 : 0, last: last === 90 ? undefined : String(last), isOurTurn: true };
    });
    const { housekeeping } = setUp({ removeRevocations: table(250), removeSessions });
    expect(await housekeeping.runToTheEnd()).toMatchObject({ revocations: 250, sessions: 3 });
    expect(removeSessions).toHaveBeenCalledTimes(90);
  });

  it('keeps audit events for as long as is configured', async () => {
    const { housekeeping, store } = setUp();
    await housekeeping.run();
    expect(store.removeAuditEvents).toHaveBeenCalledExactlyOnceWith(365);
  });

  it('says what it removed, and nothing when that is nothing', async () => {
    const { housekeeping, lines } = setUp({ removeAuditEvents: table(2) });
    expect(await housekeeping.run()).toMatchObject({ auditEvents: 2 });
    expect(await housekeeping.run()).toEqual(NOTHING);
    expect(lines).toEqual([expect.objectContaining({ level: 'info', auditEvents: 2 })]);
  });

  it.each([
    ['sessions', 'removeSessions'],
    ['throttles', 'removeThrottles'],
  ] as const)('walks through the %s by and by, and then begins anew', async (kind, method) => {
    let batches = 0;
    const walk = vi.fn<Walk>(async () => {
      batches += 1;
      // Twenty-five batches are the table.
      return { removed: 1, last: batches % 25 === 0 ? undefined : `after batch ${batches}`, isOurTurn: true };
    });
    const { housekeeping } = setUp({ [method]: walk });
    expect(await housekeeping.run()).toMatchObject({ [kind]: 20 });
    expect(await housekeeping.run()).toMatchObject({ [kind]: 5 });
    await housekeeping.run();
    const from = walk.mock.calls.map(([after]) => after);
    expect(from[0]).toBeUndefined();
    expect(from[20]).toBe('after batch 20');
    expect(from[25]).toBeUndefined();
  });

  it('stands still while another replica has the turn, and goes on from there', async () => {
    const walk = vi
      .fn<Walk>(async (after) => ({ removed: 0, last: after, isOurTurn: false }))
      .mockImplementationOnce(async () => ({ removed: 1, last: 'here', isOurTurn: true }));
    const { housekeeping } = setUp({ removeSessions: walk });
    expect(await housekeeping.run()).toMatchObject({ sessions: 1 });
    await housekeeping.run();
    expect(walk.mock.calls.map(([after]) => after)).toEqual([undefined, 'here', 'here']);
  });
});
