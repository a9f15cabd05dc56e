/**
 * Measures how late the event loop runs timers: a delay that every connection of the isolate shares.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";

/** Measures the event loop until it is disposed of. */
export interface EventLoopMeter extends Disposable {
  /**
   * Returns how late timers were during the last minute, in seconds, for each of the quantiles (0 to 1): 0.99 is
   * the delay that 99 % of the timers did not exceed.
   */
  lag(quantiles: readonly number[]): readonly number[];
}

// Deno's monitorEventLoopDelay() does not notice an event loop that is blocked.
const SAMPLE_MS = 50;
const SAMPLES = 60_000 / SAMPLE_MS;

/** Creates an {@linkcode EventLoopMeter} and starts it. */
export function createEventLoopMeter(clock: Clock = systemClock): EventLoopMeter {
  const samples = new Float64Array(SAMPLES);
  let taken = 0;
  let dueAt = clock.now() + SAMPLE_MS;
  const stop = clock.every(SAMPLE_MS, () => {
    const time = clock.now();
    samples[taken++ % SAMPLES] = Math.max(0, time - dueAt) / 1000;
    dueAt = time + SAMPLE_MS;
  });

  return {
    lag(quantiles): readonly number[] {
      const sorted = samples.slice(0, taken).sort();
      return quantiles.map((quantile) =>
        sorted[Math.min(Math.floor(quantile * sorted.length), sorted.length - 1)] ?? 0
      );
    },
    [Symbol.dispose]: stop,
  };
}
