// Stands in front of the server, and loses an answer when it is told to: the server has done what was asked, and nobody hears of it.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const PASSED_ON = ['content-type', 'accept', 'authorization', 'user-agent'];

export async function startLossyProxy(target) {
  let doomed;
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function forward(incoming, outgoing) {
    const body = await text(incoming);
    const headers = Object.fromEntries(PASSED_ON.flatMap((name) => (incoming.headers[name] ? [[name, incoming.headers[name]]] : [])));
    const response = await fetch(target + incoming.url, { method: incoming.method, headers, body });
    const answer = await response.text();
    if (doomed !== undefined && body.includes(doomed.text)) {
      doomed.tell(JSON.parse(answer));
      doomed = undefined;
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(response.status, { 'content-type': response.headers.get('content-type') }).end(answer);
  }

  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Loses the next answer to a request that holds the text, and tells what it was. */
    loseNext(requestText, tell) {
      doomed = { text: requestText, tell };
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
