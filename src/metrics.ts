import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What is counted, for Prometheus. Labels have few values, all known beforehand: never a user, never what a client wrote. */
export interface Metrics {
  registry: Registry;
  requests: Counter<'operation' | 'outcome'>;
  requestSeconds: Histogram<'operation'>;
  logins: Counter<'outcome'>;
  refreshes: Counter<'verdict'>;
  revocations: Counter<'kind'>;
  tokenChecks: Counter<'result'>;
  /** Adds a value that is read when Prometheus asks. */
  watch(name: string, help: string, read: () => number): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const metrics: Metrics = {
    registry,
    requests: new Counter({
      name: 'latchkey_requests_total',
      help: 'GraphQL requests by operation of schema/operations (others are "other") and outcome: ok, or the code of the first error',
      labelNames: ['operation', 'outcome'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'latchkey_request_seconds',
      help: 'Time from parsing a GraphQL request to its answer',
      labelNames: ['operation'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    logins: new Counter({
      name: 'latchkey_logins_total',
      help: 'Passwords tried, by outcome: succeeded, failed, throttled, unavailable',
      labelNames: ['outcome'],
      registers,
    }),
    refreshes: new Counter({
      name: 'latchkey_refreshes_total',
      help: 'Refresh tokens presented, by row of the decision table: rotated, unchanged, repeated, ended, reused, ahead; or garbage',
      labelNames: ['verdict'],
      registers,
    }),
    revocations: new Counter({
      name: 'latchkey_revocations_total',
      help: 'Revocations made by this replica, by kind: session, user',
      labelNames: ['kind'],
      registers,
    }),
    tokenChecks: new Counter({
      name: 'latchkey_access_token_checks_total',
      help: 'Access tokens checked, by result: cached, verified, rejected',
      labelNames: ['result'],
      registers,
    }),
    watch(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
  // A series that appears with its first event hides that event from increase().
  for (const verdict of ['rotated', 'unchanged', 'repeated', 'ended', 'reused', 'ahead', 'garbage']) metrics.refreshes.inc({ verdict }, 0);
  for (const outcome of ['succeeded', 'failed', 'throttled', 'unavailable']) metrics.logins.inc({ outcome }, 0);
  for (const kind of ['session', 'user']) metrics.revocations.inc({ kind }, 0);
  return metrics;
}
