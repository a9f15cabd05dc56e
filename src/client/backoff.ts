/**
 * How long to wait before a connection is opened again: exponential backoff with full jitter.
 *
 * @module
 */

/** The bounds of the wait. */
export interface BackoffOptions {
  /** The longest first wait, in milliseconds. Default 250. */
  readonly minDelayMs?: number;
  /** The longest wait of all, in milliseconds. Default 30,000. */
  readonly maxDelayMs?: number;
  /** After so many failures in a row, what waits is rejected; the next call tries again. Default 8. */
  readonly attempts?: number;
}

/**
 * Gives the wait in milliseconds: any time up to `minDelayMs` doubled with every failure.
 *
 * @param failures Failures in a row before this one.
 * @param random Gives a number from 0 to less than 1.
 */
export function toDelayMs(
  failures: number,
  random: () => number,
  { minDelayMs = 250, maxDelayMs = 30_000 }: BackoffOptions,
): number {
  return random() * Math.min(maxDelayMs, minDelayMs * 2 ** failures);
}
