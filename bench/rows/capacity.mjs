import { POOL_MAX } from '../lib/latchkey.mjs';
import { figure } from '../lib/figures.mjs';
import { answer, end, startPeer } from '../lib/processes.mjs';

/** Each writes on sessions that the ones before have left as they were, the ending last. */
const STATEMENTS = [
  { kind: 'rotation', name: 'a rotation, the whole of what a refresh writes', callers: 32 },
  { kind: 'begin', name: 'a session begun, with its audit event', callers: 32 },
  { kind: 'sightings', name: 'sightings, a thousand in a statement', callers: 1 },
  { kind: 'end', name: 'the end of one session, with its revocation and its audit event', callers: 32 },
];

/** What one PostgreSQL carries, in statements and in rows: for docs/scaling.md, which has no aim to meet. */
export async function measureCapacity({ plan, database, sessions, revocations, say }) {
  const bytesOf = async ({ query }, counted, ...tables) => {
    const sum = tables.map((table) => `pg_total_relation_size('${table}')`).join(' + ');
    const [{ bytes }] = await query(`SELECT ((${sum})::float8 / (SELECT count(*) FROM ${counted})) AS bytes`);
    return Math.round(bytes);
  };
  // Of tables that have just been filled: what is updated leaves gaps.
  const tableRows = [
    {
      name: 'user, with password hash and one role',
      bytes: await bytesOf(database, 'user_account', 'user_account', 'credential', 'user_role'),
    },
    { name: 'session', bytes: await bytesOf(sessions, 'session', 'session') },
    { name: 'live revocation', bytes: await bytesOf(revocations, 'revocation', 'revocation') },
  ];
  await sessions.query('CHECKPOINT');
  const peer = await startPeer('statements', { DATABASE_URL: sessions.url, POOL_MAX: String(POOL_MAX) });
  const statements = [];
  for (const { kind, name, callers } of STATEMENTS) {
    const { perSecond, walBytes } = await answer(peer.child, { kind, callers, ...plan.capacity });
    say(`${figure(perSecond)}/s: ${name}`);
    statements.push({ name, perSecond, walBytes });
  }
  await end(peer.child);
  tableRows.push({ name: 'audit event', bytes: await bytesOf(sessions, 'audit_event', 'audit_event') });
  return { statements, tableRows };
}
