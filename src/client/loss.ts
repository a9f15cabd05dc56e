/**
 * The end of a connection, as its exchanges see it.
 *
 * @module
 */

/** Why an exchange has lost its connection, or gets none. */
export interface Loss {
  readonly message: string;
  readonly cause?: unknown;
  /** There will be another connection. */
  readonly maySendAgain: boolean;
  /** The caller may have more luck. */
  readonly isRetryable: boolean;
}

/** Why a connection has ended. */
export interface Closure<E> {
  readonly code: number;
  /** What is wrong, for a person. */
  readonly message: string;
  readonly cause?: unknown;
  /** What was on it. */
  readonly lost: readonly E[];
}
