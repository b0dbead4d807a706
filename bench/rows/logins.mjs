import { ARGON2, documents, PASSWORD } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { startLoad } from '../lib/load.mjs';
import { answer, end, startPeer } from '../lib/processes.mjs';

/** Logins beside bare argon2, and what a flood of them does to everyone else. */
export async function measureLogins({ plan, load, database, latchkey, accounts, hash, say }) {
  const loop = await startPeer('argon2-loop');
  const { origin } = latchkey;
  const login = { kind: 'login', origin, accounts: { ...accounts, password: PASSWORD }, document: documents.login };

  const logins = [];
  const bare = [];
  const { rounds, callers, firstWarmupSeconds, seconds } = plan.login;
  for (let round = 1; round <= rounds; round += 1) {
    // A server that has run for a while has its code compiled: two dozen logins a second take some time for that.
    const warmupSeconds = round === 1 ? firstWarmupSeconds : plan.login.warmupSeconds;
    const job = { hash, password: PASSWORD, parallelism: ARGON2.concurrency, warmupSeconds, seconds };
    bare.push((await answer(loop.child, job)).perSecond);
    logins.push((await load.run({ ...login, callers, warmupSeconds, seconds })).perSecond);
    say(`round ${round} of ${rounds}: ${figure(logins.at(-1))} logins/s, ${figure(bare.at(-1))} hashes/s bare`);
  }

  const calls = await database.viewerCalls(origin);
  const flood = plan.flood;
  const calm = [];
  const flooded = [];
  const floodLoad = await startLoad();
  await load.run({ kind: 'repeat', origin, calls, callers: 8, seconds: 1 });
  for (let round = 1; round <= flood.rounds; round += 1) {
    const steady = { kind: 'repeat', origin, calls, rate: flood.rate, warmupSeconds: flood.warmupSeconds, seconds: flood.seconds };
    calm.push((await load.run(steady)).p99);
    const flooding = floodLoad.run({ ...login, callers: flood.callers, seconds: flood.seconds + flood.warmupSeconds + 1 });
    flooded.push((await load.run({ ...steady, warmupSeconds: flood.warmupSeconds + 0.5 })).p99);
    await flooding;
    say(`round ${round} of ${flood.rounds}: p99 ${figure(calm.at(-1))} ms calm, ${figure(flooded.at(-1))} ms flooded`);
  }
  await Promise.all([floodLoad.end(), end(loop.child)]);

  return [
    {
      row: 'login',
      ...ratiosOf(logins, bare),
      atLeast: 0.9,
      detail: `${figure(median(logins))}/s : ${figure(median(bare))}/s`,
      meaning: 'how much of the machine a login spends on argon2, where it belongs',
    },
    {
      row: 'flood',
      ...ratiosOf(flooded, calm),
      atMost: 5,
      detail: `${figure(median(flooded))} ms : ${figure(median(calm))} ms`,
      meaning: `what everyone else feels when ${flood.callers} callers log in at once (p99)`,
    },
  ];
}
