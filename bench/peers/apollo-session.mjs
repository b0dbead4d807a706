// Server sessions: the same Apollo server, reading the session's row per request. Everything can be revoked at once.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import process from 'node:process';

import { ApolloServer } from '@apollo/server';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import Fastify from 'fastify';
import { GraphQLError } from 'graphql';
import pg from 'pg';

import { listen, SESSIONS } from './serve.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const digest = (token) => createHash('sha256').update(token).digest();

const app = Fastify();
const apollo = new ApolloServer({
  typeDefs: `
    type Query { viewer: User! }
    type User { id: ID! }
  `,
  resolvers: {
    Query: {
      viewer: (_source, _args, { subject }) => {
        if (subject === undefined) throw new GraphQLError('Sign in.', { extensions: { code: 'UNAUTHENTICATED' } });
        return { id: subject };
      },
    },
  },
  introspection: false,
  plugins: [fastifyApolloDrainPlugin(app)],
});
await apollo.start();
await app.register(fastifyApollo(apollo), {
  context: async ({ headers }) => {
    const token = headers.authorization?.replace('Bearer ', '');
    if (token === undefined) return {};
    const { rows } = await pool.query({
      name: 'session',
      text: 'SELECT user_id FROM peer_session WHERE token_hash = $1 AND expires_at > now() AND revoked_at IS NULL',
      values: [digest(token)],
    });
    return { subject: rows[0]?.user_id };
  },
});

await pool.query(`CREATE TABLE peer_session (
  token_hash bytea PRIMARY KEY, user_id uuid NOT NULL, expires_at timestamptz NOT NULL, revoked_at timestamptz)`);
const tokens = Array.from({ length: SESSIONS }, () => randomBytes(32).toString('base64url'));
await pool.query(`INSERT INTO peer_session (token_hash, user_id, expires_at) SELECT unnest($1::bytea[]), $2, now() + interval '1 day'`, [
  tokens.map(digest),
  randomUUID(),
]);
await listen(app, tokens);
