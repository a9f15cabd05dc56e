/**
 * What is told of the service as a whole: its log lines, and the metrics of all workers added up.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import type { Config } from "../config/config.ts";
import { combine } from "../telemetry/combine.ts";
import type { EventLoopMeter } from "../telemetry/event_loop.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Redaction } from "../telemetry/redaction.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTotals, type Totals } from "../telemetry/totals.ts";

/** Tells of the service. */
export interface Whole extends Totals {
  readonly telemetry: Telemetry;
  /** Writes what has been logged, now. */
  flush(): void;
}

/** What it works with. */
export interface WholeDeps {
  /** Takes bytes of log lines, and gives how many. */
  readonly writeSync: (bytes: Uint8Array) => number;
  readonly redaction: Redaction;
  /** Fulfils when every worker that can has handed in what it has counted. */
  readonly collect: () => Promise<void>;
}

/** What the thread that only starts others counts itself as. */
const OWN = -1;
// No connection waits for this thread.
const NO_METER: EventLoopMeter = {
  lag: (quantiles) => quantiles.map(() => 0),
  [Symbol.dispose](): void {},
};
const none = (): number => 0;

/** Creates a {@linkcode Whole}. */
export function createWhole(config: Config, { writeSync, redaction, collect }: WholeDeps): Whole {
  const logger = createLogger({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    redaction,
    writeSync,
  });
  const totals = createTotals();
  if (config.METRICS === "off") return { ...totals, telemetry: logger, flush: logger.flush };
  const own = createMetrics({ version: deno.version }, {
    connections: none,
    inFlight: none,
    meter: NO_METER,
  });
  return {
    ...totals,
    telemetry: combine(logger, own.telemetry),
    flush: logger.flush,
    render: shareNext(async () => {
      await collect();
      totals.set(OWN, await own.snapshot());
      return await totals.render();
    }),
  };
}

/** Gives an action that runs once at a time; all who ask while it runs share the next run. */
function shareNext<T>(action: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () =>
    next ??= running.then(() => {
      const run = action();
      running = run.catch(() => {});
      next = undefined;
      return run;
    });
}
