// The bare rotation: Latchkey's own statement, prepared and sent through pg, with what it needs of cryptography left out.
import { createHash } from 'node:crypto';
import process from 'node:process';

import pg from 'pg';

import { createSessionStore } from '../../dist/persistence/session.store.js';
import { rotate } from '../lib/rotation.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) });
const store = createSessionStore(
  { query: async (text, values) => (await pool.query({ name: 'rotate', text, values })).rows },
  { revocationLifetimeSeconds: 900 },
);

process.on('disconnect', () => process.exit(0));
/** Kept from one round to the next: each rotation needs what the last one wrote. */
const queue = [];

process.on('message', async ({ sessions = [], callers, warmupSeconds, seconds }) => {
  const begin = performance.now() + warmupSeconds * 1000;
  const end = begin + seconds * 1000;
  for (const { id, secret } of sessions)
    queue.push({ id, generation: 1, hash: createHash('sha256').update(Buffer.from(secret, 'hex')).digest() });
  let rotated = 0;
  const rotateUntilTheEnd = async () => {
    while (performance.now() < end) {
      queue.push(await rotate(store, queue.shift()));
      const now = performance.now();
      if (now >= begin && now <= end) rotated += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, rotateUntilTheEnd));
  process.send({ perSecond: rotated / seconds });
});
process.send({ port: 0, tokens: [] });
