/**
 * A clock that a test moves by hand.
 *
 * @module
 */
import { type Clock, systemClock } from "../../src/clock.ts";

/** A clock of a test. The runtime looks for input in every second turn. */
export interface FakeClock extends Clock {
  /** Lets so many milliseconds pass: runs what falls due, in its order, each at its own time. */
  advance(ms: number): void;
  /** Runs what was asked for by `soon` until now; gives how many there were. */
  turn(): number;
  /** Takes what was asked for by `soon` until now, to be called one by one. */
  actions(): readonly (() => void)[];
  /** Fulfils when `after` or `every` is called with this delay. */
  until(delayMs: number): Promise<void>;
  /** The delays that are pending, in milliseconds, counted from when they were asked for. */
  readonly delays: readonly number[];
}

interface Pending {
  readonly delayMs: number;
  readonly action: () => void;
  readonly repeats: boolean;
  at: number;
}

/** Creates a {@linkcode FakeClock} that begins at 0, and at `epochMs` since the epoch. */
export function createFakeClock(epochMs = Date.UTC(2026, 0, 1)): FakeClock {
  const pending = new Set<Pending>();
  const watchers: { readonly delayMs: number; resolve(): void }[] = [];
  let time = 0;
  let next: (() => void)[] = [];

  function add(delayMs: number, action: () => void, repeats: boolean): () => void {
    const entry: Pending = { delayMs, action, repeats, at: time + Math.max(0, delayMs) };
    pending.add(entry);
    for (const watcher of watchers) if (watcher.delayMs === delayMs) watcher.resolve();
    return () => void pending.delete(entry);
  }

  function takeActions(): readonly (() => void)[] {
    const actions = next;
    next = [];
    return actions;
  }

  return {
    now: () => time,
    epochMs: () => epochMs + time,
    after: (delayMs, action) => add(delayMs, action, false),
    every: (intervalMs, action) => add(intervalMs, action, true),
    soon(action): () => void {
      next.push(action);
      return () => next = next.filter((each) => each !== action);
    },
    afterInput(action): void {
      next.push(() => void next.push(action));
    },
    advance(ms): void {
      const end = time + ms;
      for (;;) {
        const [first] = [...pending].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (first === undefined) break;
        time = Math.max(time, first.at);
        if (first.repeats) first.at += Math.max(first.delayMs, 1);
        else pending.delete(first);
        first.action();
      }
      time = end;
    },
    turn(): number {
      const actions = takeActions();
      for (const action of actions) action();
      return actions.length;
    },
    actions: takeActions,
    until: (delayMs) => new Promise((resolve) => watchers.push({ delayMs, resolve })),
    get delays(): readonly number[] {
      return [...pending].map(({ delayMs }) => delayMs);
    },
  };
}

/** Returns the same clock, with the turns of the real event loop. */
export function withRealTurns(clock: Clock): Clock {
  return { ...clock, soon: systemClock.soon, afterInput: systemClock.afterInput };
}
