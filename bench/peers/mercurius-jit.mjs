// The ceiling: Mercurius with its JIT, and nobody checks anything.
import { randomUUID } from 'node:crypto';

import Fastify from 'fastify';
import mercurius from 'mercurius';

import { listen } from './serve.mjs';

const id = randomUUID();
const app = Fastify();
await app.register(mercurius, {
  schema: `
    type Query { viewer: User! }
    type User { id: ID! }
  `,
  resolvers: { Query: { viewer: () => ({ id }) } },
  jit: 1,
});
await listen(app);
