/**
 * The turns of the event loop in which long work is done.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

// Long work rests after a turn in which it has taken more milliseconds than this.
const MAX_TURN_MS = 8;
const MAX_REST_MS = 250;

/**
 * Divides the event loop between long work and all else. Between two turns of long work, the runtime looks for input. Some
 * steps cannot be divided: Deno reads a message of 1 MiB, and sends one of 8 MiB, in one step. After such a turn, long work
 * rests for as long as it took, up to a quarter of a second, so that others have half of the time, in one piece.
 */
export class LongTurns {
  readonly #clock: Clock;
  #actions: (() => void)[] = [];
  #isScheduled = false;
  #workMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls an action in the next turn for long work. */
  next(action: () => void): void {
    this.#actions.push(action);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => this.#turn());
  }

  /** Counts milliseconds of long work that was done in this turn, or soon after it. */
  worked(milliseconds: number): void {
    this.#workMs += milliseconds;
  }

  #turn(): void {
    // First, and with what is left of the actions: one that throws must not end the turns of all others.
    this.#clock.afterInput(() => this.#turned());
    const actions = this.#actions;
    this.#actions = [];
    try {
      for (let next = actions.shift(); next !== undefined; next = actions.shift()) next();
    } finally {
      this.#actions.unshift(...actions);
    }
  }

  /** Called when the others have had their input. */
  #turned(): void {
    const workMs = this.#workMs;
    this.#workMs = 0;
    if (workMs > MAX_TURN_MS) this.#clock.after(Math.min(workMs, MAX_REST_MS), () => this.#goOn());
    else this.#goOn();
  }

  #goOn(): void {
    this.#isScheduled = this.#actions.length > 0;
    if (this.#isScheduled) this.#turn();
  }
}
