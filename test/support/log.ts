import { createLogger, type Logger } from '../../src/log.js';

export interface LogLine {
  level: string;
  msg: string;
  [key: string]: unknown;
}

/** A real log at its most talkative, the lines that it has written, and the same as text. */
export function recordingLog(): { log: Logger; lines: LogLine[]; written: string[] } {
  const lines: LogLine[] = [];
  const written: string[] = [];
  const write = (line: string) => {
    written.push(line);
    lines.push(JSON.parse(line) as LogLine);
  };
  return { log: createLogger({ logLevel: 'trace' }, { write }), lines, written };
}
