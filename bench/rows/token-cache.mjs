import { randomBytes } from 'node:crypto';

import { createSecretRing } from '../../dist/crypto/secret-ring.js';
import { openSigningKey } from '../../dist/keys/signing-key.js';
import { createAccessTokens } from '../../dist/tokens/access-token.js';
import { documents, environmentFor } from '../lib/latchkey.mjs';
import { figure } from '../lib/figures.mjs';
import { end, startPeer } from '../lib/processes.mjs';
import { COLLECTABLE, growthOf, memoryOf } from './memory.mjs';

const ENTRIES = 100_000;
const CALLERS = 32;
const PATIENCE_SECONDS = 120;

/** What a server keeps for each access token that it has verified. */
export async function measureTokenCache({ plan, load, database, say }) {
  const { rounds, seconds, tokens: count } = plan.tokenCache;
  const env = environmentFor(database.url, { LATCHKEY_TOKEN_CACHE_ENTRIES: String(ENTRIES) });
  let minted;
  const before = [];
  const after = [];
  const body = JSON.stringify({ query: documents.viewer });
  for (let round = 0; round < rounds; round += 1) {
    const peer = await startPeer('latchkey', env, COLLECTABLE);
    const { origin } = peer;
    // One set for all rounds, as each server begins with an empty cache.
    minted ??= await mint(count, database, env.LATCHKEY_SECRETS);
    const { tokens, subject } = minted;
    // The heap has grown to what requests need before it is looked at.
    await load.run({ kind: 'repeat', origin, calls: await database.viewerCalls(origin), callers: CALLERS, seconds });
    before.push(await memoryOf(peer));
    await load.run({ kind: 'once', origin, tokens, body, expectedPart: subject, callers: CALLERS, seconds: PATIENCE_SECONDS });
    after.push(await memoryOf(peer));
    await end(peer.child);
    const [held, holds] = [before, after].map((all) => figure(all.at(-1).resident));
    say(`round ${round + 1} of ${rounds}: ${held} MiB, and ${holds} MiB with ${figure(count)} tokens`);
  }

  const scale = ENTRIES / count;
  const grown = growthOf(after, before, scale);
  return [
    {
      row: 'memory: 10⁵ cached tokens',
      ...grown,
      detail: `${grown.detail}${scale === 1 ? '' : `, with ${figure(count)} tokens; the growth times ${scale}`}`,
      meaning:
        'what is resident after so many verified tokens of as many sessions, beyond a warm server, both after a collection, and without the room that only traffic needs',
    },
  ];
}

/** Access tokens of sessions that nobody else has: what the server itself would sign. */
async function mint(count, database, secret) {
  const [row] = await database.query(
    `SELECT kid, algorithm, public_jwk AS "publicJwk", sealed_private_jwk AS "sealedPrivateJwk", secret_id AS "secretId",
            created_at AS "createdAt", activates_at AS "activatesAt", expires_at AS "expiresAt" FROM signing_key`,
  );
  const key = await openSigningKey(createSecretRing([secret]), row);
  const settings = {
    issuer: 'latchkey',
    audience: 'latchkey-api',
    clientId: 'latchkey-app',
    clockToleranceSeconds: 5,
    tokenCacheEntries: 0,
  };
  const accessTokens = createAccessTokens({ keys: { signingKey: () => key }, clock: { now: () => Date.now() }, settings });
  const uuid = () =>
    randomBytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      .replace(/^(.{14})./, '$17')
      .replace(/^(.{19})./, '$18');
  const subject = uuid();
  const now = Math.floor(Date.now() / 1000);
  const tokens = [];
  while (tokens.length < count) {
    const batch = Array.from({ length: Math.min(1000, count - tokens.length) }, () =>
      accessTokens.issue({
        subject,
        sessionId: uuid(),
        generation: 1,
        userVersion: 1,
        scopes: [],
        authTime: now,
        issuedAt: now,
        expiresAt: now + 900,
      }),
    );
    tokens.push(...(await Promise.all(batch)));
  }
  return { tokens, subject };
}
