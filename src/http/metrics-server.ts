import type { Server } from 'node:http';

import type { Metrics } from '../metrics.js';
import { explainListenFault } from './listen-fault.js';

/** Serves the metrics on a port of their own, which is not for the public. Undefined when no port is configured. */
export async function listenForMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number | undefined },
): Promise<Server | undefined> {
  if (port === undefined) return undefined;
  const { createServer } = await import('node:http');
  const { registry } = metrics;
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('There is nothing here but /metrics.\n');
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  await listening.catch((error: unknown) => {
    throw explainListenFault(error, { host, port, variable: 'LATCHKEY_METRICS_PORT' });
  });
  return server;
}
