// The tutorial: Express 5, and jsonwebtoken verifying an HS256 token per request. Nothing can be revoked.
import { randomBytes, randomUUID } from 'node:crypto';

import express from 'express';
import jwt from 'jsonwebtoken';

import { ready, SESSIONS } from './serve.mjs';

const secret = randomBytes(32);
const app = express();

const requireUser = (request, response, next) => {
  const token = request.get('authorization')?.split(' ')[1];
  try {
    request.user = jwt.verify(token, secret, { algorithms: ['HS256'] });
    next();
  } catch {
    response.status(401).json({ error: 'unauthorized' });
  }
};
app.get('/viewer', requireUser, (request, response) => response.json({ viewer: { id: request.user.sub } }));

const subject = randomUUID();
const tokens = Array.from({ length: SESSIONS }, () =>
  jwt.sign({ sid: randomUUID() }, secret, { algorithm: 'HS256', subject, expiresIn: '15m' }),
);
const server = app.listen(0, '127.0.0.1', () => ready(server.address().port, tokens));
