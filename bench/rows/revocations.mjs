import { environmentFor } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { end, startPeer } from '../lib/processes.mjs';
import { around, takeTurns } from '../lib/turns.mjs';
import { COLLECTABLE, growthOf, memoryOf } from './memory.mjs';

/** `viewer { id }` as live revocations grow. */
export async function measureRevocations({ plan, load, tables, say }) {
  const servers = new Map();
  for (const { size, databaseUrl, viewerCalls } of tables) {
    say(`starting with ${figure(size)} revocations`);
    const peer = await startPeer('latchkey', environmentFor(databaseUrl));
    servers.set(size, { origin: peer.origin, child: peer.child, calls: await viewerCalls(peer.origin) });
  }
  const [smallest, ...larger] = servers.keys();
  const { rounds, callers, warmupSeconds, seconds } = plan.revocations;
  const turns = await takeTurns({
    order: around(smallest, larger),
    rounds,
    async measure(size, round) {
      const { origin, calls } = servers.get(size);
      const { perSecond } = await load.run({ kind: 'repeat', origin, calls, callers, warmupSeconds, seconds });
      say(`round ${round + 1} of ${rounds}: ${figure(perSecond)}/s with ${figure(size)} revocations`);
      return perSecond;
    },
  });
  await Promise.all([...servers.values()].map(({ child }) => end(child)));

  return larger.map((size) => {
    const [ours, theirs] = turns.beside(size, smallest);
    return {
      row: `growth: ${figure(size)} revocations`,
      ...ratiosOf(ours, theirs),
      atLeast: 0.9,
      detail: `${figure(median(ours))}/s : ${figure(median(theirs))}/s`,
      meaning: `\`viewer { id }\` with so many live revocations, against ${figure(smallest)}`,
    };
  });
}

/** What live revocations take of memory: in each round two servers of its own, which do the same work. */
export async function measureRevocationMemory({ plan, load, tables, say }) {
  const { rounds, seconds } = plan.memory.revocations;
  const known = new Map(tables.map(({ size }) => [size, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { size, databaseUrl, viewerCalls } of tables) {
      const peer = await startPeer('latchkey', environmentFor(databaseUrl), COLLECTABLE);
      const calls = await viewerCalls(peer.origin);
      await load.run({ kind: 'repeat', origin: peer.origin, calls, callers: plan.revocations.callers, seconds });
      known.get(size).push(await memoryOf(peer));
      await end(peer.child);
      say(`round ${round + 1} of ${rounds}: ${figure(known.get(size).at(-1).resident)} MiB with ${figure(size)} revocations`);
    }
  }
  const [small, large] = known.values();
  return [
    {
      row: 'memory: 10⁶ revocations',
      ...growthOf(large, small),
      meaning: 'what is resident beyond a server that knows ten, both after the same load and a collection',
    },
  ];
}
