import { describe, expect, it } from 'vitest';

import type { RevocationEntry } from '../../../src/persistence/revocation.store.js';
import type { Ending } from '../../../src/persistence/session.store.js';
import { logEndings, readEnding } from '../../../src/sessions/endings-log.js';
import { recordingLog } from '../../support/log.js';

const SESSION = '019aa000-0000-7000-8000-0000000000a1';
const USER = '019aa000-0000-7000-8000-00000000000a';
const ofSession: RevocationEntry = { kind: 'session', key: SESSION, minimumVersion: null, expiresAt: 1_800_000_935 };
const ofUser: RevocationEntry = { kind: 'user', key: USER, minimumVersion: 3, expiresAt: 1_800_000_935 };
const logout: Ending = { reason: 'LOGOUT', except: null };

function write(entry: RevocationEntry, ending: Ending): { line: string; time: unknown } {
  const { log, lines, written } = recordingLog();
  logEndings(log, [entry], ending);
  expect(lines.map(({ level }) => level)).toEqual(['info']);
  return { line: written[0]!, time: lines[0]!['time'] };
}

describe('the ending of sessions', () => {
  it('of one session is read back from the log', () => {
    const { line, time } = write(ofSession, logout);
    expect(readEnding(line)).toEqual({ sessionId: SESSION, endedAt: time, reason: 'LOGOUT' });
  });

  it.each([[null], [SESSION]])('of all of a user but %s is read back from the log', (except) => {
    const { line, time } = write(ofUser, { reason: 'PASSWORD_CHANGED', except });
    expect(readEnding(line)).toEqual({
      userId: USER,
      beforeVersion: 3,
      exceptSessionId: except,
      endedAt: time,
      reason: 'PASSWORD_CHANGED',
    });
  });

  it('is read whatever a collector has put before it', () => {
    const { line } = write(ofSession, logout);
    expect(readEnding(`api-1  | ${line}`)).toEqual(readEnding(line));
  });

  it('is logged by nothing that ends nothing', () => {
    const { log, lines } = recordingLog();
    logEndings(log, [], logout);
    expect(lines).toEqual([]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'Latchkey did not start.'],
    ['half a line', write(ofSession, logout).line.slice(0, -5)],
    ['another message', write(ofSession, logout).line.replace('sessions have ended', 'request')],
    ['what is no session', write(ofSession, logout).line.replace(SESSION, 'mine')],
    ['no time', write(ofSession, logout).line.replace('"time"', '"when"')],
    ['no version', write(ofUser, logout).line.replace('"beforeVersion"', '"version"')],
    ['a null', 'null'],
    ['a list', '[{}]'],
  ])('is not read from %s', (_what, line) => {
    expect(readEnding(line)).toBeUndefined();
  });
});
