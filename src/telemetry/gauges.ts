/**
 * Metrics of the process: its version, memory, open connections, and how late its event loop is.
 *
 * @module
 */
import { Gauge, type Registry } from "prom-client";
import type { EventLoopMeter } from "./event_loop.ts";

/** The current state of the service, read each time the metrics are rendered. */
export interface ServiceState {
  /** How many connections are open. */
  readonly connections: () => number;
  /** How many exchanges have begun and not ended. */
  readonly inFlight: () => number;
  readonly budget: KeptMemory;
  readonly memory: () => MemoryUsage;
  readonly meter: EventLoopMeter;
}

/** Memory that is kept for clients, in bytes. */
export interface KeptMemory {
  readonly keptBytes: number;
  readonly maxBytes: number;
}

/** Memory that the process holds, in bytes, as `Deno.memoryUsage()` returns it. */
export type MemoryUsage = Readonly<
  Record<"rss" | "heapTotal" | "heapUsed" | "external", number>
>;

const LAG_QUANTILES = [0.5, 0.99, 1];

/**
 * Creates the gauges in a registry.
 *
 * @param constants `version` is the version of the service, `startedAt` is in milliseconds since the epoch.
 */
export function createGauges(
  registry: Registry,
  { connections, inFlight, budget, memory, meter }: ServiceState,
  { version, startedAt }: { readonly version: string; readonly startedAt: number },
): void {
  const registers = [registry];
  new Gauge({
    name: "wsfetch_build_info",
    help: "Always 1; the labels name the versions that run",
    labelNames: ["version", "deno", "v8"],
    registers,
    aggregator: "first",
  }).set({ version, deno: Deno.version.deno, v8: Deno.version.v8 }, 1);
  new Gauge({
    name: "wsfetch_start_time_seconds",
    help: "When the service started, in seconds since the epoch",
    registers,
    aggregator: "min",
  }).set(startedAt / 1000);
  new Gauge({
    name: "wsfetch_open_connections",
    help: "Open connections",
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
    name: "wsfetch_kept_bytes",
    help: "Memory that is kept for clients: bodies, uploads, frames and events that wait",
    registers,
    collect(): void {
      this.set(budget.keptBytes);
    },
  });
  new Gauge({
    name: "wsfetch_max_kept_bytes",
    help: "Most memory that may be kept for clients, by all workers together",
    registers,
    aggregator: "max",
    collect(): void {
      this.set(budget.maxBytes);
    },
  });
  new Gauge({
    name: "wsfetch_memory_bytes",
    help:
      "Memory of the process: resident, and reserved by V8, used in its heap and held outside of it",
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
    help: "How late timers were during the last minute; the quantile 1 is the maximum",
    labelNames: ["quantile"],
    registers,
    aggregator: "max",
    collect(): void {
      const lags = meter.lag(LAG_QUANTILES);
      lags.forEach((lag, index) => this.set({ quantile: String(LAG_QUANTILES[index]) }, lag));
    },
  });
}
