// `npm run tour`: starts a throwaway server and shows, step by step and with the real messages, what Latchkey does. Fails when a step does not hold.
import { randomBytes } from 'node:crypto';
import process from 'node:process';

import { createAuth } from '@latchkey/client';
import { memoryStorage } from '@latchkey/client/memory';

import { startLossyProxy } from './lossy-proxy.mjs';
import { createNarrator } from './narrator.mjs';
import { steps } from './steps.mjs';
import { startThrowawayServer } from './throwaway-server.mjs';
import { createWire } from './wire.mjs';

const ACCESS_TOKEN_LIFETIME_SECONDS = 5;
const GRACE_SECONDS = 2;

const settings = {
  LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: String(ACCESS_TOKEN_LIFETIME_SECONDS),
  LATCHKEY_REFRESH_GRACE_SECONDS: String(GRACE_SECONDS),
  // An access token is over when it says so: there is one clock here.
  LATCHKEY_CLOCK_TOLERANCE_SECONDS: '0',
};

const narrator = createNarrator();
const started = performance.now();
const secondsSince = (moment) => (performance.now() - moment) / 1000;

narrator.title('A tour of Latchkey');
narrator.say('A server is starting: a database of its own in a temporary folder, a free port of this machine, gone when the tour ends.');
const server = startThrowawayServer(settings);
let isInterrupted = false;
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.once(signal, () => {
    isInterrupted = true;
    void server.stop().finally(() => process.exit(exitCode));
  });
}

try {
  await tour();
} catch (error) {
  if (!isInterrupted) {
    report(error);
    process.exitCode = 1;
  }
} finally {
  await server.stop();
}

async function tour() {
  const { url, administrator } = await server.ready;
  narrator.say(await explainSettings());
  const proxy = await startLossyProxy(url);
  const endpoint = `${url}/graphql`;
  const phone = device('Phone', 'IOS', endpoint);
  const laptop = device('Laptop', 'MACOS', `${proxy.url}/graphql`);
  const tablet = device('Tablet', 'ANDROID', endpoint);
  const context = {
    narrator,
    endpoint,
    proxy,
    phone,
    laptop,
    tablet,
    operator: { wire: createWire('Operator', narrator) },
    thief: { wire: createWire('Thief', narrator) },
    administrator,
    ada: { email: 'ada@example.com', username: 'ada', password: randomBytes(18).toString('base64url') },
    graceSeconds: GRACE_SECONDS,
  };
  const shown = [];
  try {
    for (const [index, { title, run }] of steps.entries()) {
      narrator.step(index + 1, title);
      const row = { title, held: false, seconds: 0 };
      shown.push(row);
      const stepStarted = performance.now();
      try {
        await run(context);
        row.held = true;
      } finally {
        row.seconds = secondsSince(stepStarted);
      }
    }
  } finally {
    if (!isInterrupted) narrator.summary(shown);
    for (const { auth } of [phone, laptop, tablet]) auth.close();
    proxy.close();
  }
  narrator.next([
    `All of it held, in ${secondsSince(started).toFixed(0)} s. What to try next:`,
    '',
    'npm start          a server that stays; sign in and explore at http://localhost:4000/graphiql/',
    'README.md          "The four calls" with curl; "Protect your own field" with a directive',
    'client/README.md   @latchkey/client in your app; docs/clients for Swift and Kotlin',
  ]);
}

function device(name, platform, endpoint) {
  const wire = createWire(name, narrator);
  return { wire, endpoint, auth: createAuth({ endpoint, storage: memoryStorage(), fetch: wire.fetch, device: { name, platform } }) };
}

async function explainSettings() {
  // From the build, because that is what runs.
  const { loadConfig } = await import(new URL('../../dist/config/config.js', import.meta.url).href);
  const defaults = loadConfig({});
  return [
    `So that minutes become seconds, an access token lives ${ACCESS_TOKEN_LIFETIME_SECONDS} s here (default: ${defaults.accessTokenLifetimeSeconds}),`,
    `a refresh token is replaced at most once in ${GRACE_SECONDS} s (default: ${defaults.refreshGraceSeconds}),`,
    `and no clock is tolerated to be wrong (default: ${defaults.clockToleranceSeconds} s). All else is as npm start has it.`,
    'Tokens are shown by their ends; the operations and answers are those on the wire.',
  ].join(' ');
}

function report(error) {
  // A fault of the tour's own needs to say where it came from; what does not hold, and a server that does not start, explain themselves.
  narrator.failure(error instanceof TypeError ? error.stack : error.message);
  if (error.exchange !== undefined) {
    narrator.question(error.exchange);
    narrator.answer(error.exchange);
  }
  if (server.log.length > 0) {
    narrator.say('What the server logged:');
    for (const line of server.log) narrator.json(JSON.parse(line));
  }
}
