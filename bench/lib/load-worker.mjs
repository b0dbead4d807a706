// Makes load, and looks at every answer. It runs in a process of its own; a job comes as a message, and figures go back.
import { Buffer } from 'node:buffer';
import process from 'node:process';
import { setInterval, clearInterval } from 'node:timers';

import { Client, Pool } from 'undici';

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };
const MAX_CONNECTIONS_AT_A_RATE = 256;
const LATE_MS = 10_000;

/** What undici tells of one exchange. */
class Exchange {
  constructor(done) {
    this.done = done;
    this.chunks = [];
    this.status = 0;
  }
  onRequestStart() {}
  onResponseStart(_controller, status) {
    this.status = status;
  }
  onResponseData(_controller, chunk) {
    this.chunks.push(chunk);
  }
  onResponseEnd() {
    this.done(this.status, this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks));
  }
  onResponseError(_controller, error) {
    this.done(0, Buffer.from(String(error)));
  }
}

/** What each kind of job sends, and what must come back: `check` gives what is wrong with an answer. */
const kinds = {
  /** The same few calls over and over. Each says what its answer is, or holds. */
  repeat({ calls }) {
    const prepared = calls.map(({ request, expected, expectedPart }) => {
      const whole = expected === undefined ? undefined : Buffer.from(expected);
      return { request, isRight: (body) => (whole === undefined ? body.includes(expectedPart) : body.equals(whole)) };
    });
    let index = 0;
    return {
      next: () => prepared[index++ % prepared.length],
      check: (call, status, body) => (status === 200 && call.isRight(body) ? undefined : `${status} ${body}`),
    };
  },
  /** Signs in to one account after the other, each from an address of its own, as if through a proxy. */
  login({ accounts, document }) {
    let index = 0;
    return {
      next() {
        const number = index++ % accounts.count;
        const input = { identifier: `${accounts.prefix}${number}@example.com`, password: accounts.password };
        return {
          request: post(document, { input }, { 'x-forwarded-for': `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}` }),
        };
      },
      check: (_call, status, body) => (status === 200 && body.includes('"accessToken":"') ? undefined : `${status} ${body}`),
    };
  },
  /** Refreshes one session after the other, each with the token that it was given last. */
  refresh({ tokens, document }) {
    const queue = [...tokens];
    return {
      next: () => ({ request: post(document, { input: { refreshToken: queue.shift() } }) }),
      check(_call, status, body) {
        const token = /"refreshToken":"([^"]+)"/.exec(body.toString())?.[1];
        if (status !== 200 || token === undefined) return `${status} ${body}`;
        queue.push(token);
        return undefined;
      },
      left: () => ({ tokens: queue }),
    };
  },
  /** Sends each access token once. */
  once({ tokens, body, expectedPart }) {
    let index = 0;
    return {
      next: () =>
        index < tokens.length
          ? {
              request: { method: 'POST', path: '/graphql', headers: { ...JSON_HEADERS, authorization: `Bearer ${tokens[index++]}` }, body },
            }
          : undefined,
      check: (_call, status, answer) => (status === 200 && answer.includes(expectedPart) ? undefined : `${status} ${answer}`),
    };
  },
};

function post(query, variables, headers = {}) {
  return { method: 'POST', path: '/graphql', headers: { ...JSON_HEADERS, ...headers }, body: JSON.stringify({ query, variables }) };
}

/** Drives a server: `callers` ask again as soon as they are answered, or else `rate` requests a second are sent whatever comes back. */
async function drive({ kind, origin, callers, rate, warmupSeconds = 0, seconds, ...rest }) {
  const { next, check, left } = kinds[kind](rest);
  const begin = performance.now() + warmupSeconds * 1000;
  const end = begin + seconds * 1000;
  const latencies = [];
  let failure;
  let total = 0;
  let isOver = false;
  let cpuAtBegin;

  const exchange = (client, whenDone) => {
    const call = next();
    if (call === undefined) return false;
    const sentAt = performance.now();
    client.dispatch(
      call.request,
      new Exchange((status, body) => {
        const now = performance.now();
        total += 1;
        const wrong = check(call, status, body);
        if (wrong !== undefined && !isOver) failure ??= wrong.slice(0, 400);
        if ((rate === undefined ? now : sentAt) >= begin && (rate === undefined ? now : sentAt) < end) {
          cpuAtBegin ??= { at: now, used: process.cpuUsage() };
          latencies.push(now - sentAt);
        }
        whenDone(now);
      }),
    );
    return true;
  };

  if (rate === undefined) {
    const clients = Array.from({ length: callers }, () => new Client(origin, { pipelining: 1 }));
    await Promise.all(
      clients.map(
        (client) =>
          new Promise((resolve) => {
            const again = (now) => {
              if (now >= end || failure !== undefined || !exchange(client, again)) resolve();
            };
            again(performance.now());
          }),
      ),
    );
    isOver = true;
    await Promise.all(clients.map((client) => client.destroy()));
  } else {
    const pool = new Pool(origin, { connections: MAX_CONNECTIONS_AT_A_RATE, pipelining: 1 });
    const started = performance.now();
    let sent = 0;
    let answered = 0;
    await new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now();
        const isDone = now >= end;
        if (failure !== undefined || (isDone && (answered === sent || now > end + LATE_MS))) {
          clearInterval(timer);
          resolve();
          return;
        }
        while (!isDone && sent < ((now - started) / 1000) * rate) {
          sent += 1;
          exchange(pool, () => (answered += 1));
        }
      }, 1);
    });
    if (answered < sent) failure ??= `${sent - answered} requests were never answered`;
    isOver = true;
    await pool.destroy();
  }

  if (failure !== undefined) return { failure };
  const cpu = process.cpuUsage(cpuAtBegin?.used);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return {
    /** All that were answered, those of the warm-up too. */
    answered: total,
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    /** How busy the load generator was: near 1, it is what was measured. */
    busy: (cpu.user + cpu.system) / 1000 / (performance.now() - (cpuAtBegin?.at ?? begin)),
    ...left?.(),
  };
}

process.on('disconnect', () => process.exit(0));
process.on('message', (job) => {
  drive(job).then(
    (result) => process.send(result),
    (error) => process.send({ failure: String(error?.stack ?? error) }),
  );
});
process.send('ready');
