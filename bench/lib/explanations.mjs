/**
 * What stands in the way of an aim, as profiles (`--cpu-prof`) and single measurements on the machine of RESULTS.md show it. Told only of rows that do not
 * meet theirs.
 */
export const explanations = {
  'auth overhead':
    'A token of 577 bytes comes with every request: reading and parsing that much more HTTP is most of the difference. What Latchkey itself does is a quarter of it: finding the bearer, SHA-256 over the token, its entry, expiry, revocation and the principal.',
  'the tutorial': 'GraphQL is parsed, planned and executed for each request, which REST is not.',
  'naive GraphQL':
    'Of the processor time of a request, a tenth each is the write to the socket and Apollo’s pipeline, and 7 hundredths each are Fastify and graphql-js; no line of ours is above 3. The peer saves the security headers, the metrics and the limits, and pays for a signature. A tenth of all that is left would have to go.',
  'server sessions':
    'The statement costs the server’s core little: it is the database’s core, idle in this row, that pays for it, and the milliseconds of a caller hide the wait. The peer has no security headers, no metrics and no limits. What a look-up per request costs shows where one database carries many servers, or stands across a network: see docs/scaling.md.',
  ceiling:
    'Mercurius compiles the operation to a function and has no plugins. Apollo’s pipeline asks for some forty promises a request, and graphql-js interprets the document. Twelve security headers, a request id and two metrics come on top.',
  profile:
    'The server’s core is busy throughout, with twice the work of the peer. Two statements of ours stand for three of the peer’s; Apollo, graphql-js and two batches of DataLoader are the difference.',
  login:
    'A login is six statements around the hash (who it is, two counters begun and settled, and the session with its audit event and its user) and a signature, on the one core that hashes too.',
  flood: 'On one core the hash and everyone else share it: whoever comes while one is computed waits for a slice of the scheduler.',
  refresh:
    'The bare statement is the work of the database’s core, a refresh that of the server’s: HTTP, Apollo and graphql-js as for any operation, two MACs and three digests, and an Ed25519 signature, which is a tenth of it. User and roles come with the rotation, in one statement.',
  ...Object.fromEntries(
    ['1,000', '100,000', '1,000,000'].map((size) => [
      `growth: ${size} revocations`,
      'A request looks twice into one array, however large it is. Where a larger table or a smaller one meets the aim in the same run, this is the spread of the machine.',
    ]),
  ),
  'memory: 10⁶ revocations':
    'The table itself takes 38 MiB, in one array, and the heap of JavaScript is as large as without. The rest is what V8 and the C library keep of loading it, and of the load before, on either server: that differs from run to run by tens of MiB.',
  'memory: 10⁵ cached tokens':
    'The heap grows by 38 MiB: claims as strings, the digest that is their key, and beside them the marks of 100,000 sessions that were seen, which are not the cache’s. The rest is what 100,000 signatures verified by WebCrypto in one go leave behind in the C heap.',
  start:
    'Two thousand files of packages are found and loaded, of which Fastify needs seventy: Kysely, MikroORM, graphql-js with its tools, Apollo and type-graphql. What V8 compiles is kept from one start to the next. In one file, bundled, they were loaded in two thirds of the time, and the aim would be met; nobody could look into them then. After that the migrations are compared, the signing keys opened and the revocations loaded: nothing is served before.',
};
