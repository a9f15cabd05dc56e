/**
 * Divides long work among the turns of the event loop.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

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
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #cost = 0;
  /** How many calls are to come in this turn, and when the first of them was. */
  #calls = 0;
  #turnStart: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Called before each piece of work. Returns nothing when it may be done at once, else a promise that fulfils in a
   * later turn of the event loop, in the order of the calls.
   *
   * @param cost The number of bytes that are decoded in the time that the work takes; an estimate.
   */
  take(cost: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#calls === 0) {
      this.#cost += cost;
      if (this.#cost <= FREE_COST) return undefined;
    }
    return this.next();
  }

  /** Fulfils in a later turn of the event loop, in which work may be done at once and as long as there is time. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#calls === 0) this.#callSoon();
    });
  }

  /** Whether there is time left in this turn of the event loop, after a wait for it. */
  get hasTime(): boolean {
    return this.#turnStart !== undefined && this.#clock.now() - this.#turnStart < MAX_TURN_MS;
  }

  /** The work that a call allows is done before the next call, since it is done in microtasks. */
  #callSoon(): void {
    this.#turnStart = undefined;
    this.#cost = 0;
    this.#calls = Math.min(this.#waiting.length, MAX_PIECES_PER_TURN);
    for (let count = 0; count < this.#calls; count++) this.#clock.soon(() => this.#call());
  }

  #call(): void {
    const now = this.#clock.now();
    this.#turnStart ??= now;
    if (now - this.#turnStart < MAX_TURN_MS) this.#waiting.shift()?.();
    this.#calls--;
    if (this.#calls === 0 && this.#waiting.length > 0) this.#callSoon();
  }
}
