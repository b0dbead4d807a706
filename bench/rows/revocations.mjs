import { environmentFor } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { end, startPeer } from '../lib/processes.mjs';
import { around, takeTurns } from '../lib/turns.mjs';
import { COLLECTABLE, growthOf, memoryOf } from './memory.mjs';

/**
 * What live revocations take of the rate of `viewer { id }`, and of memory. Each round has servers of its own, one for each size, which all do the same work,
 * and tell what they hold; then they take turns.
 */
export async function measureRevocations({ plan, load, tables, say }) {
  const { rounds, callers, firstWarmupSeconds, warmupSeconds, seconds } = plan.revocations;
  const sizes = tables.map(({ size }) => size);
  const [smallest, ...larger] = sizes;
  const held = new Map(sizes.map((size) => [size, []]));
  const servers = new Map();
  const turns = await takeTurns({
    order: around(smallest, larger),
    rounds,
    async begin(round) {
      const peers = await Promise.all(tables.map(({ database }) => startPeer('latchkey', environmentFor(database.url), COLLECTABLE)));
      for (const [index, { size, database }] of tables.entries()) {
        const peer = peers[index];
        const job = { kind: 'repeat', origin: peer.origin, calls: await database.viewerCalls(peer.origin), callers };
        // Until its code is compiled: the smallest comes twice in a round, and must not be the warmer for it.
        await load.run({ ...job, seconds: firstWarmupSeconds });
        held.get(size).push(await memoryOf(peer));
        servers.set(size, { peer, job });
      }
      const shown = sizes.map((size) => `${figure(held.get(size).at(-1).resident)} MiB with ${figure(size)}`);
      say(`round ${round + 1} of ${rounds}: ${shown.join(', ')} revocations`);
    },
    async measure(size, round) {
      const { perSecond } = await load.run({ ...servers.get(size).job, warmupSeconds, seconds });
      say(`round ${round + 1} of ${rounds}: ${figure(perSecond)}/s with ${figure(size)} revocations`);
      return perSecond;
    },
    async finish() {
      await Promise.all([...servers.values()].map(({ peer }) => end(peer.child)));
    },
  });

  return [
    ...larger.map((size) => {
      const [ours, theirs] = turns.beside(size, smallest);
      return {
        row: `growth: ${figure(size)} revocations`,
        ...ratiosOf(ours, theirs),
        atLeast: 0.9,
        detail: `${figure(median(ours))}/s : ${figure(median(theirs))}/s`,
        meaning: `\`viewer { id }\` with so many live revocations, against ${figure(smallest)}`,
      };
    }),
    {
      row: 'memory: 10⁶ revocations',
      ...growthOf(held.get(larger.at(-1)), held.get(smallest)),
      meaning:
        'what is resident beyond a server that knows ten, both after the same load, a collection, and without the room that only traffic needs',
    },
  ];
}
