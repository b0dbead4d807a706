// The bare calls that a login cannot do without: argon2id at the parameters and the parallelism that Latchkey is given.
import process from 'node:process';

import argon2 from 'argon2';

process.on('disconnect', () => process.exit(0));
process.on('message', async ({ hash, password, parallelism, warmupSeconds, seconds }) => {
  const begin = performance.now() + warmupSeconds * 1000;
  const end = begin + seconds * 1000;
  let verified = 0;
  const verifyUntilTheEnd = async () => {
    while (performance.now() < end) {
      if (!(await argon2.verify(hash, password))) throw new Error('The password is wrong.');
      const now = performance.now();
      if (now >= begin && now <= end) verified += 1;
    }
  };
  await Promise.all(Array.from({ length: parallelism }, verifyUntilTheEnd));
  process.send({ perSecond: verified / seconds });
});
process.send({ port: 0, tokens: [] });
