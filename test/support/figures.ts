/** Prints what a test has measured, on one line: `R6  calls made 1234, sessions lost 0`. */
export function printFigures(id: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? format(value) : value}`)
    .join(', ');
  process.stdout.write(`${id.padEnd(4)} ${text}\n`);
}

function format(value: number): string {
  return String(Number.isInteger(value) ? value : Math.round(value * 10) / 10);
}

/** The middle one, and the largest. */
export function medianAndWorst(values: readonly number[]): { median: number; worst: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, worst: sorted.at(-1) ?? Number.NaN };
}
