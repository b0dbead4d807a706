// A `fetch` that shows what goes over the wire, and keeps it.

/** One participant's connection to the server; `name` is who speaks. */
export function createWire(name, narrator) {
  const exchanges = [];

  async function recordingFetch(url, init) {
    const { query, variables = {} } = JSON.parse(init.body);
    const exchange = {
      from: name,
      operation: /\b(?:query|mutation) (\w+)/.exec(query)[1],
      query,
      variables,
      authorization: new Headers(init.headers).get('authorization'),
      askedAtMs: Date.now(),
      sentAt: performance.now(),
    };
    narrator.question(exchange);
    try {
      const response = await fetch(url, init);
      exchange.status = response.status;
      exchange.answer = JSON.parse(await response.clone().text());
      return response;
    } catch (error) {
      exchange.failure = 'no answer: the connection was lost';
      throw error;
    } finally {
      exchange.milliseconds = performance.now() - exchange.sentAt;
      exchanges.push(exchange);
      narrator.answer(exchange);
    }
  }

  return {
    name,
    exchanges,
    fetch: recordingFetch,
    /** Asks as a program without the kit would, and gives the exchange. */
    async ask(endpoint, document, variables = {}, accessToken = undefined) {
      await recordingFetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(accessToken && { authorization: `Bearer ${accessToken}` }) },
        body: JSON.stringify({ query: document, variables }),
      });
      return exchanges.at(-1);
    },
    /** The tokens that came last, and when they were asked for. */
    get tokens() {
      const payloads = exchanges.map(({ answer, askedAtMs }) => ({ ...Object.values(answer?.data ?? {})[0], askedAtMs }));
      return payloads.findLast(({ refreshToken }) => refreshToken !== undefined);
    },
  };
}

/** Why an answer is a refusal: code and reason of its first error. */
export function refusalOf({ answer }) {
  const { code, reason } = answer?.errors?.[0]?.extensions ?? {};
  return { code, reason };
}
