/**
 * Metrics of the process: what it is, what it holds, and how late its event loop is.
 *
 * @module
 */
import { Gauge, type Registry } from "prom-client";
import type { EventLoopMeter } from "./event_loop.ts";

/** What the gauges show that never changes. */
export interface GaugeOptions {
  /** Of this service. */
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Where the gauges look when they are asked for. */
export interface GaugeDeps {
  /** Open connections. */
  readonly connections: () => number;
  /** Exchanges that have begun and not ended. */
  readonly inFlight: () => number;
  readonly memory: () => Memory;
  readonly meter: EventLoopMeter;
}

/** What the process holds, in bytes. */
export type Memory = Readonly<
  Record<"rss" | "heapTotal" | "heapUsed" | "external", number>
>;

const LAG_QUANTILES = [0.5, 0.99, 1];

/** Creates the gauges, shown in a registry. */
export function createGauges(
  { version, startedAt }: GaugeOptions,
  { connections, inFlight, memory, meter }: GaugeDeps,
  registry: Registry,
): void {
  const registers = [registry];
  new Gauge({
    name: "wsfetch_build_info",
    help: "Always 1; what runs is in the labels",
    labelNames: ["version", "deno", "v8"],
    registers,
    aggregator: "first",
  }).set({ version, deno: Deno.version.deno, v8: Deno.version.v8 }, 1);
  new Gauge({
    name: "wsfetch_start_time_seconds",
    help: "When the service was started, in seconds since the epoch",
    registers,
    aggregator: "min",
  }).set(startedAt / 1000);
  new Gauge({
    name: "wsfetch_open_connections",
    help: "Connections that are open",
    registers,
    collect(): void {
      this.set(connections());
    },
  });
  new Gauge({
    name: "wsfetch_exchanges_in_flight",
    help: "Exchanges that have begun and not ended",
    registers,
    collect(): void {
      this.set(inFlight());
    },
  });
  new Gauge({
    name: "wsfetch_memory_bytes",
    help:
      "Memory of the process: resident, and what V8 has reserved, uses and holds outside its heap",
    labelNames: ["area"],
    registers,
    collect(): void {
      const { rss, heapTotal, heapUsed, external } = memory();
      this.set({ area: "resident" }, rss);
      this.set({ area: "heap_total" }, heapTotal);
      this.set({ area: "heap_used" }, heapUsed);
      this.set({ area: "external" }, external);
    },
  });
  new Gauge({
    name: "wsfetch_event_loop_lag_seconds",
    help: "How late timers were during the last minute; the quantile 1 is the worst",
    labelNames: ["quantile"],
    registers,
    aggregator: "max",
    collect(): void {
      const lags = meter.lag(LAG_QUANTILES);
      lags.forEach((lag, index) => this.set({ quantile: String(LAG_QUANTILES[index]) }, lag));
    },
  });
}
