/**
 * When a client reconnects: after which close codes, and after what delay.
 *
 * @module
 */

/** How long a client waits before it reconnects, and when it gives up. */
export interface BackoffOptions {
  /** The maximum delay after the first failure, in milliseconds. It doubles with every further failure. Default 250. */
  readonly minDelayMs?: number;
  /** The maximum delay after any failure, in milliseconds. Default 30,000. */
  readonly maxDelayMs?: number;
  /** After this many failures in a row, waiting calls are rejected; the next call connects again. Default 8. */
  readonly attempts?: number;
}

/**
 * Returns how long to wait before the next attempt, in milliseconds: exponential backoff with full jitter.
 *
 * @param failures Failures in a row before this one.
 * @param random Returns a number from 0 to less than 1.
 */
export function toReconnectDelayMs(
  failures: number,
  random: () => number,
  { minDelayMs = 250, maxDelayMs = 30_000 }: BackoffOptions,
): number {
  return random() * Math.min(maxDelayMs, minDelayMs * 2 ** failures);
}

/**
 * Returns whether a new connection would be closed with the same code, so that reconnecting is pointless. 4501 is
 * not final: the client may have a new credential.
 */
export function isFinalCloseCode(code: number): boolean {
  return code >= 4500 && code <= 4999 && code !== 4501;
}
