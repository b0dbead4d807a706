export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Ratios are taken within each round, where the machine was in the same mood for both sides. */
export function medianRatio(measured, against) {
  return median(measured.map((value, round) => value / against[round]));
}

/** Three significant figures, thousands apart. */
export function figure(value) {
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });
}
