import process from 'node:process';

/** How many sessions the load comes from: all of one user, so that one answer is right for all of them. */
export const SESSIONS = 32;

/** Tells the bench where the peer listens, and with which tokens to ask it. */
export async function listen(app, tokens = []) {
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  ready(new URL(address).port, tokens);
}

export function ready(port, tokens = []) {
  process.send({ port: Number(port), tokens });
}

/** What it has cost so far. */
process.on('message', (message) => {
  if (message === 'cpu') process.send(process.cpuUsage());
});

/** Ends with the bench, whatever becomes of it. */
process.on('disconnect', () => process.exit(0));
