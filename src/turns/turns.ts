/**
 * Divides long work among the turns of the event loop.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { LongTurns } from "./long_turns.ts";

// Work that costs no more than this does not wait. It is counted in bytes that a decoder makes, of which so many take 1 ms
// to 4 ms.
const FREE_COST = 1_048_576;
// How long work is done in one turn, in milliseconds, and how many pieces of work are done in it.
const MAX_TURN_MS = 2;
const MAX_PIECES_PER_TURN = 64;

/**
 * Lets bodies be decoded and encoded for a few milliseconds in each turn of the event loop, all of them together: one
 * object serves an isolate. `node:zlib` alone does not return to the event loop before all bytes that have arrived are
 * decoded.
 */
export class Turns {
  /** Shared with all else that holds the event loop for long. */
  readonly longTurns: LongTurns;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #cost = 0;
  /** Whether a turn was asked for. */
  #isScheduled = false;
  /** When the turn began that is under way. */
  #turnStart = -Infinity;

  constructor(clock: Clock) {
    this.longTurns = new LongTurns(clock);
    this.#clock = clock;
  }

  /**
   * Called before each piece of work. Returns nothing when it may be done at once, else a promise that fulfils in a
   * later turn of the event loop, in the order of the calls.
   *
   * @param cost The number of bytes that are decoded in the time that the work takes; an estimate.
   */
  take(cost: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && !this.#isScheduled) {
      this.#cost += cost;
      if (this.#cost <= FREE_COST) return undefined;
    }
    return this.next();
  }

  /** Fulfils in a later turn of the event loop, in which work may be done at once and as long as there is time. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  /** Whether there is time left in this turn of the event loop, after a wait for it. */
  get hasTime(): boolean {
    return this.#clock.now() - this.#turnStart < MAX_TURN_MS;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.longTurns.next(() => this.#turn());
  }

  /** The work that a call allows is done before the next call, since it is done in microtasks. */
  #turn(): void {
    this.#turnStart = this.#clock.now();
    this.#cost = 0;
    const calls = Math.min(this.#waiting.length, MAX_PIECES_PER_TURN);
    this.#waiting.shift()?.();
    for (let left = calls - 1; left > 0; left--) {
      this.#clock.soon(() => {
        if (this.hasTime) this.#waiting.shift()?.();
      });
    }
    this.#clock.soon(() => this.#turned());
  }

  #turned(): void {
    this.longTurns.worked(this.#clock.now() - this.#turnStart);
    this.#isScheduled = false;
    if (this.#waiting.length > 0) this.#schedule();
  }
}
