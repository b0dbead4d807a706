// The steps of the tour, in order. Each shows one thing and fails when it does not hold.
import { randomUUID } from 'node:crypto';

import {
  AuditEventsDocument,
  LoginDocument,
  LogoutDocument,
  RefreshDocument,
  RevokeSessionDocument,
  SetUserRolesDocument,
  ViewerDocument,
} from '@latchkey/client/operations';

import { claimsOf } from './secrets.mjs';
import { refusalOf } from './wire.mjs';

/** What the tour says of Latchkey, and the server does not do. */
class DoesNotHold extends Error {
  constructor(sentence, exchange) {
    super(sentence);
    this.exchange = exchange;
  }
}

function check(holds, sentence, exchange) {
  if (!holds) throw new DoesNotHold(sentence, exchange);
}

function checkRefusal(exchange, code, reason, sentence) {
  const found = refusalOf(exchange);
  check(found.code === code && found.reason === reason, sentence, exchange);
}

/** What an app does: it asks through the kit, and knows nothing of tokens. Gives all exchanges that came of it, and the call's own, the last. */
async function askThroughKit({ auth, wire, endpoint }, query, variables = {}) {
  const before = wire.exchanges.length;
  await auth.fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const exchanges = wire.exchanges.slice(before);
  return { exchanges, call: exchanges.findLast((exchange) => exchange.query === query) };
}

const namesOf = (exchanges) => exchanges.map(({ operation }) => operation).join(', ');
const expiryMs = (accessToken) => claimsOf(accessToken).exp * 1000;
/** When the access token that came last is over: for the server by its `exp`, for the kit so long after it was asked for. */
const overMs = ({ wire }) => Math.max(expiryMs(wire.tokens.accessToken), wire.tokens.askedAtMs + wire.tokens.expiresIn * 1000);

async function register({ narrator, phone, ada }) {
  narrator.say(
    'Ada makes an account on her phone and is signed in: an access token, to ask with, and a refresh token, to get the next one.',
  );
  const result = await phone.auth.register(ada);
  check(result.ok, 'register gives tokens.', phone.wire.exchanges.at(-1));
  narrator.say('The access token is a signed JWT (RFC 9068). Any service can verify it by the published keys. It says:');
  narrator.json(claimsOf(phone.wire.tokens.accessToken));
}

async function secondDevice({ narrator, phone, laptop, ada }) {
  narrator.say('Ada signs in on her laptop: a session of its own, with tokens of its own.');
  const result = await laptop.auth.login({ identifier: ada.username, password: ada.password });
  check(result.ok, 'login gives tokens.', laptop.wire.exchanges.at(-1));
  check(result.session?.id !== phone.auth.state.session.id, 'Each device has a session of its own.', laptop.wire.exchanges.at(-1));
}

async function protectedCall({ narrator, phone, endpoint }) {
  narrator.say('A protected field, with the access token:');
  const letIn = await phone.wire.ask(endpoint, ViewerDocument, {}, phone.wire.tokens.accessToken);
  check(letIn.answer.data?.viewer?.username === 'ada', 'viewer answers who is signed in.', letIn);
  narrator.say('And without one:');
  const refused = await phone.wire.ask(endpoint, ViewerDocument);
  checkRefusal(refused, 'UNAUTHENTICATED', 'TOKEN_MISSING', 'Without a token, a protected field is refused with TOKEN_MISSING.');
}

async function expiry({ narrator, phone, endpoint }) {
  const { accessToken } = phone.wire.tokens;
  await narrator.countdown(overMs(phone), 'the access token of the phone expires');
  const refused = await phone.wire.ask(endpoint, ViewerDocument, {}, accessToken);
  checkRefusal(refused, 'UNAUTHENTICATED', 'TOKEN_EXPIRED', 'An access token is refused with TOKEN_EXPIRED once its time is over.');
}

async function silentRefresh(tour) {
  const { narrator, phone, operator, endpoint, administrator } = tour;
  narrator.say('The app just asks: auth.fetch(…) of @latchkey/client. The kit knows that the token is over, and gets a new one first:');
  const before = phone.wire.tokens.refreshToken;
  const { exchanges, call } = await askThroughKit(phone, ViewerDocument);
  check(namesOf(exchanges) === 'Refresh, Viewer', 'The kit refreshes, then asks.', call);
  check(call.answer.data?.viewer, 'After the refresh, the call is answered.', call);
  check(phone.wire.tokens.refreshToken !== before, 'The refresh token is replaced when it is used.', exchanges[0]);

  narrator.say('What the kit cannot know: an administrator gives Ada another role. Every access token of hers is stale at once.');
  const login = await operator.wire.ask(endpoint, LoginDocument, { input: administrator });
  const input = { userId: phone.auth.state.session.user.id, roles: ['admin', 'user'] };
  const change = await operator.wire.ask(endpoint, SetUserRolesDocument, { input }, login.answer.data?.login?.accessToken);
  check(change.answer.data?.setUserRoles, 'An administrator changes roles.', change);
  narrator.say('The app just asks again. The kit is refused, refreshes, and sends the call once more; the new token has the new scopes:');
  const { exchanges: retried } = await askThroughKit(phone, ViewerDocument);
  check(
    namesOf(retried) === 'Viewer, Refresh, Viewer',
    'After a refusal that a refresh cures, the kit sends the call again.',
    retried.at(-1),
  );
  checkRefusal(retried[0], 'UNAUTHENTICATED', 'TOKEN_STALE', 'A token of before the change is refused with TOKEN_STALE.');
  check(retried[2].answer.data?.viewer?.roles.includes('admin'), 'The repeated call is answered.', retried[2]);
}

async function lostReply({ narrator, laptop, proxy }) {
  await narrator.countdown(overMs(laptop), 'the access token of the laptop expires');
  narrator.say(
    'The laptop asks through a bad network: a proxy loses the answer to its refresh, after the server has replaced the refresh token. Elsewhere that signs a user out. Here the kit has stored an attemptId before it asked, and asks again with the same one:',
  );
  let lost;
  proxy.loseNext('mutation Refresh', (answer) => {
    lost = answer.data?.refresh;
    narrator.lost(answer);
  });
  const { exchanges, call } = await askThroughKit(laptop, ViewerDocument);
  check(
    namesOf(exchanges) === 'Refresh, Refresh, Viewer' && exchanges[0].failure,
    'The kit asks again when no answer came.',
    exchanges.at(-1),
  );
  const [first, second] = exchanges;
  check(lost !== undefined, 'The server had answered the refresh whose answer was lost.', first);
  check(first.variables.input.attemptId === second.variables.input.attemptId, 'Both tries have one attemptId.', second);
  const repaired = second.answer.data?.refresh;
  check(repaired?.refreshToken === lost.refreshToken, 'The repeated refresh gets the same successor as the lost one.', second);
  check(claimsOf(repaired.accessToken).gen === claimsOf(lost.accessToken).gen, 'The refresh token was replaced once, not twice.', second);
  check(call.answer.data?.viewer, 'The laptop is still signed in.', call);
  narrator.say('Both answers hold the same refresh token, of the same generation. Nobody was signed out.');
}

async function stolenToken(tour) {
  const { narrator, phone, laptop, thief, endpoint, graceSeconds } = tour;
  const stolen = phone.wire.exchanges.find(({ operation }) => operation === 'Register').answer.data.register.refreshToken;
  narrator.say(
    `Somebody has copied the refresh token of the phone as it was in step 1. The phone has refreshed since, and does so once more when ${graceSeconds} s are over, in which a token is not replaced twice:`,
  );
  await narrator.countdown(Date.now() + graceSeconds * 1000 + 100, 'the phone may replace its refresh token again');
  const before = phone.wire.tokens.refreshToken;
  await phone.auth.refresh();
  check(phone.wire.tokens.refreshToken !== before, 'The phone gets the next refresh token.', phone.wire.exchanges.at(-1));

  narrator.say('Now the thief uses the copy:');
  const replay = await thief.wire.ask(endpoint, RefreshDocument, { input: { refreshToken: stolen, attemptId: randomUUID() } });
  checkRefusal(replay, 'INVALID_REFRESH_TOKEN', undefined, 'A refresh token that its owner has moved on from is refused.');

  narrator.say('The honest phone asks with its access token, which has seconds to live. The session has ended for both:');
  const { call } = await askThroughKit(phone, ViewerDocument);
  checkRefusal(call, 'UNAUTHENTICATED', 'SESSION_REVOKED', 'When a copied refresh token is used, the session ends, its access tokens too.');
  const { status, reason } = phone.auth.state;
  check(status === 'signed-out' && reason === 'session-ended', 'The kit says that the phone is signed out.', call);
  narrator.say(`The kit's state on the phone: { status: '${status}', reason: '${reason}' }. The app shows its sign-in form.`);

  narrator.say('The laptop is untouched. It reads what the audit trail says of it:');
  const variables = { first: 1, filter: { types: ['REFRESH_TOKEN_REUSED'] } };
  const { call: trail } = await askThroughKit(laptop, AuditEventsDocument, variables);
  const event = trail.answer.data?.auditEvents.edges[0]?.node;
  check(event?.sessionId === sessionOf(phone), 'The audit trail names the session whose token was used again.', trail);
}

async function revokedDevice({ narrator, laptop, tablet, ada, endpoint }) {
  narrator.say('Ada signs in on a tablet, and leaves it on a train.');
  const result = await tablet.auth.login({ identifier: ada.email, password: ada.password });
  check(result.ok, 'login gives tokens.', tablet.wire.exchanges.at(-1));
  const { accessToken } = tablet.wire.tokens;

  narrator.say('On the laptop she sees her sessions, and ends that one:');
  const { call: list } = await askThroughKit(laptop, ViewerDocument);
  const lost = list.answer.data?.viewer?.sessions.find(({ device }) => device.name === tablet.wire.name);
  check(lost !== undefined, 'viewer lists the session of the tablet.', list);
  const { call: revocation } = await askThroughKit(laptop, RevokeSessionDocument, { input: { sessionId: lost.id } });
  check(revocation.answer.data?.revokeSession, 'A user ends a session of their own.', revocation);

  narrator.say('The access token of the tablet has not expired:');
  const refused = await tablet.wire.ask(endpoint, ViewerDocument, {}, accessToken);
  check(Date.now() < expiryMs(accessToken), 'This step was too slow to show that: the access token has expired meanwhile.', refused);
  checkRefusal(refused, 'UNAUTHENTICATED', 'SESSION_REVOKED', 'A revoked device is refused at once, before its access token expires.');
  const milliseconds = refused.sentAt + refused.milliseconds - revocation.sentAt;
  narrator.say(
    `From the order to the refusal: ${Math.round(milliseconds)} ms, and no database was asked to check the token. Another replica would know within about a second.`,
  );
}

async function logout({ narrator, laptop, endpoint }) {
  const { accessToken, refreshToken } = laptop.wire.tokens;
  await narrator.countdown(overMs(laptop), 'the access token of the laptop expires');
  const expired = await laptop.wire.ask(endpoint, ViewerDocument, {}, accessToken);
  checkRefusal(expired, 'UNAUTHENTICATED', 'TOKEN_EXPIRED', 'The access token has expired.');

  narrator.say('Ada signs out all the same: auth.logout() sends the refresh token alone.');
  const result = await laptop.auth.logout();
  const sent = laptop.wire.exchanges.at(-1);
  check(sent.operation === 'Logout' && sent.authorization === null, 'Logging out takes no access token.', sent);
  check(sent.answer.data?.logout.success && result.revoked, 'logout by refresh token succeeds.', sent);
  narrator.say('Once more, as after a lost answer: it is safe to repeat.');
  const again = await laptop.wire.ask(endpoint, LogoutDocument, sent.variables);
  check(again.answer.data?.logout.success, 'logout succeeds when it is repeated.', again);
  narrator.say('The session is over:');
  const refused = await laptop.wire.ask(endpoint, RefreshDocument, { input: { refreshToken, attemptId: randomUUID() } });
  checkRefusal(refused, 'INVALID_REFRESH_TOKEN', undefined, 'No refresh succeeds after logout.');
}

const sessionOf = ({ wire }) => wire.tokens.session.id;

export const steps = [
  { title: 'Register', run: register },
  { title: 'A second device signs in', run: secondDevice },
  { title: 'A protected call, with and without a token', run: protectedCall },
  { title: 'The access token expires', run: expiry },
  { title: 'The kit refreshes by itself', run: silentRefresh },
  { title: 'A lost reply is repaired', run: lostReply },
  { title: 'A stolen token is caught', run: stolenToken },
  { title: 'A device is revoked from another', run: revokedDevice },
  { title: 'Logout with the refresh token alone', run: logout },
];
