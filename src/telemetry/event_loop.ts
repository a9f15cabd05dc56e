/**
 * How late the event loop is: what every connection waits beyond its own work.
 *
 * @module
 */

/** Measures the event loop until it is disposed of. */
export interface EventLoopMeter extends Disposable {
  /** Gives how late timers were during the last minute, in seconds: the share `quantile` (0 to 1) was no later. */
  lag(quantiles: readonly number[]): readonly number[];
}

/** What a meter works with. */
export interface EventLoopDeps {
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Calls back every so many milliseconds, without keeping the process; gives what ends it. */
  readonly every?: (action: () => void, ms: number) => () => void;
}

// Deno's monitorEventLoopDelay() does not see a loop that is blocked.
const SAMPLE_MS = 50;
const SAMPLES = 60_000 / SAMPLE_MS;

/** Creates an {@linkcode EventLoopMeter} and starts it. */
export function createEventLoopMeter(
  { now = () => performance.now(), every = repeat }: EventLoopDeps = {},
): EventLoopMeter {
  const samples = new Float64Array(SAMPLES);
  let taken = 0;
  let dueAt = now() + SAMPLE_MS;
  const stop = every(() => {
    const time = now();
    samples[taken++ % SAMPLES] = Math.max(0, time - dueAt) / 1000;
    dueAt = time + SAMPLE_MS;
  }, SAMPLE_MS);

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

function repeat(action: () => void, ms: number): () => void {
  const timer = setInterval(action, ms);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
