/**
 * The timers of the client. Tests pass timers that they advance by hand.
 *
 * @module
 */

/** Timers and a clock. */
export interface ClientTimers {
  /** Calls `callback` once after `delayMs` milliseconds. Returns the handle for `clearTimeout`. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  /** Cancels a timer. Does nothing for `undefined` or a timer that has run. */
  clearTimeout(handle: unknown): void;
  /** Returns the milliseconds since a fixed moment. */
  now(): number;
}

/** The timers of the platform. */
export const platformTimers: ClientTimers = {
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as number), // returned by setTimeout above
  now: () => performance.now(),
};

/** Returns the timer, which no longer keeps the process alive in Node.js and Deno. Browsers have no such setting. */
export function unref(handle: unknown): unknown {
  (handle as { unref?(): void } | undefined)?.unref?.(); // a number in browsers
  return handle;
}
