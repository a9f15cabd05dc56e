/**
 * The turns of the event loop in which long work is done.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

// Others are held up by no turn that takes this long, in milliseconds.
const MAX_TURN_MS = 8;
const MAX_REST_MS = 250;

/**
 * Divides the event loop between long work and all else. Between two turns of long work, the runtime looks for input. Some
 * steps cannot be divided: Deno reads a message of 1 MiB, and sends one of 8 MiB, in one step. After a turn that was long
 * for such a reason, long work rests for as long, so that others have at least half of the time, in one piece.
 */
export class LongTurns {
  readonly #clock: Clock;
  #actions: (() => void)[] = [];
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls an action in the next turn for long work. */
  next(action: () => void): void {
    this.#actions.push(action);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const startedAt = this.#clock.now();
    this.#clock.soon(() => this.#turn(startedAt));
  }

  #turn(startedAt: number): void {
    const actions = this.#actions;
    this.#actions = [];
    for (const action of actions) action();
    this.#clock.afterInput(() => this.#turned(startedAt));
  }

  /** Called when all that a turn has started is done, and others have had their input. */
  #turned(startedAt: number): void {
    const tookMs = this.#clock.now() - startedAt;
    if (tookMs > MAX_TURN_MS) this.#clock.after(Math.min(tookMs, MAX_REST_MS), () => this.#goOn());
    else this.#goOn();
  }

  #goOn(): void {
    this.#isScheduled = this.#actions.length > 0;
    if (this.#isScheduled) this.#turn(this.#clock.now());
  }
}
