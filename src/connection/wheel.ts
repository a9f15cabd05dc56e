/**
 * One timer for all deadlines: most of them never pass, so that setting and clearing one has to cost next to
 * nothing.
 *
 * @module
 */

/** A callback that has not been called yet; to be handed back to {@linkcode Wheel.clear}. */
export interface Entry {
  readonly tick: number;
  readonly callback: () => void;
}

/** Calls back after a time. */
export interface Wheel {
  /** Calls back after so many milliseconds, or up to a tick later. */
  set(delayMs: number, callback: () => void): Entry;
  /** Forgets a callback; one that was called or forgotten is left alone. */
  clear(entry: Entry): void;
}

/** What a wheel works with. */
export interface WheelDeps {
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds, in place of the time before. */
  readonly createTimer?: (callback: () => void) => (delayMs: number) => void;
}

const TICK_MS = 8;

/** Creates a {@linkcode Wheel}; its timer does not keep the process alive. */
export function createWheel(
  { now = () => performance.now(), createTimer = createPlatformTimer }: WheelDeps = {},
): Wheel {
  const ticks = new Map<number, Set<Entry>>();
  let nextTick = Infinity;
  const setTimer = createTimer(turn);

  function wake(tick: number): void {
    if (tick >= nextTick) return;
    nextTick = tick;
    setTimer(Math.max(0, tick * TICK_MS - now()));
  }

  function turn(): void {
    nextTick = Infinity;
    const current = Math.floor(now() / TICK_MS);
    const due = [...ticks.keys()].filter((tick) => tick <= current).toSorted((a, b) => a - b);
    for (const tick of due) {
      const entries = ticks.get(tick) ?? [];
      ticks.delete(tick);
      for (const { callback } of entries) callback();
    }
    if (ticks.size > 0) wake(Math.min(...ticks.keys()));
  }

  return {
    set(delayMs, callback): Entry {
      const tick = Math.ceil((now() + delayMs) / TICK_MS);
      const entry = { tick, callback };
      const entries = ticks.get(tick);
      if (entries === undefined) ticks.set(tick, new Set([entry]));
      else entries.add(entry);
      wake(tick);
      return entry;
    },
    clear(entry): void {
      const entries = ticks.get(entry.tick);
      if (entries?.delete(entry) === true && entries.size === 0) ticks.delete(entry.tick);
    },
  };
}

// Deno's timers hold a signed 32-bit number of milliseconds; a turn that comes early sets the next one.
const MAX_DELAY_MS = 2 ** 31 - 1;

function createPlatformTimer(callback: () => void): (delayMs: number) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (delayMs) => {
    clearTimeout(timer);
    timer = setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS));
    Deno.unrefTimer(timer);
  };
}
