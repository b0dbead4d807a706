import { LRUCache } from 'lru-cache';

import type { Clock } from '../clock.js';
import type { Logger } from '../log.js';
import type { SessionStore, Sighting } from '../persistence/session.store.js';

const WRITE_INTERVAL_MS = 1000;
/** A session whose generation is known to be seen is written again only for its `last_seen_at`. */
const QUIET_INTERVAL_MS = 60_000;
const REMEMBERED_SESSIONS = 100_000;
const LARGEST_BATCH = 5000;

/** Which generations of which sessions have come back to us. */
export interface SessionActivity {
  /** Notes a sighting in memory; a write follows within a second. */
  see(sighting: Sighting): void;
  /** Writes what is noted. */
  flush(): Promise<void>;
  /** Starts writing once a second. */
  start(): void;
  /** Stops, and writes what is left. */
  stop(): Promise<void>;
}

/**
 * Makes the buffer that reports sightings off the request's path, in one statement a second: a new generation at the next write, otherwise a
 * session at most once a minute.
 *
 * What cannot be written stays noted. Losing sightings is safe: a successor that counts as unseen is given out once more, and is still the
 * same one.
 */
export function createSessionActivity({ sessions, clock, log }: { sessions: SessionStore; clock: Clock; log: Logger }): SessionActivity {
  const pending = new Map<string, number>();
  const reported = new LRUCache<string, { generation: number; at: number }>({ max: REMEMBERED_SESSIONS });
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const note = ({ sessionId, generation }: Sighting) => {
    pending.set(sessionId, Math.max(generation, pending.get(sessionId) ?? 0));
  };

  const write = async () => {
    while (pending.size > 0) {
      const batch = [...pending].slice(0, LARGEST_BATCH).map(([sessionId, generation]) => ({ sessionId, generation }));
      for (const { sessionId } of batch) pending.delete(sessionId);
      try {
        const left = await sessions.recordSightings(batch);
        left.forEach(note);
        if (left.length > 0) return;
      } catch (error) {
        batch.forEach(note);
        log.warn({ err: error, sightings: batch.length }, 'sightings of sessions could not be written, and will be tried again');
        return;
      }
    }
  };

  const flush = () => (writing ??= write().finally(() => (writing = undefined)));

  return {
    see(sighting) {
      const last = reported.get(sighting.sessionId);
      const now = clock.monotonic();
      if (last !== undefined && last.generation >= sighting.generation && now - last.at < QUIET_INTERVAL_MS) return;
      // An older token that is still in use does not make the newest generation news again.
      reported.set(sighting.sessionId, { generation: Math.max(sighting.generation, last?.generation ?? 0), at: now });
      note(sighting);
    },
    flush,
    start() {
      timer ??= setInterval(() => void flush(), WRITE_INTERVAL_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await flush();
      await flush();
    },
  };
}
