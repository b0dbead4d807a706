// Naive GraphQL: Apollo Server behind Fastify, and jose verifying an Ed25519 token per request. Nothing can be revoked.
import { randomUUID } from 'node:crypto';

import { ApolloServer } from '@apollo/server';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import Fastify from 'fastify';
import { generateKeyPair, jwtVerify, SignJWT } from 'jose';

import { GraphQLError } from 'graphql';

import { listen, SESSIONS } from './serve.mjs';

const ISSUER = 'peer';
const AUDIENCE = 'peer-api';
const { publicKey, privateKey } = await generateKeyPair('EdDSA');

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
    const { payload } = await jwtVerify(token, publicKey, { issuer: ISSUER, audience: AUDIENCE, algorithms: ['EdDSA'] });
    return { subject: payload.sub };
  },
});

const subject = randomUUID();
const issue = () =>
  new SignJWT({ sid: randomUUID() })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime('15m')
    .sign(privateKey);
await listen(app, await Promise.all(Array.from({ length: SESSIONS }, issue)));
