/**
 * Tells when the input that arrived in a turn of the event loop has been told.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";

// The reads that end in a turn fulfil their promises within so many microtasks.
const MICROTASKS = 6;

/** Waits for the input of a turn of the event loop: once in each turn, however many wait. */
export class InputTurn {
  readonly #clock: Clock;
  #isTold = false;
  #waiting: Promise<void> | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether all input of this turn has been told; if not, {@linkcode wait}. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Fulfils when all input of this turn has been told. */
  wait(): Promise<void> {
    return this.#waiting ??= this.#wait();
  }

  async #wait(): Promise<void> {
    this.#clock.soon(() => {
      this.#isTold = false;
      this.#waiting = undefined;
    });
    for (let count = 0; count < MICROTASKS; count++) await undefined;
    this.#isTold = true;
  }
}
