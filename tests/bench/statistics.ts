/**
 * Medians and what else tells many measurements in one number.
 *
 * @module
 */

/** Gives the median; `NaN` of nothing. */
export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** Gives the smallest of the numbers that at least this share of them does not exceed. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

/** Gives the median of the ratios of numbers that belong together, round by round. */
export function medianRatio(numbers: readonly number[], bases: readonly number[]): number {
  return median(numbers.map((number, i) => number / (bases[i] ?? NaN)).filter(Number.isFinite));
}
