/**
 * Delays the new connections of an identity whose connections were ended for the memory that they may have filled.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

interface Penalty {
  /** How many connections were ended. */
  readonly count: number;
  readonly lastAt: number;
}

// The delay for each connection that was ended, the longest delay, and how long after the last one it is forgotten.
const STEP_MS = 250;
const MAX_DELAY_MS = 5000;
const FORGOTTEN_MS = 15_000;

/** The penalties of all keys of an isolate. */
export class Penalties {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Penalty>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that a connection of a key was ended. */
  add(key: string): void {
    const now = this.#clock.now();
    for (const [each, { lastAt }] of this.#byKey) {
      if (now - lastAt > FORGOTTEN_MS) this.#byKey.delete(each);
    }
    const { count } = this.#byKey.get(key) ?? { count: 0 };
    this.#byKey.set(key, { count: count + 1, lastAt: now });
  }

  /** Returns how long a new connection of a key has to wait, in milliseconds. */
  toDelayMs(key: string): number {
    const penalty = this.#byKey.get(key);
    if (penalty === undefined || this.#clock.now() - penalty.lastAt > FORGOTTEN_MS) return 0;
    return Math.min(MAX_DELAY_MS, STEP_MS * penalty.count);
  }
}
