import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { environmentFor } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { end, freePort, start } from '../lib/processes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 30_000;

/** From `node dist/main.js` to the first answer, the database being ready. */
export async function measureStarts({ plan, database, say }) {
  const latchkey = [];
  const alone = [];
  // The first of each reads its files from the disk.
  for (let round = 0; round <= plan.starts; round += 1) {
    const times = [
      await timeStart('peers/fastify-alone.mjs', { PORT: String(await freePort()) }),
      await timeStart('dist/main.js', environmentFor(database.url, { PORT: String(await freePort()) }), root),
    ];
    say(`${round === 0 ? 'first' : `round ${round} of ${plan.starts}`}: latchkey ${figure(times[1])} ms, fastify ${figure(times[0])} ms`);
    if (round === 0) continue;
    alone.push(times[0]);
    latchkey.push(times[1]);
  }
  return [
    {
      row: 'start',
      ...ratiosOf(latchkey, alone),
      atMost: 4,
      detail: `${figure(median(latchkey))} ms : ${figure(median(alone))} ms`,
      meaning: 'how long a restart, or one more replica, is waited for',
    },
  ];
}

async function timeStart(file, env, cwd) {
  const begun = performance.now();
  const child = start(file, { role: 'server', env, cwd });
  while (!(await isReady(env.PORT))) {
    if (child.exitCode !== null || performance.now() - begun > PATIENCE_MS) throw new Error(`${file} did not start:\n${child.output}`);
    await pause(2);
  }
  const took = performance.now() - begun;
  await end(child);
  return took;
}

function isReady(port) {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
