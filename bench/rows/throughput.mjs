import { bearer, documents, environmentFor, graphqlCall, insertSessions, signIn } from '../lib/latchkey.mjs';
import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { cpuOf, end, startPeer } from '../lib/processes.mjs';
import { around, takeTurns } from '../lib/turns.mjs';

/** What each pair of contestants says. */
const rows = [
  {
    row: 'auth overhead',
    measured: 'viewer',
    against: 'public',
    aim: 0.95,
    meaning: 'what it costs to know who asks: the token is looked up, its expiry and its revocation are checked, the directive decides',
  },
  {
    row: 'the tutorial',
    measured: 'viewer',
    against: 'express-jsonwebtoken',
    aim: 1.2,
    meaning: 'against REST with a JWT that nobody can revoke',
  },
  {
    row: 'naive GraphQL',
    measured: 'viewer',
    against: 'apollo-jose',
    aim: 2.5,
    meaning: 'against the same GraphQL server that verifies the signature each time, and cannot revoke either',
  },
  {
    row: 'server sessions',
    measured: 'viewer',
    against: 'apollo-session',
    aim: 4,
    meaning: 'against the usual way to be able to revoke: a read per request',
  },
  { row: 'a popular library', measured: 'viewer', against: 'better-auth', aim: 4, meaning: 'against what one would install instead' },
  {
    row: 'ceiling',
    measured: 'viewer',
    against: 'mercurius-jit',
    aim: 0.5,
    meaning: 'how much of what GraphQL on Node can do at all is left when everything is checked',
  },
  {
    row: 'profile',
    measured: 'profile',
    against: 'profile-by-hand',
    aim: 0.6,
    meaning: 'what GraphQL, authorization and loaders cost on top of three reads',
  },
];

const LOGGED = 'viewer, with the request log';
const ORDER = [
  ...around('viewer', ['public', 'express-jsonwebtoken', 'apollo-jose', 'apollo-session', 'better-auth', 'mercurius-jit', LOGGED]),
  'profile',
  'profile-by-hand',
];

const BETTER_AUTH = 'better_auth';
const PROFILE_SESSIONS = 3;

/** The servers that are compared, and what each is asked; every one has given a right answer. */
export async function startContestants({ postgres, database }) {
  const { query, url } = database;
  await postgres.query('postgres', `CREATE DATABASE ${BETTER_AUTH}`);
  const others = ['express-jsonwebtoken', 'apollo-jose', 'apollo-session', 'better-auth', 'mercurius-jit', 'profile-by-hand'];
  const [latchkey, logging, ...peers] = await Promise.all([
    startPeer('latchkey', environmentFor(url)),
    startPeer('latchkey', environmentFor(url, { LATCHKEY_LOG_LEVEL: 'info' }), { isLogKept: true }),
    ...others.map((name) => startPeer(name, { DATABASE_URL: name === 'better-auth' ? postgres.urlOf(BETTER_AUTH) : url })),
  ]);
  const someone = await insertProfile(query);
  const profileTokens = await signIn(latchkey.origin, someone);
  const contestants = {
    public: { peer: latchkey, calls: [graphqlCall(documents.publicViewer)] },
    viewer: { peer: latchkey, calls: await database.viewerCalls(latchkey.origin) },
    [LOGGED]: { peer: logging, calls: await database.viewerCalls(logging.origin) },
    profile: { peer: latchkey, calls: profileTokens.map((token) => graphqlCall(documents.profile, token)) },
    ...Object.fromEntries(others.map((name, index) => [name, { peer: peers[index], calls: callsOf(name, peers[index].tokens, someone) }])),
  };
  for (const [name, contestant] of Object.entries(contestants)) await expectFirstAnswers(name, contestant);
  return contestants;
}

/** `viewer { id }` and the profile beside their peers, in rounds that take turns. The servers end with it. */
export async function measureThroughput({ plan, load, contestants, say }) {
  const { rounds, callers, firstWarmupSeconds, warmupSeconds, seconds } = plan.throughput;
  const warmed = new Set();
  const turns = await takeTurns({
    order: ORDER,
    rounds,
    async measure(name, round) {
      const { peer, calls } = contestants[name];
      const job = { kind: 'repeat', origin: peer.origin, calls, callers, seconds };
      const cpuBefore = await cpuOf(peer);
      const result = await load.run({ ...job, warmupSeconds: warmed.has(name) ? warmupSeconds : firstWarmupSeconds });
      warmed.add(name);
      say(`round ${round + 1} of ${rounds}: ${name} ${Math.round(result.perSecond)}/s`);
      return { ...result, cpu: ((await cpuOf(peer)) - cpuBefore) / result.answered };
    },
  });
  await Promise.all([...new Set(Object.values(contestants).map(({ peer }) => peer))].map(({ child }) => end(child)));

  const ratesBeside = (...pair) => turns.beside(...pair).map((results) => results.map(({ perSecond }) => perSecond));
  return {
    rows: rows.map(({ measured, against, ...row }) => {
      const [ours, theirs] = ratesBeside(measured, against);
      return {
        ...row,
        ...ratiosOf(ours, theirs),
        atLeast: row.aim,
        detail: `${figure(median(ours))}/s : ${figure(median(theirs))}/s`,
      };
    }),
    contestants: Object.keys(contestants).map((name) => {
      const medianOf = (what) => median(turns.all(name).map((result) => result[what]));
      return {
        name,
        perSecond: medianOf('perSecond'),
        cpu: medianOf('cpu'),
        p50: medianOf('p50'),
        p99: medianOf('p99'),
        busy: medianOf('busy'),
      };
    }),
    requestLog: ratiosOf(...ratesBeside(LOGGED, 'viewer')),
  };
}

/** A user with as many sessions as people have devices. */
async function insertProfile(query) {
  const sessions = await insertSessions(query, 2, false);
  const { userId } = sessions[1];
  const all = await insertSessions(query, PROFILE_SESSIONS, true);
  const ids = all.map(({ id }) => id);
  await query('UPDATE session SET user_id = $1 WHERE id = ANY ($2::uuid[])', [userId, ids]);
  await query('DELETE FROM session WHERE id = ANY ($1::uuid[])', [sessions.map(({ id }) => id)]);
  return all.map((session) => ({ ...session, userId }));
}

function callsOf(name, tokens, profileSessions) {
  switch (name) {
    case 'profile-by-hand':
      return profileSessions.map(({ id, userId }) => get(`/profile/${userId}/${id}`));
    case 'express-jsonwebtoken':
    case 'better-auth':
      return tokens.map((token) => get('/viewer', token));
    case 'mercurius-jit':
      return [graphqlCall(documents.viewer)];
    default:
      return tokens.map((token) => graphqlCall(documents.viewer, token));
  }
}

function get(path, token) {
  return { request: { method: 'GET', path, headers: { accept: 'application/json', ...bearer(token) } } };
}

/** Asks once for each call, looks at the answer, and makes it what the load must be answered with. */
async function expectFirstAnswers(name, { peer: { origin }, calls }) {
  for (const call of calls) {
    const { path, ...init } = call.request;
    const response = await fetch(origin + path, init);
    const text = await response.text();
    const { viewer, data = { viewer } } = JSON.parse(text);
    const { id, email } = data.viewer ?? data.publicViewer ?? {};
    if (response.status !== 200 || typeof id !== 'string') throw new Error(`${name} answers wrongly: ${response.status} ${text}`);
    // The order of a profile's sessions follows their use.
    if (email === undefined) call.expected = text;
    else call.expectedPart = `"email":"${email}"`;
  }
}
