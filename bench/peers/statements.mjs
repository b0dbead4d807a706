// The statements that Latchkey writes with, prepared and sent through pg, over a table of sessions: what a PostgreSQL carries of each.
import { randomBytes } from 'node:crypto';
import process from 'node:process';

import pg from 'pg';

import { createSessionStore } from '../../dist/persistence/session.store.js';
import { rotate } from '../lib/rotation.mjs';

const SIGHTINGS_AT_ONCE = 1000;
const NOBODY = { userId: null, ipAddress: '127.0.0.1', userAgent: null };

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) });
const names = new Map();
const query = async (text, values) => {
  if (!names.has(text)) names.set(text, `statement_${names.size}`);
  return (await pool.query({ name: names.get(text), text, values })).rows;
};
const store = createSessionStore({ query }, { revocationLifetimeSeconds: 900 });
// In the order in which they lie: the first change of a page after a checkpoint writes all of it to the log, and that is shared by those on the page.
const sessions = await query(
  'SELECT id, generation, current_hash AS hash FROM session WHERE revoked_at IS NULL ORDER BY ctid LIMIT 200000',
);
// As sessions have them (UUIDv7), and more than are begun: each is the last of the index when it comes.
const newIds = await query('SELECT uuidv7() AS id FROM generate_series(1, 200000)');
const users = await query('SELECT user_id AS "userId", password_hash AS "passwordHash" FROM credential');
let taken = 0;
let idsTaken = 0;

/** What is done once, and how many it counts for. */
const kinds = {
  async rotation() {
    await rotate(store, sessions[taken++ % sessions.length]);
    return 1;
  },
  async begin() {
    const begun = await store.insert({
      id: newIds[idsTaken++].id,
      ...users[taken++ % users.length],
      currentHash: randomBytes(32),
      secretId: 1,
      scopes: null,
      deviceName: 'a phone',
      devicePlatform: 'IOS',
      ipAddress: '127.0.0.1',
      userAgent: 'bench',
      idleLifetimeSeconds: 2_592_000,
      absoluteLifetimeSeconds: 31_536_000,
    });
    if (begun === undefined) throw new Error('The session did not begin.');
    return 1;
  },
  async end() {
    const entries = await store.revoke(sessions[taken++ % sessions.length].id, 'LOGOUT', NOBODY);
    if (entries.length !== 1) throw new Error('The session did not end.');
    return 1;
  },
  async sightings() {
    const seen = Array.from({ length: SIGHTINGS_AT_ONCE }, () => ({ sessionId: sessions[taken++ % sessions.length].id, generation: 1 }));
    await store.recordSightings(seen);
    return seen.length;
  },
};

process.on('disconnect', () => process.exit(0));
const walAt = async () => Number((await query(`SELECT pg_current_wal_lsn() - '0/0' AS bytes`))[0].bytes);

process.on('message', async ({ kind, callers, warmupSeconds, seconds }) => {
  taken = 0;
  const repeatFor = async (duration) => {
    const begun = performance.now();
    const end = begun + duration * 1000;
    let done = 0;
    const work = async () => {
      while (performance.now() < end) {
        const counted = await kinds[kind]();
        done += counted;
      }
    };
    await Promise.all(Array.from({ length: callers }, work));
    return { done, perSecond: (done * 1000) / (performance.now() - begun) };
  };
  // Each connection has to be made, and to prepare the statement.
  await repeatFor(warmupSeconds);
  const walBefore = await walAt();
  const { done, perSecond } = await repeatFor(seconds);
  process.send({ perSecond, walBytes: ((await walAt()) - walBefore) / done });
});
process.send({ port: 0, tokens: [] });
