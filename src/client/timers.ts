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

/** Keeps a timer from keeping the process alive, in Node.js and Deno, and gives it back. */
export function unref(handle: unknown): unknown {
  if (typeof handle === "number") {
    // Only Deno has this global.
    (globalThis as { Deno?: { unrefTimer?(id: number): void } }).Deno?.unrefTimer?.(handle);
  } else if (typeof handle === "object" && handle !== null && "unref" in handle) {
    if (typeof handle.unref === "function") handle.unref();
  }
  return handle;
}
