// What a server that does nothing needs to start.
import process from 'node:process';

import Fastify from 'fastify';

const app = Fastify();
app.get('/readyz', () => ({ status: 'ok' }));
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
