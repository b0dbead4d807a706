import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import argon2 from 'argon2';

import { createSecretRing } from '../../dist/crypto/secret-ring.js';
import { sealRefreshToken } from '../../dist/tokens/refresh-token.js';
import { cores } from './processes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const secret = randomBytes(32).toString('base64');
const ring = createSecretRing([secret]);

/** What both sides of the login row share: the defaults of the configuration, and one hash at once where the server has one core. */
export const ARGON2 = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  concurrency: cores === undefined ? Math.min(2, availableParallelism()) : 1,
};

/** What differs from a production that sets nothing but what it must: each line is told in RESULTS.md. */
export const settings = {
  LATCHKEY_LOG_LEVEL: 'warn',
  LATCHKEY_TRUST_PROXY: '127.0.0.1',
  LATCHKEY_ADDRESS_LIMIT_PER_MINUTE: '1000000',
  LATCHKEY_ARGON2_CONCURRENCY: String(ARGON2.concurrency),
  LATCHKEY_ARGON2_QUEUE: '256',
};

export const environmentFor = (databaseUrl, extra = {}) => ({
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PORT: '0',
  DATABASE_URL: databaseUrl,
  LATCHKEY_SECRETS: secret,
  ...settings,
  ...extra,
});

export const POOL_MAX = 10;

export const documents = {
  publicViewer: '{ publicViewer { id } }',
  viewer: '{ viewer { id } }',
  profile: '{ viewer { id email roles sessions { id device { name } current } } }',
  login: await operation('login'),
  refresh: await operation('refresh'),
};

function operation(name) {
  return readFile(new URL(`../../schema/operations/${name}.graphql`, import.meta.url), 'utf8');
}

export function migrate(databaseUrl) {
  execFileSync(process.execPath, ['dist/cli/main.js', 'migrate'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environmentFor(databaseUrl) },
    stdio: 'pipe',
  });
}

export const PASSWORD = 'seven purple ladders lean';

/** Users `person<n>@example.com`, all with the same password and therefore the same work. */
export async function insertUsers(query, count) {
  const hash = await argon2.hash(PASSWORD, { type: argon2.argon2id, ...ARGON2 });
  await query(
    `WITH person AS (
       INSERT INTO user_account (id, email, email_key)
       SELECT uuidv7(), email, email FROM (SELECT 'person' || n || '@example.com' AS email FROM generate_series(0, $1::int - 1) AS n) AS numbered
       RETURNING id
     ), credentialed AS (
       INSERT INTO credential (user_id, password_hash) SELECT id, $2 FROM person
     )
     INSERT INTO user_role (user_id, role) SELECT id, 'user' FROM person`,
    [count, hash],
  );
  return hash;
}

const DAYS_OF_SESSIONS = 30;

/**
 * Sessions that nobody uses, over all users, begun one after the other in the last days, as their ids (UUIDv7, RFC 9562 section 5.7) say. Foreign keys hold
 * by construction, and are not checked a million times.
 */
export async function insertIdleSessions(query, count) {
  await query(`SET session_replication_role = replica;
    INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_platform, idle_expires_at, absolute_expires_at)
    SELECT uuidv7(interval '${DAYS_OF_SESSIONS} days' * (row_number() OVER () / ${Number(count)}::float8 - 1)), id, 1, sha256(''), 1, 'OTHER',
           now() + interval '30 days', now() + interval '365 days'
      FROM (
        SELECT id FROM user_account, generate_series(0, ${Number(count)} / (SELECT count(*) FROM user_account)) AS turn
         ORDER BY turn LIMIT ${Number(count)}
      ) AS owner`);
}

/** Sessions whose refresh tokens we hold, of one user or of many: what a login would have made, without a million hashes. */
export async function insertSessions(query, count, ofOneUser) {
  const users = await query(`SELECT id FROM user_account ORDER BY email LIMIT $1`, [ofOneUser ? 1 : count]);
  // Their ids are scattered among those of sessions that nobody uses.
  const ids = await query(`SELECT uuidv7(interval '-${DAYS_OF_SESSIONS} days' * random()) AS id FROM generate_series(1, $1::int)`, [count]);
  const sessions = Array.from({ length: count }, (_, index) => {
    return { id: ids[index].id, userId: users[index % users.length].id, secret: randomBytes(32) };
  });
  await query(
    `INSERT INTO session (id, user_id, generation, current_hash, secret_id, device_name, device_platform, idle_expires_at, absolute_expires_at)
     SELECT id, user_id, 1, sha256(secret), $4, 'a phone', 'IOS', now() + interval '30 days', now() + interval '365 days'
       FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS t (id, user_id, secret)`,
    [sessions.map(({ id }) => id), sessions.map(({ userId }) => userId), sessions.map((session) => session.secret), ring.active.id],
  );
  return sessions.map((session) => ({
    id: session.id,
    userId: session.userId,
    secret: session.secret.toString('hex'),
    refreshToken: sealRefreshToken({ sessionId: session.id, generation: 1, secret: session.secret, sealedBy: ring.active }),
  }));
}

/** Live revocations of sessions that nobody here has, written by many transactions of the past, as far as there were any. */
export async function insertRevocations(query, count) {
  await query(
    `INSERT INTO revocation (kind, key, expires_at, xid)
     SELECT 'session', uuidv7(interval '-${DAYS_OF_SESSIONS} days' * random()), now() + interval '1 hour', (3 + n % 500)::text::xid8
       FROM generate_series(1, $1::int) AS n`,
    [count],
  );
}

export const bearer = (token) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

export async function graphql(origin, query, { variables, token } = {}) {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(token) },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const { data, errors } = JSON.parse(text);
  if (errors !== undefined || data === undefined) throw new Error(`${query} was refused: ${text}`);
  return { data, text };
}

/** What the load sends to a GraphQL server. */
export function graphqlCall(query, token) {
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...bearer(token) };
  return { request: { method: 'POST', path: '/graphql', headers, body: JSON.stringify({ query }) } };
}

/** Trades the first refresh token of each session for an access token, as a client does. */
export async function signIn(origin, sessions) {
  const tokens = [];
  for (const { refreshToken } of sessions) {
    const { data } = await graphql(origin, documents.refresh, { variables: { input: { refreshToken } } });
    tokens.push(data.refresh.accessToken);
  }
  return tokens;
}
