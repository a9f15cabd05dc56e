/**
 * When to look at a buffer that has no event: each turn of the event loop while a fast client reads, and more
 * and more seldom when nothing moves.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";

const MAX_TURNS = 100;
const MAX_POLL_MS = 16;
const TICK_MS = 1;

/** Calls back after a number of looks that saw nothing move; `paced`: not before the next tick. */
export function lookLater(look: () => void, looks: number, paced: boolean): { cancel(): void } {
  if (looks < MAX_TURNS && !paced) {
    const immediate = setImmediate(look);
    return { cancel: () => clearImmediate(immediate) };
  }
  const timer = setTimeout(look, Math.max(TICK_MS, Math.min(looks - MAX_TURNS, MAX_POLL_MS)));
  return { cancel: () => clearTimeout(timer) };
}
