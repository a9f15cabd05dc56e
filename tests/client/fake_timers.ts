/**
 * Timers that a test advances by hand.
 *
 * @module
 */
import type { ClientTimers } from "../../src/client/mod.ts";

/** Timers for tests. */
export interface FakeTimers extends ClientTimers {
  /** Advances the time by `delayMs` milliseconds and runs the timers that are due. */
  advance(delayMs: number): void;
  /** Fulfils when a timer with this delay is set after this call. */
  until(delayMs: number): Promise<void>;
  /** Returns the delays of the timers that are set, in milliseconds. */
  readonly delays: () => readonly number[];
}

/** Creates {@linkcode FakeTimers} whose time is 0. */
export function createFakeTimers(): FakeTimers {
  const timers = new Map<number, { at: number; delayMs: number; callback: () => void }>();
  const watchers: { readonly delayMs: number; resolve(): void }[] = [];
  let time = 0;
  let last = 0;
  return {
    setTimeout(callback, delayMs): number {
      timers.set(++last, { at: time + delayMs, delayMs, callback });
      for (const watcher of watchers) if (watcher.delayMs === delayMs) watcher.resolve();
      return last;
    },
    clearTimeout(handle): void {
      timers.delete(Number(handle));
    },
    until: (delayMs) => new Promise((resolve) => watchers.push({ delayMs, resolve })),
    now: () => time,
    advance(delayMs): void {
      const end = time + delayMs;
      for (;;) {
        const [next] = [...timers].filter(([, { at }]) => at <= end)
          .toSorted(([, a], [, b]) => a.at - b.at);
        if (next === undefined) break;
        const [handle, { at, callback }] = next;
        timers.delete(handle);
        time = at;
        callback();
      }
      time = end;
    },
    delays: () => [...timers.values()].map(({ delayMs }) => delayMs),
  };
}
