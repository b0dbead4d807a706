/**
 * What stands in the way of an aim, as profiles (`--cpu-prof`) and single measurements on the machine of RESULTS.md show it. Told only of rows that do not
 * meet theirs.
 */
export const explanations = {
  'auth overhead':
    'A token of 577 bytes comes with every request: reading and parsing that much more HTTP is most of the difference. What Latchkey itself does takes 2.3 µs of about 9: 0.7 to find the bearer, 0.6 for SHA-256 over the token, the rest for its entry, expiry, revocation and the principal.',
  'the tutorial': 'GraphQL is parsed, planned and executed for each request, which REST is not.',
  'naive GraphQL':
    'Of our 87 µs of processor a request, a fifth is the write to the socket, and a tenth each are Apollo’s pipeline, Fastify, and our own code with graphql-js; the peer saves the security headers, the metrics and the limits, and pays for a signature. A quarter of all that is left would have to go.',
  'server sessions':
    'The statement costs the server’s core little: it is the database’s core, idle in this row, that pays for it, and the two milliseconds of a caller hide the wait. The peer has no security headers, no metrics and no limits. What a look-up per request costs shows where one database carries many servers, or stands across a network: see docs/scaling.md.',
  ceiling:
    'Mercurius compiles the operation to a function and has no plugins: 34 µs a request. Apollo’s pipeline asks for some forty promises a request, and graphql-js interprets the document. Twelve security headers, a request id and two metrics come on top.',
  profile:
    'The server’s core is busy throughout: 235 µs a request, where the peer needs 76. Two statements of ours stand for three of the peer’s; graphql-js, type-graphql’s resolvers for each field of each session, and two batches of DataLoader are the difference.',
  login:
    'A login is seven statements around the hash (who it is, two counters begun and settled, the session with its audit event, the user for the answer) and a signature: 2.6 ms of 22.',
  flood: 'On one core the hash and everyone else share it: whoever comes while one is computed waits for a slice of the scheduler.',
  refresh:
    'A refresh takes 460 µs of the server’s core, the bare statement 170 of the database’s. The signature by WebCrypto, which goes through a thread, is the largest part; then a second statement, for the e-mail address and the roles that the kit’s document asks for; then HTTP and GraphQL.',
  'memory: 10⁶ revocations':
    'The table itself is 51 MiB of array buffers, and the heap of JavaScript is back at 52 MiB used, as without. The rest is what reading a million rows from a socket leaves behind: pages of V8 that it keeps (with --max-semi-space-size=1 a fifth less), and holes in the C heap from buffers of 64 KiB.',
  'memory: 10⁵ cached tokens':
    'Claims are kept as strings, with the digest that is their key. Beside them stand the marks of 100,000 sessions that were seen, which are not the cache’s.',
  start:
    'Loading packages: MikroORM 190 ms, Apollo 130, type-graphql with graphql-scalars 170, where Fastify takes 50. A cache of compiled code (NODE_COMPILE_CACHE) saves a tenth. Then the migrations are compared, the signing keys opened and the revocations loaded: nothing is served before.',
};
