/**
 * The telemetry of the service as a whole: its own log lines, and the metrics of all workers added up.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import type { Config } from "../config/config.ts";
import { combine } from "../telemetry/combine.ts";
import type { EventLoopMeter } from "../telemetry/event_loop.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { LogStream } from "../telemetry/output.ts";
import type { Redaction } from "../telemetry/redaction.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTotals, type MetricsTotals } from "../telemetry/totals.ts";

/** The metrics of all workers, and the events of the service itself. */
export interface ServiceTelemetry extends MetricsTotals {
  /** Takes the events of the service, which are logged and counted. */
  readonly telemetry: Telemetry;
  /** Fulfils when all log lines that are waiting are written, at the latest after a second. */
  flush(): Promise<void>;
}

// The coordinator counts too: its metrics are those of worker -1.
const COORDINATOR = -1;
// The coordinator has no connections that could be delayed.
const NO_METER: EventLoopMeter = {
  lag: (quantiles) => quantiles.map(() => 0),
  [Symbol.dispose](): void {},
};
const none = (): number => 0;

/**
 * Creates the {@linkcode ServiceTelemetry}.
 *
 * @param deps `stream` is where log lines are written; `collect` fulfils when the workers
 * have sent their metrics.
 */
export function createServiceTelemetry(
  config: Config,
  { stream, redaction, collect }: {
    readonly stream: LogStream;
    readonly redaction: Redaction;
    readonly collect: () => Promise<void>;
  },
): ServiceTelemetry {
  const logger = createLogger({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    redaction,
    stream,
  });
  const totals = createTotals();
  if (config.METRICS === "off") return { ...totals, telemetry: logger, flush: logger.flush };
  const own = createMetrics({ version: deno.version }, {
    connections: none,
    inFlight: none,
    droppedLines: () => logger.dropped,
    meter: NO_METER,
  });
  return {
    ...totals,
    telemetry: combine(logger, own.telemetry),
    flush: logger.flush,
    render: shareNext(async () => {
      await collect();
      totals.set(COORDINATOR, await own.snapshot());
      return await totals.render();
    }),
  };
}

/** Returns a function that runs an action once at a time. All calls during a run share the next run. */
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
