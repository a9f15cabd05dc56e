/**
 * Turns of the event loop for work that takes long.
 *
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { Turns } from "../../src/turns/turns.ts";

/** Creates turns on the platform's clock. */
export function createTurns(): Turns {
  return new Turns(systemClock);
}
