import { setTimeout as pause } from 'node:timers/promises';

import { HonestClient } from './honest-client.js';

/** A client uses its token as often as this, and refreshes each time. */
const PAUSE_MS = 400;
/** How long every client has to get through once more when all is over. */
const LAST_ROUND_MS = 20_000;

/**
 * For a storm: a row rotates once a second, so that it rotates often, and the database is waited for no longer than that, so that no server still
 * works on a call that its client has given up.
 */
export const STORM_VARIABLES = { LATCHKEY_REFRESH_GRACE_SECONDS: '1', LATCHKEY_DATABASE_TIMEOUT_MS: '1000' } as const;

export interface Storm {
  readonly clients: readonly HonestClient[];
  /** Clients that believe that they are signed out, and why. */
  readonly lost: readonly string[];
  /** Answers that no client is prepared for. */
  readonly unexpected: readonly string[];
  readonly calls: number;
  readonly retries: number;
  readonly refreshes: number;
  /** Waits until every client has been answered once more, and tells how long after this moment: the first, and the last of them. */
  healed(): Promise<{ firstMs: number; lastMs: number }>;
  /** Lets every client get through once more, and stops. */
  end(): Promise<void>;
}

/** Signs in many honest clients, who refresh and use their tokens at any of the replicas until the storm ends. */
export async function startStorm(urls: readonly string[], size = 50): Promise<Storm> {
  const clients = await Promise.all(Array.from({ length: size }, () => HonestClient.register(urls)));
  let isOver = false;

  const live = async (client: HonestClient): Promise<void> => {
    await pause(Math.random() * PAUSE_MS);
    while (!isOver) {
      await client.refresh(() => isOver);
      await client.use(undefined, () => isOver);
      await pause(PAUSE_MS);
    }
  };
  const lives = clients.map(live);
  const sum = (of: (client: HonestClient) => number) => clients.reduce((total, client) => total + of(client), 0);

  return {
    clients,
    get lost() {
      return clients.flatMap(({ lost }) => lost ?? []);
    },
    get unexpected() {
      return clients.flatMap(({ unexpected }) => unexpected ?? []);
    },
    get calls() {
      return sum(({ calls }) => calls);
    },
    get retries() {
      return sum(({ retries }) => retries);
    },
    get refreshes() {
      return sum(({ refreshes }) => refreshes);
    },
    async healed() {
      const begun = performance.now();
      for (const client of clients) client.mark();
      const well = () =>
        clients.every((client) => client.healedAt !== undefined || client.lost !== undefined || client.unexpected !== undefined);
      while (!well() && performance.now() - begun < LAST_ROUND_MS) await pause(10);
      const times = clients.map((client) => (client.healedAt ?? Number.POSITIVE_INFINITY) - begun);
      return { firstMs: Math.min(...times), lastMs: Math.max(...times) };
    },
    async end() {
      isOver = true;
      await Promise.all(lives);
      const deadline = performance.now() + LAST_ROUND_MS;
      await Promise.all(
        clients.map(async (client) => {
          await client.refresh(() => performance.now() > deadline);
          await client.use(undefined, () => performance.now() > deadline);
        }),
      );
    },
  };
}
