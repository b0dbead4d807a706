import {
  documents,
  graphqlCall,
  insertIdleSessions,
  insertRevocations,
  insertSessions,
  insertUsers,
  migrate,
  signIn,
} from './latchkey.mjs';
import { figure } from './figures.mjs';

const TEMPLATE = 'prepared';
const VIEWER_SESSIONS = 32;
const REFRESHED_SESSIONS = 1000;

/** Databases of the bench's PostgreSQL that are alike: migrated, and with the same users, whose one password is under `hash`. */
export async function prepareDatabases(postgres, accounts) {
  await postgres.query('postgres', `CREATE DATABASE ${TEMPLATE}`);
  migrate(postgres.urlOf(TEMPLATE));
  const queryIn = (name) => (sql, parameters) => postgres.query(name, sql, parameters);
  const hash = await insertUsers(queryIn(TEMPLATE), accounts);
  await postgres.query(TEMPLATE, 'VACUUM ANALYZE');
  return {
    hash,
    async create(name) {
      await postgres.query('postgres', `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      const query = queryIn(name);
      return { url: postgres.urlOf(name), query, viewerCalls: (origin) => viewerCalls(query, origin) };
    },
  };
}

/** `viewer { id }` by sessions that a server has just let in. */
async function viewerCalls(query, origin) {
  const sessions = await insertSessions(query, VIEWER_SESSIONS, true);
  const tokens = await signIn(origin, sessions);
  return tokens.map((token) => ({ ...graphqlCall(documents.viewer, token), expectedPart: sessions[0].userId }));
}

/** A database for each size, with so many live revocations. */
export async function fillRevocations(databases, sizes, say) {
  const tables = [];
  for (const size of sizes) {
    say(`${figure(size)} revocations`);
    const database = await databases.create(`revocations_${size}`);
    await insertRevocations(database.query, size);
    await database.query('VACUUM ANALYZE');
    tables.push({ size, database });
  }
  return tables;
}

/** A database for each size, with so many sessions, of which a thousand are there to be refreshed; the smallest has another thousand for the bare statement. */
export async function fillSessions(databases, sizes, say) {
  const tables = [];
  for (const size of sizes) {
    say(`${figure(size)} sessions`);
    const database = await databases.create(`sessions_${size}`);
    if (size > REFRESHED_SESSIONS) await insertIdleSessions(database.query, size - REFRESHED_SESSIONS);
    const sessions = await insertSessions(database.query, REFRESHED_SESSIONS, false);
    const bareSessions = size === sizes[0] ? await insertSessions(database.query, REFRESHED_SESSIONS, false) : undefined;
    await database.query('VACUUM ANALYZE');
    tables.push({ size, database, tokens: sessions.map(({ refreshToken }) => refreshToken), bareSessions });
  }
  return tables;
}
