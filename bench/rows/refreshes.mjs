import { documents, environmentFor, POOL_MAX } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { answer, end, startPeer } from '../lib/processes.mjs';
import { around, takeTurns } from '../lib/turns.mjs';

/** Every refresh rotates, however soon after the last. */
const strict = { LATCHKEY_REFRESH_GRACE_SECONDS: '0' };
const BARE = 'bare';

/** Refreshes beside the bare statement, and as the table of sessions grows. */
export async function measureRefreshes({ plan, load, tables, say }) {
  const started = tables.map(async ({ size, database, tokens }) => {
    return [size, { tokens, peer: await startPeer('latchkey', environmentFor(database.url, strict)) }];
  });
  const servers = new Map(await Promise.all(started));
  const loop = await startPeer('rotation-loop', { DATABASE_URL: tables[0].database.url, POOL_MAX: String(POOL_MAX) });
  const [smallest, ...larger] = tables.map(({ size }) => size);
  const { rounds, callers, firstWarmupSeconds, seconds } = plan.refresh;
  const warmed = new Set();
  const turns = await takeTurns({
    order: around(smallest, [BARE, ...larger]),
    rounds,
    async measure(name, round) {
      const isFirst = !warmed.has(name);
      warmed.add(name);
      const job = { callers, warmupSeconds: isFirst ? firstWarmupSeconds : plan.refresh.warmupSeconds, seconds };
      if (name === BARE) {
        const { perSecond } = await answer(loop.child, { ...job, ...(isFirst ? { sessions: tables[0].bareSessions } : {}) });
        say(`round ${round + 1} of ${rounds}: ${figure(perSecond)}/s bare`);
        return perSecond;
      }
      const server = servers.get(name);
      const { perSecond, tokens } = await load.run({
        kind: 'refresh',
        origin: server.peer.origin,
        tokens: server.tokens,
        document: documents.refresh,
        ...job,
      });
      server.tokens = tokens;
      say(`round ${round + 1} of ${rounds}: ${figure(perSecond)} refreshes/s with ${figure(name)} sessions`);
      return perSecond;
    },
  });
  await Promise.all([...[...servers.values()].map(({ peer }) => end(peer.child)), end(loop.child)]);

  const compared = (measured, against) => {
    const [ours, theirs] = turns.beside(measured, against);
    return { ...ratiosOf(ours, theirs), detail: `${figure(median(ours))}/s : ${figure(median(theirs))}/s` };
  };
  return [
    {
      row: 'refresh',
      ...compared(smallest, BARE),
      atLeast: 0.5,
      meaning: 'what HTTP, GraphQL, sealing and signing cost on top of the one statement',
    },
    ...larger.map((size) => ({
      row: `growth: ${figure(size)} sessions`,
      ...compared(size, smallest),
      atLeast: 0.9,
      meaning: `refresh with so many sessions in the table, against ${figure(smallest)}`,
    })),
  ];
}
