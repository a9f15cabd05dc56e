/**
 * Turns of the event loop for work that takes long.
 *
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { Turns } from "../../src/turns/turns.ts";

/** Creates turns on the platform's clock, whose timers keep the test alive. */
export function createTurns(): Turns {
  return new Turns({
    ...systemClock,
    after(delayMs, action): () => void {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
  });
}
