/**
 * Counts in memory that several isolates share: together they allow a key its limit once.
 *
 * @module
 */
import { createSharedTable, type TableMemory } from "./shared_table.ts";
import type { Store, StoreOptions, Verdict } from "./store.ts";

/** Numbers of a key: of the rate and of the burst, when the window ends and what was counted in it. */
export const STORE_COLUMNS = 4;

interface Window {
  readonly column: number;
  readonly points: number;
  readonly durationMs: number;
}

const ALLOWED: Verdict = { allowed: true, retryAfterMs: 0 };
const REFUSED: Verdict = { allowed: false, retryAfterMs: 1000 };

/**
 * Creates a {@linkcode Store} in shared memory.
 *
 * @param memory Of {@linkcode STORE_COLUMNS} columns.
 * @param index Which of the isolates this is.
 */
export function createSharedStore(
  { points, durationMs, burst = 0, burstMs = durationMs }: StoreOptions,
  memory: TableMemory,
  index: number,
): Store {
  const { rows } = memory;
  const rate: Window = { column: 0, points, durationMs };
  const windows = burst > 0 ? [rate, { column: 2, points: burst, durationMs: burstMs }] : [rate];
  const table = createSharedTable(memory, {
    self: index + 1,
    rank: (at) => Math.max(...windows.map((window) => leftMs(window, at))),
  });

  /** Milliseconds until a window is over; one of a clock that was set back is over. */
  function leftMs({ column, durationMs }: Window, at: number): number {
    const left = (rows[at + column] ?? 0) - Date.now();
    return left > 0 && left <= durationMs ? Math.ceil(left) : 0;
  }

  function count(window: Window, at: number, points: number): Verdict {
    const { column, durationMs } = window;
    const left = leftMs(window, at);
    if (left === 0) rows[at + column] = Date.now() + durationMs;
    const used = (left === 0 ? 0 : rows[at + column + 1] ?? 0) + points;
    rows[at + column + 1] = used;
    return used <= window.points ? ALLOWED : { allowed: false, retryAfterMs: left || durationMs };
  }

  function look(window: Window, at: number): Verdict {
    const retryAfterMs = leftMs(window, at);
    const used = retryAfterMs === 0 ? 0 : rows[at + window.column + 1] ?? 0;
    return used < window.points ? ALLOWED : { allowed: false, retryAfterMs };
  }

  /** The first window that allows, else the wait for the first that will. */
  function decide(ask: (window: Window) => Verdict): Verdict {
    let retryAfterMs = Infinity;
    for (const window of windows) {
      const verdict = ask(window);
      if (verdict.allowed) return ALLOWED;
      retryAfterMs = Math.min(retryAfterMs, verdict.retryAfterMs);
    }
    return { allowed: false, retryAfterMs };
  }

  function use(key: string, ask: (window: Window, at: number) => Verdict): Promise<Verdict> {
    const verdict = table.use(key, (at) => decide((window) => ask(window, at)));
    return Promise.resolve(verdict ?? REFUSED);
  }

  return {
    consume: (key, points) => use(key, (window, at) => count(window, at, points)),
    peek: (key) => use(key, look),
    [Symbol.dispose](): void {},
  };
}
