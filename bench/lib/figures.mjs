export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const ratio = (measured, against) => measured / against;
const difference = (measured, against) => measured - against;

/** Ratios are taken of pairs, measured one beside the other, where the machine was in the same mood for both sides. */
export const ratiosOf = (measured, against) => compare(ratio, measured, against);
/** As ratios, in the unit of what is measured. */
export const differencesOf = (measured, against) => compare(difference, measured, against);

/** The median of all pairs, and how far they spread. */
function compare(how, measured, against) {
  const values = measured.map((value, round) => how(value, against[round]));
  return { value: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}

/** Three significant figures, thousands apart. */
export function figure(value) {
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });
}
