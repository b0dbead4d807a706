import { randomInt } from 'node:crypto';

import { figure, median, ratiosOf } from '../lib/figures.mjs';
import { documents } from '../lib/latchkey.mjs';

const WRONG = 'a password that nobody has';
const SET_DISABLED = 'UPDATE user_account SET disabled = $2 WHERE email = ANY ($1)';

/**
 * Whether the time of a refused login tells who has an account (ASVS 6.3.8): an unknown address, a wrong password and a disabled account, in turn, one
 * caller at a time, each from a network of its own so that nobody is throttled.
 */
export async function measureEnumeration({ plan, database, latchkey, accounts, say }) {
  const { origin } = latchkey;
  const { rounds, samples, warmup } = plan.enumeration;
  const person = (index) => `person${accounts.count - 1 - index}@example.com`;
  const all = warmup + rounds * samples;
  const disabled = Array.from({ length: all }, (_, index) => person(all + index));
  await database.query(SET_DISABLED, [disabled, true]);
  const identifiers = {
    unknown: (index) => `nobody${index}@example.com`,
    wrong: person,
    disabled: (index) => disabled[index],
  };
  const kinds = Object.keys(identifiers);
  const times = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let index = 0; index < all; index += 1) {
    // Each kind comes as often first, second and third: who comes later has a warmer cache.
    for (let turn = 0; turn < kinds.length; turn += 1) {
      const kind = kinds[(index + turn) % kinds.length];
      const took = await timeRefusal(origin, identifiers[kind](index));
      if (index >= warmup) times[kind].push(took);
    }
  }
  await database.query(SET_DISABLED, [disabled, false]);

  const mediansOf = (kind) =>
    Array.from({ length: rounds }, (_, round) => median(times[kind].slice(round * samples, (round + 1) * samples)));
  const medians = Object.fromEntries(kinds.map((kind) => [kind, mediansOf(kind)]));
  return [
    ['unknown', 'an account that is not there'],
    ['disabled', 'a disabled account'],
  ].map(([kind, whose]) => {
    const p = mannWhitney(times[kind], times.wrong).toFixed(2);
    const larger = medians[kind].map((took, round) => Math.max(took, medians.wrong[round]));
    const smaller = medians[kind].map((took, round) => Math.min(took, medians.wrong[round]));
    say(`${kind} ${figure(median(times[kind]))} ms, a wrong password ${figure(median(times.wrong))} ms, p ${p}`);
    return {
      row: `enumeration: ${kind}`,
      ...ratiosOf(larger, smaller),
      atMost: 1.1,
      detail: `${figure(median(times[kind]))} ms : ${figure(median(times.wrong))} ms`,
      meaning: `a login to ${whose} against a wrong password, the slower by the faster: nothing may tell them apart. Of ${rounds * samples} each, Mann–Whitney p = ${p}`,
    };
  });
}

async function timeRefusal(origin, identifier) {
  const body = JSON.stringify({ query: documents.login, variables: { input: { identifier, password: WRONG } } });
  const address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`;
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
  const begun = performance.now();
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body });
  const text = await response.text();
  const took = performance.now() - begun;
  if (!text.includes('INVALID_CREDENTIALS')) throw new Error(`A wrong password was answered: ${text}`);
  return took;
}

/** The two-sided p of the Mann–Whitney U test, by its normal approximation; times are so fine that none is equal to another. */
function mannWhitney(some, others) {
  const ranked = [...some.map((value) => ({ value, isSome: true })), ...others.map((value) => ({ value, isSome: false }))];
  ranked.sort((a, b) => a.value - b.value);
  const rankSum = ranked.reduce((sum, { isSome }, index) => sum + (isSome ? index + 1 : 0), 0);
  const [n, m] = [some.length, others.length];
  const u = rankSum - (n * (n + 1)) / 2;
  const z = Math.abs(u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
  return 2 * (1 - normal(z));
}

/** The standard normal distribution function (Abramowitz and Stegun, 26.2.17): off by less than 10⁻⁷. */
function normal(z) {
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
