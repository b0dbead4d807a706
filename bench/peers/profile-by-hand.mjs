// The three reads of the profile, written by hand with pg behind Fastify, for a user that the address names. Nobody checks anything.
import process from 'node:process';

import Fastify from 'fastify';
import pg from 'pg';

import { listen } from './serve.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const USER = { name: 'user', text: 'SELECT id, email, disabled, created_at FROM user_account WHERE id = $1' };
const ROLES = { name: 'roles', text: 'SELECT role FROM user_role WHERE user_id = $1 ORDER BY role' };
const LIVE_SESSIONS = {
  name: 'sessions',
  text: `SELECT id, device_name FROM session
          WHERE user_id = $1 AND revoked_at IS NULL AND idle_expires_at > now() AND absolute_expires_at > now()
          ORDER BY last_seen_at DESC, id DESC`,
};

const app = Fastify();
app.get('/profile/:userId/:sessionId', async ({ params: { userId, sessionId } }) => {
  const read = async (statement) => (await pool.query({ ...statement, values: [userId] })).rows;
  const [[user], roles, sessions] = await Promise.all([read(USER), read(ROLES), read(LIVE_SESSIONS)]);
  return {
    data: {
      viewer: {
        id: user.id,
        email: user.email,
        roles: roles.map(({ role }) => role),
        sessions: sessions.map(({ id, device_name: name }) => ({ id, device: { name }, current: id === sessionId })),
      },
    },
  };
});
await listen(app);
