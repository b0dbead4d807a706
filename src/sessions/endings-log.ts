import { z } from 'zod';

import type { Logger } from '../log.js';
import type { RevocationEntry } from '../persistence/revocation.store.js';
import type { Ending, PastEnding } from '../persistence/session.store.js';

/** Logs which sessions have ended: what a database that is restored to an older state has forgotten, and the log has not. */
export function logEndings(log: Logger, entries: readonly RevocationEntry[], { reason, except }: Ending): void {
  for (const { kind, key, minimumVersion } of entries) {
    const which = kind === 'session' ? { sessionId: key } : { userId: key, beforeVersion: minimumVersion, exceptSessionId: except };
    log.info({ ...which, reason }, 'sessions have ended');
  }
}

const ending = { msg: z.literal('sessions have ended'), time: z.iso.datetime(), reason: z.string() };
const lineSchema = z.union([
  z.object({ ...ending, sessionId: z.uuid() }),
  z.object({ ...ending, userId: z.uuid(), beforeVersion: z.int(), exceptSessionId: z.uuid().nullable() }),
]);

/** Reads back what `logEndings` wrote, whatever a collector has put before it in the line; undefined for every other line. */
export function readEnding(line: string): PastEnding | undefined {
  const { success, data } = lineSchema.safeParse(parseJson(line.slice(Math.max(0, line.indexOf('{')))));
  if (!success) return undefined;
  const { time: endedAt, reason } = data;
  return 'sessionId' in data
    ? { sessionId: data.sessionId, endedAt, reason }
    : { userId: data.userId, beforeVersion: data.beforeVersion, exceptSessionId: data.exceptSessionId, endedAt, reason };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
