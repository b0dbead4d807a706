import { environmentFor } from '../lib/latchkey.mjs';
import { figure, median, medianRatio } from '../lib/figures.mjs';
import { answer, end, startPeer } from '../lib/processes.mjs';

const MIB = 2 ** 20;
const COLLECTABLE = ['--expose-gc'];

export async function residentMib(peer) {
  return (await answer(peer.child, 'memory')).residentBytes / MIB;
}

/** `viewer { id }` as live revocations grow, and what they take of memory. */
export async function measureRevocations({ plan, load, tables, say }) {
  const servers = [];
  const resident = new Map();
  for (const { size, databaseUrl, viewerCalls } of tables) {
    say(`starting with ${figure(size)} revocations`);
    const peer = await startPeer('latchkey', environmentFor(databaseUrl), COLLECTABLE);
    servers.push({ size, peer, calls: await viewerCalls(peer.origin), perSecond: [] });
  }
  const { rounds, callers, warmupSeconds, seconds } = plan.revocations;
  for (let round = 1; round <= rounds; round += 1) {
    for (const { size, peer, calls, perSecond } of servers) {
      const job = { kind: 'repeat', origin: peer.origin, calls, callers, warmupSeconds, seconds };
      perSecond.push((await load.run(job)).perSecond);
      // Of each after its own load: who idles beside the others may have lost pages to the system.
      if (round === rounds) resident.set(size, await residentMib(peer));
      say(`round ${round} of ${rounds}: ${figure(perSecond.at(-1))}/s with ${figure(size)} revocations`);
    }
  }
  const [smallest, ...larger] = servers;
  const [small, large] = [smallest.size, servers.at(-1).size].map((size) => resident.get(size));
  await Promise.all(servers.map(({ peer }) => end(peer.child)));

  return [
    ...larger.map(({ size, perSecond }) => ({
      row: `growth: ${figure(size)} revocations`,
      value: medianRatio(perSecond, smallest.perSecond),
      atLeast: 0.9,
      detail: `${figure(median(perSecond))}/s : ${figure(median(smallest.perSecond))}/s`,
      meaning: `\`viewer { id }\` with so many live revocations, against ${figure(smallest.size)}`,
    })),
    {
      row: 'memory: 10⁶ revocations',
      value: large - small,
      unit: 'MiB',
      atMost: 64,
      detail: `${figure(large)} MiB : ${figure(small)} MiB`,
      meaning: 'what is resident beyond a server that knows ten, both after the same load and a collection',
    },
  ];
}
