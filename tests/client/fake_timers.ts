/**
 * Timers that run when a test says so.
 *
 * @module
 */
import type { Timers } from "../../src/client/mod.ts";

/** Timers of a test. */
export interface FakeTimers extends Timers {
  /** Lets so many milliseconds pass. */
  advance(delayMs: number): void;
  /** Fulfils when a timer with this delay is set. */
  until(delayMs: number): Promise<void>;
  /** The delays that are set, in milliseconds, counted from when they were. */
  readonly delays: () => readonly number[];
}

/** Creates timers at the time 0. */
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
