import { figure } from './figures.mjs';
import { isMet } from './aims.mjs';

const mib = (value) => `${figure(value)} MiB`;

const oneArray = ({ row }, rows) => {
  const larger = rows.slice(rows.findIndex((other) => other.row === row) + 1).filter((other) => /^growth: .* revocations$/.test(other.row));
  const isLargerMet = larger.some((other) => isMet(other));
  return `A request looks twice into one array, however large it is.${isLargerMet ? ' More revocations meet the aim in this run, so that it is the spread of the machine.' : ''}`;
};
const oneIndex = () =>
  'A refresh finds its session by one index, which is a level or two deeper in a larger table, and writes that row; the server does the same work whatever the size.';

const oneHash = () => 'All of them cost one hash at the parameters in force, and the same statements.';

/** What stands in the way of an aim. Told only of rows that do not meet theirs; what depends on a run is taken from it. */
export const explanations = {
  'auth overhead': () =>
    'A token of some 580 bytes comes with every request: in a profile, reading and parsing that much more HTTP was most of the difference, and what Latchkey itself does a quarter of it: finding the bearer, SHA-256 over the token, its entry, expiry, revocation and the principal.',
  'the tutorial': () => 'GraphQL is parsed, planned and executed for each request, which REST is not.',
  'naive GraphQL': () =>
    'In a profile of the processor time of a request, a tenth each was the write to the socket and Apollo’s pipeline, and 7 hundredths each were Fastify and graphql-js; no line of ours was above 3. The peer saves the security headers, the metrics and the limits, and pays for a signature.',
  'server sessions': () =>
    'The statement costs the server’s core little: it is the database’s core, which `viewer` leaves alone, that pays for it, and 32 callers hide the wait. The peer has no security headers, no metrics and no limits. What a look-up per request costs shows where one database carries many servers, or stands across a network: see docs/scaling.md.',
  'a popular library': () => 'No profile was taken of this row.',
  ceiling: () =>
    'Mercurius compiles the operation to a function and has no plugins. Apollo’s pipeline asks for some forty promises a request, and graphql-js interprets the document. Twelve security headers, a request id and two metrics come on top.',
  profile: () =>
    'The server’s core is what is full: the processor time of both sides is in the next table. Two statements of ours stand for three of the peer’s; in a profile, Apollo, graphql-js and two batches of DataLoader were the difference.',
  login: () =>
    'A login is six statements around the hash (who it is, two counters begun and settled, and the session with its audit event and its user) and a signature, on the one core that hashes too.',
  flood: () => 'On one core the hash and everyone else share it: whoever comes while one is computed waits for a slice of the scheduler.',
  'enumeration: unknown': oneHash,
  'enumeration: disabled': oneHash,
  refresh: () =>
    'The bare statement is the work of the database’s core, a refresh that of the server’s: HTTP, Apollo and graphql-js as for any operation, two MACs and three digests, and an Ed25519 signature, which was a tenth of it in a profile. User and roles come with the rotation, in one statement.',
  'growth: 100,000 sessions': oneIndex,
  'growth: 1,000,000 sessions': oneIndex,
  'growth: 1,000 revocations': oneArray,
  'growth: 100,000 revocations': oneArray,
  'growth: 1,000,000 revocations': oneArray,
  'memory: 10⁶ revocations': ({ parts }) =>
    `The table itself is one array: what is in arrays grew by ${mib(parts.arrays)} (medians of this run), and the heap of JavaScript by ${mib(parts.heap)}. The rest the C library keeps free after the rows were read, for whatever comes next: 27 to 65 MiB in trials, and 1 to 24 where it was told to give back more (MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ at 131072).`,
  'memory: 10⁵ cached tokens': ({ parts }) =>
    `The heap of JavaScript grew by ${mib(parts.heap)} (the median of this run): claims as strings, the digest that is their key, and beside them the marks of 100,000 sessions that were seen, which are not the cache’s.`,
  start: () =>
    'In a count, some 1,400 files of packages were loaded, where Fastify alone has 250 (half of them compile JSON schemas, which Latchkey does without), and in a trial on one core they took 1 s of 1.8: Kysely 0.25 s, MikroORM 0.17, graphql-js with type-graphql, its scalars and Apollo 0.34, Fastify 0.13, Zod 0.1. What V8 compiles is kept from one start to the next. Bundling them into one file costs more than it gives: the resolvers of whoever builds on this import graphql and type-graphql themselves, and a bundle holds a second copy of each, which graphql-js refuses (“another module or realm”) and whose decorators are not seen; packages with native code or WebAssembly stay outside anyway; and stack traces in the log lose their files. After the files, entities are discovered, migrations compared, the signing keys opened, revocations loaded and the schema built, 0.6 s in the same trial: nothing is served before.',
};
