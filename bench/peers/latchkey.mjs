// Latchkey as `dist/main.js` starts it, and one field more: a public twin of `viewer`, for what authentication costs.
import process from 'node:process';
import { randomUUID } from 'node:crypto';

import 'reflect-metadata';
import { Directive, Query } from 'type-graphql';

import { loadConfig } from '../../dist/config/config.js';
import { UserType } from '../../dist/graphql/types/user.type.js';
import { createServer } from '../../dist/server.js';
import { ready } from './serve.mjs';

const someone = randomUUID();

class PublicResolver {
  publicViewer() {
    return new UserType(someone);
  }
}
for (const decorate of [Query(() => UserType), Directive('@public')]) {
  decorate(PublicResolver.prototype, 'publicViewer', Object.getOwnPropertyDescriptor(PublicResolver.prototype, 'publicViewer'));
}

const server = await createServer(loadConfig(process.env), { resolvers: [new PublicResolver()] });

/**
 * What is resident when nothing is left to collect, and the room for young objects, which grows with the traffic, has been given back: V8 does both by itself
 * once nobody asks for a minute or so.
 */
process.on('message', (message) => {
  if (message !== 'memory') return;
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  // Finalizers run in between, and let go of more.
  setTimeout(() => {
    globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    process.send({ residentBytes: rss, heapUsed, arrayBuffers });
  }, 300);
});
ready(new URL(server.url).port);
