// One run of the bench, its packages and the build being there. `main.mjs` is the way in.
import process from 'node:process';
import { setTimeout as setTimer } from 'node:timers';

import { documents, insertIdleSessions, insertRevocations, insertSessions, insertUsers, migrate, signIn } from './lib/latchkey.mjs';
import { figure } from './lib/figures.mjs';
import { startLoad } from './lib/load.mjs';
import { plans } from './lib/plan.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { describeCores, endAll } from './lib/processes.mjs';
import { report } from './lib/report.mjs';
import { measureCapacity } from './rows/capacity.mjs';
import { measureEnumeration } from './rows/enumeration.mjs';
import { measureLogins } from './rows/logins.mjs';
import { measureRefreshes } from './rows/refreshes.mjs';
import { measureRevocationMemory, measureRevocations } from './rows/revocations.mjs';
import { measureStarts } from './rows/starts.mjs';
import { measureThroughput } from './rows/throughput.mjs';
import { measureTokenCache } from './rows/token-cache.mjs';

const ACCOUNTS = 2000;
const REFRESHED_SESSIONS = 1000;
const REVOCATIONS = [10, 1000, 100_000, 1_000_000];
const SESSIONS = [1000, 100_000, 1_000_000];
const VIEWER_SESSIONS = 32;

const begun = performance.now();
let topic = '';
const say = (text) => console.log(`[${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s] ${topic}: ${text}`);

let postgres;
const clean = async () => {
  await endAll();
  await postgres?.stop();
};
const giveUp = (why) => {
  console.error(why);
  clean().finally(() => process.exit(1));
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => giveUp(`Stopped by ${signal}.`));

export async function run(planName, wanted) {
  const plan = plans[planName];
  setTimer(() => giveUp(`Not done after ${plan.watchdogMinutes} minutes.`), plan.watchdogMinutes * 60_000).unref();
  try {
    return await measure(plan, wanted);
  } finally {
    await clean();
  }
}

async function measure(plan, wanted) {
  const isWanted = (name) => wanted.length === 0 || wanted.includes(name);
  topic = 'setup';
  say(describeCores());
  postgres = await startPostgres();
  const { urlOf } = postgres;
  const query = (sql, parameters) => postgres.query('latchkey', sql, parameters);
  await postgres.query('postgres', 'CREATE DATABASE latchkey');
  await postgres.query('postgres', 'CREATE DATABASE better_auth');
  migrate(urlOf('latchkey'));
  const hash = await insertUsers(query, ACCOUNTS);

  const rows = [];
  let throughput;
  let capacity;
  const load = await startLoad();
  /** `viewer { id }` by sessions that a server has just let in. */
  const viewerCallsIn = (database) => async (origin) => {
    const sessions = await insertSessions((sql, parameters) => postgres.query(database, sql, parameters), VIEWER_SESSIONS, true);
    const tokens = await signIn(origin, sessions);
    return tokens.map((token) => ({
      request: {
        method: 'POST',
        path: '/graphql',
        headers: { 'content-type': 'application/json', accept: 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: documents.viewer }),
      },
      expectedPart: sessions[0].userId,
    }));
  };
  const shared = { plan, load, postgres, databaseUrl: urlOf('latchkey'), viewerCalls: viewerCallsIn('latchkey'), say };

  const revocationTables = [];
  for (const size of isWanted('growth') ? REVOCATIONS : isWanted('memory') ? [REVOCATIONS[0], REVOCATIONS.at(-1)] : []) {
    say(`${figure(size)} revocations`);
    const database = await copy(`revocations_${size}`);
    await insertRevocations((sql, parameters) => postgres.query(database, sql, parameters), size);
    await postgres.query(database, 'VACUUM ANALYZE');
    revocationTables.push({ size, databaseUrl: urlOf(database), viewerCalls: viewerCallsIn(database) });
  }
  const sessionTables = [];
  for (const size of isWanted('growth') ? SESSIONS : isWanted('refresh') ? SESSIONS.slice(0, 1) : []) {
    say(`${figure(size)} sessions`);
    const database = await copy(`sessions_${size}`);
    const ask = (sql, parameters) => postgres.query(database, sql, parameters);
    if (size > REFRESHED_SESSIONS) await insertIdleSessions(ask, size - REFRESHED_SESSIONS);
    const sessions = await insertSessions(ask, REFRESHED_SESSIONS, false);
    const bareSessions = size === SESSIONS[0] ? await insertSessions(ask, REFRESHED_SESSIONS, false) : undefined;
    await ask('VACUUM ANALYZE');
    sessionTables.push({ size, databaseUrl: urlOf(database), tokens: sessions.map(({ refreshToken }) => refreshToken), bareSessions });
  }
  await query('VACUUM ANALYZE');
  await query('CHECKPOINT');

  if (isWanted('throughput')) {
    topic = 'throughput';
    throughput = await measureThroughput(shared);
    rows.push(...throughput.rows);
  }
  if (isWanted('login')) {
    topic = 'login and flood';
    const accounts = { prefix: 'person', count: ACCOUNTS };
    rows.push(...(await measureLogins({ ...shared, accounts, hash })));
    topic = 'enumeration';
    rows.push(...(await measureEnumeration({ ...shared, query, accounts })));
  }
  if (sessionTables.length > 0) {
    topic = 'refresh';
    rows.push(...(await measureRefreshes({ plan, load, tables: sessionTables, bareSessions: sessionTables[0].bareSessions, say })));
  }
  if (isWanted('growth')) {
    topic = 'revocations';
    rows.push(...(await measureRevocations({ plan, load, tables: revocationTables, say })));
  }
  if (isWanted('growth')) {
    topic = 'capacity';
    const databases = { sessions: `sessions_${SESSIONS.at(-1)}`, revocations: `revocations_${REVOCATIONS.at(-1)}` };
    capacity = await measureCapacity({ plan, postgres, databases, say });
  }
  if (isWanted('memory')) {
    topic = 'memory of revocations';
    const tables = [revocationTables[0], revocationTables.at(-1)];
    rows.push(...(await measureRevocationMemory({ plan, load, tables, say })));
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

  async function copy(name) {
    await postgres.query('postgres', `CREATE DATABASE ${name} TEMPLATE latchkey`);
    return name;
  }
}
