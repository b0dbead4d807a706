/** An order in which each of the others stands beside what it is compared with, which comes once for every two of them. */
export const around = (baseline, others) => others.flatMap((other, index) => (index % 2 === 0 ? [other, baseline] : [other]));

/**
 * Measures one after the other, in an order in which whatever is compared stands beside its partner; a name may come more than once. Every other round goes
 * the other way, so that neither of two neighbours is always the first. `begin` and `finish` stand around each round, for what a round has of its own.
 */
export async function takeTurns({ order, rounds, measure, begin, finish }) {
  const results = order.map(() => []);
  const slots = [...order.keys()];
  for (let round = 0; round < rounds; round += 1) {
    await begin?.(round);
    for (const slot of round % 2 === 0 ? slots : slots.toReversed()) results[slot].push(await measure(order[slot], round));
    await finish?.(round);
  }
  return {
    /** Every result of one name. */
    all: (name) => slots.flatMap((slot) => (order[slot] === name ? results[slot] : [])),
    /** The results of two neighbours, round by round. */
    beside(measured, against) {
      const slot = slots.find((first) => {
        const pair = order.slice(first, first + 2);
        return pair.includes(measured) && pair.includes(against);
      });
      if (slot === undefined) throw new Error(`${measured} is never measured beside ${against}.`);
      return order[slot] === measured ? [results[slot], results[slot + 1]] : [results[slot + 1], results[slot]];
    },
  };
}
