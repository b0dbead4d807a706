import { hash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

import type { MikroORM } from '@mikro-orm/postgresql';

import { isUnanswered } from './database-errors.js';

export type PostgresPool = Awaited<ReturnType<ReturnType<MikroORM['em']['getConnection']>['getNativeClient']>>;

const connectTo = (pool: PostgresPool) => pool.connect();
type PostgresClient = Awaited<ReturnType<typeof connectTo>>;

/**
 * Runs statements as ones that each connection prepares once: PostgreSQL parses them no more after that, and seldom plans them. Their texts are
 * those of the stores, a few dozen. PgBouncer passes them on from 1.21, where max_prepared_statements says so.
 */
export function createPreparedExecutor(pool: () => Promise<PostgresPool>): (text: string, values: unknown[]) => Promise<unknown[]> {
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? `latchkey_${hash('sha256', text, 'base64url').slice(0, 22)}`;
    names.set(text, name);
    return name;
  };
  return async (text, values) => {
    const client = await connectTo(await pool());
    try {
      const { rows } = await client.query<object>({ name: nameOf(text), text, values });
      return rows;
    } finally {
      client.release();
    }
  };
}

const RECONNECT_MS = 1000;
/** An idle connection whose other end is gone looks like one on which nothing happens: so it is asked. */
const HEARTBEAT_MS = 10_000;

/** Holds one connection of the pool, and takes another when it breaks. */
export function listenOnPostgres(pool: () => Promise<PostgresPool>, channel: string, onNotification: () => void): { stop(): void } {
  const stopping = new AbortController();

  const listenUntilItEnds = async (): Promise<void> => {
    const client = await connectTo(await pool());
    try {
      const ended = new AbortController();
      client.once('end', () => {
        ended.abort();
      });
      client.on('notification', onNotification);
      await client.query(`LISTEN ${channel}`);
      if (stopping.signal.aborted) return;
      onNotification();
      const over = AbortSignal.any([ended.signal, stopping.signal]);
      while (!over.aborted) {
        await client.query('SELECT 1');
        await pause(HEARTBEAT_MS, over);
      }
    } finally {
      // The pool counts it until it is let go, broken or not.
      client.release(true);
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await listenUntilItEnds().catch(() => undefined);
      await pause(RECONNECT_MS, stopping.signal);
    }
  };
  void run();
  return {
    stop() {
      stopping.abort();
    },
  };
}

/** Waits for so long, or until the signal; a process is not kept alive by it. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { ref: false, signal }).catch(() => undefined);
}

/**
 * When pg has waited long enough for an answer it tells the caller, and leaves the connection as it is: whoever gets it next would wait behind
 * the lost answer. So it is ended, which makes the pool forget it.
 */
export function endWhenUnanswered(client: PostgresClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const watched = (...args: unknown[]): unknown => {
    const result = query(...args);
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        // Its type leaves out what the pool itself calls.
        if (isUnanswered(error)) void (client as PostgresClient & { end(): Promise<void> }).end();
      });
    }
    return result;
  };
  client.query = watched as typeof client.query;
}
