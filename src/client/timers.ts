/**
 * Time as the client sees it, so that tests can bring their own.
 *
 * @module
 */

/** Timers and a clock. */
export interface Timers {
  /** Calls back after so many milliseconds; gives what `clearTimeout` takes. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Milliseconds since any fixed moment. */
  now(): number;
}

/** The platform's timers. */
export const platformTimers: Timers = {
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as number), // what setTimeout above has given
  now: () => performance.now(),
};

/** Keeps a timer from keeping the process alive, where that can be said (Node.js, Deno), and gives it back. */
export function unref(handle: unknown): unknown {
  (handle as { unref?(): void } | undefined)?.unref?.(); // in a browser it is a number
  return handle;
}
