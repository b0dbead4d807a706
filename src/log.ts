import { pino, stdSerializers, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

import type { Config } from './config/config.js';

export type { Logger };

/**
 * Makes the JSON log. One event is one line, and control characters inside values are escaped by JSON itself.
 *
 * An error is logged by type, message and stack alone: what libraries hang on their errors (a failed statement's
 * parameters, a token's payload) may be secret.
 */
export function createLogger(config: Pick<Config, 'logLevel'>, destination?: DestinationStream): Logger {
  const options = {
    level: config.logLevel,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { type, message, stack } = stdSerializers.err(error);
  const code: unknown = 'code' in error ? error.code : undefined;
  return { type, message, stack, ...(typeof code === 'string' ? { code } : {}) };
}
