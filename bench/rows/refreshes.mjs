import { documents, environmentFor, POOL_MAX } from '../lib/latchkey.mjs';
import { figure, median, medianRatio } from '../lib/figures.mjs';
import { answer, end, startPeer } from '../lib/processes.mjs';

/** Every refresh rotates, however soon after the last. */
const strict = { LATCHKEY_REFRESH_GRACE_SECONDS: '0' };

/** Refreshes beside the bare statement, and as the table of sessions grows. */
export async function measureRefreshes({ plan, load, tables, bareSessions, say }) {
  const servers = [];
  for (const { size, databaseUrl, tokens } of tables) {
    servers.push({ size, tokens, peer: await startPeer('latchkey', environmentFor(databaseUrl, strict)), perSecond: [] });
  }
  const loop = await startPeer('rotation-loop', { DATABASE_URL: tables[0].databaseUrl, POOL_MAX: String(POOL_MAX) });
  const bare = [];
  const { rounds, callers, firstWarmupSeconds, seconds } = plan.refresh;
  for (let round = 1; round <= rounds; round += 1) {
    const warmupSeconds = round === 1 ? firstWarmupSeconds : plan.refresh.warmupSeconds;
    const job = { callers, warmupSeconds, seconds, ...(round === 1 ? { sessions: bareSessions } : {}) };
    bare.push((await answer(loop.child, job)).perSecond);
    for (const server of servers) {
      const refresh = { kind: 'refresh', origin: server.peer.origin, tokens: server.tokens, document: documents.refresh };
      const result = await load.run({ ...refresh, callers, warmupSeconds, seconds });
      server.perSecond.push(result.perSecond);
      server.tokens = result.tokens;
      say(
        `round ${round} of ${rounds}: ${figure(result.perSecond)} refreshes/s with ${figure(server.size)} sessions, ${figure(bare.at(-1))}/s bare`,
      );
    }
  }
  await Promise.all([...servers.map(({ peer }) => end(peer.child)), end(loop.child)]);

  const [smallest, ...larger] = servers;
  return [
    {
      row: 'refresh',
      value: medianRatio(smallest.perSecond, bare),
      atLeast: 0.5,
      detail: `${figure(median(smallest.perSecond))}/s : ${figure(median(bare))}/s`,
      meaning: 'what HTTP, GraphQL, sealing and signing cost on top of the one statement',
    },
    ...larger.map(({ size, perSecond }) => ({
      row: `growth: ${figure(size)} sessions`,
      value: medianRatio(perSecond, smallest.perSecond),
      atLeast: 0.9,
      detail: `${figure(median(perSecond))}/s : ${figure(median(smallest.perSecond))}/s`,
      meaning: `refresh with so many sessions in the table, against ${figure(smallest.size)}`,
    })),
  ];
}
