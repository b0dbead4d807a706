// A popular library: better-auth with its bearer plugin on PostgreSQL, asked for the session per request as its documentation shows.
import process from 'node:process';

import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders } from 'better-auth/node';
import { bearer } from 'better-auth/plugins';
import Fastify from 'fastify';
import pg from 'pg';

import { listen, SESSIONS } from './serve.mjs';

const options = {
  baseURL: 'http://127.0.0.1',
  secret: 'a secret of the bench, used nowhere else',
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 }),
  emailAndPassword: { enabled: true },
  plugins: [bearer()],
  // All load comes from one address.
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);

const app = Fastify();
app.get('/viewer', async (request, reply) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  if (session === null) return reply.code(401).send({ error: 'unauthorized' });
  return { viewer: { id: session.user.id } };
});

const account = { email: 'someone@example.com', password: 'seven purple ladders lean' };
await auth.api.signUpEmail({ body: { ...account, name: 'Someone' } });
const signIn = async () => (await auth.api.signInEmail({ body: account })).token;
await listen(app, await Promise.all(Array.from({ length: SESSIONS }, signIn)));
