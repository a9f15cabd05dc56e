/**
 * Counts in memory that several isolates share: together they allow a key its limit once.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { createSharedTable, type TableMemory } from "./shared_table.ts";
import type { Store, StoreDecision, StoreOptions } from "./store.ts";

/** Columns of a store's table: for the rate and for the burst, the end of the window and the points counted in it. */
export const STORE_COLUMNS = 4;

interface Window {
  readonly column: number;
  readonly points: number;
  readonly durationMs: number;
}

const ALLOWED: StoreDecision = { allowed: true, retryAfterMs: 0 };
const REFUSED: StoreDecision = { allowed: false, retryAfterMs: 1000 };

/**
 * Creates a {@linkcode Store} in shared memory.
 *
 * @param memory A table with {@linkcode STORE_COLUMNS} columns.
 * @param isolate Its index; and its clock, whose `epochMs` must agree with that of the other isolates.
 */
export function createSharedStore(
  { points, durationMs, burst = 0, burstMs = durationMs }: StoreOptions,
  memory: TableMemory,
  { index, clock = systemClock }: { readonly index: number; readonly clock?: Clock },
): Store {
  const { rows } = memory;
  const rate: Window = { column: 0, points, durationMs };
  const windows = burst > 0 ? [rate, { column: 2, points: burst, durationMs: burstMs }] : [rate];
  const table = createSharedTable(memory, {
    owner: index + 1,
    rank: (at) => Math.max(...windows.map((window) => leftMs(window, at))),
  });

  /** Returns milliseconds until a window is over; 0 also for a window of a date that was set back. */
  function leftMs({ column, durationMs }: Window, at: number): number {
    const left = (rows[at + column] ?? 0) - clock.epochMs();
    return left > 0 && left <= durationMs ? Math.ceil(left) : 0;
  }

  function count(window: Window, at: number, points: number): StoreDecision {
    const { column, durationMs } = window;
    const left = leftMs(window, at);
    if (left === 0) rows[at + column] = clock.epochMs() + durationMs;
    const used = (left === 0 ? 0 : rows[at + column + 1] ?? 0) + points;
    rows[at + column + 1] = used;
    return used <= window.points ? ALLOWED : { allowed: false, retryAfterMs: left || durationMs };
  }

  function look(window: Window, at: number): StoreDecision {
    const retryAfterMs = leftMs(window, at);
    const used = retryAfterMs === 0 ? 0 : rows[at + window.column + 1] ?? 0;
    return used < window.points ? ALLOWED : { allowed: false, retryAfterMs };
  }

  /** Allows what one of the windows allows; else tells how long the shortest wait is. */
  function decide(ask: (window: Window) => StoreDecision): StoreDecision {
    let retryAfterMs = Infinity;
    for (const window of windows) {
      const decision = ask(window);
      if (decision.allowed) return ALLOWED;
      retryAfterMs = Math.min(retryAfterMs, decision.retryAfterMs);
    }
    return { allowed: false, retryAfterMs };
  }

  function use(
    key: string,
    ask: (window: Window, at: number) => StoreDecision,
  ): Promise<StoreDecision> {
    const decision = table.use(key, (at) => decide((window) => ask(window, at)));
    return Promise.resolve(decision ?? REFUSED);
  }

  return {
    consume: (key, points) => use(key, (window, at) => count(window, at, points)),
    peek: (key) => use(key, look),
    [Symbol.dispose](): void {},
  };
}
