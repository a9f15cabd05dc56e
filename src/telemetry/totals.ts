/**
 * Adds up the metrics of several isolates that are one service. Counts of an isolate that has ended are kept.
 *
 * @module
 */
import { AggregatorRegistry, type PrometheusContentType, type Registry } from "prom-client";
import type { MetricsSnapshot } from "./metrics.ts";

/** Adds up metrics. Isolates are identified by any distinct numbers. */
export interface MetricsTotals {
  /** Replaces the metrics of an isolate. */
  set(isolate: number, snapshot: MetricsSnapshot): void;
  /** Removes an isolate that has ended, but keeps its counts: no counter may decrease. */
  retire(isolate: number): void;
  /** Returns the sums in the Prometheus text format. Await each call before the next. */
  render(): Promise<string>;
}

/** Creates {@linkcode MetricsTotals} without isolates. */
export function createTotals(): MetricsTotals {
  const isolates = new Map<number, MetricsSnapshot>();
  const retired: MetricsSnapshot[] = [];
  return {
    set: (isolate, snapshot) => void isolates.set(isolate, snapshot),
    retire(isolate): void {
      const last = isolates.get(isolate);
      if (last !== undefined) retired.push(last.filter(({ type }) => !isGauge(type)));
      isolates.delete(isolate);
    },
    async render(): Promise<string> {
      const all = [...retired, ...isolates.values()];
      const ended = retired.splice(0);
      // Merged into one snapshot, or the list would grow with each isolate that ends.
      if (ended.length > 0) retired.push(await add(ended).getMetricsAsJSON());
      return await add(all).metrics();
    },
  };
}

function add(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate<PrometheusContentType>([...snapshots]);
}

/** Returns whether a metric is a current value, not a count. prom-client's enum of types does not exist at run time. */
function isGauge(type: unknown): boolean {
  return type === "gauge";
}
