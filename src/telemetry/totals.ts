/**
 * The metrics of several isolates as those of one service: counts are added up, and none is lost with the
 * isolate that counted.
 *
 * @module
 */
import { AggregatorRegistry, type PrometheusContentType, type Registry } from "prom-client";
import type { Snapshot } from "./metrics.ts";

/** Adds up. Members are isolates, told apart by any number. */
export interface Totals {
  /** Takes all that a member shows now, in place of what it showed before. */
  set(member: number, snapshot: Snapshot): void;
  /** Keeps what a member that has ended has counted, so that no counter goes back. */
  retire(member: number): void;
  /** Gives the metrics of all as text. One call at a time. */
  render(): Promise<string>;
}

/** Creates {@linkcode Totals} of nothing. */
export function createTotals(): Totals {
  const members = new Map<number, Snapshot>();
  const retired: Snapshot[] = [];
  return {
    set: (member, snapshot) => void members.set(member, snapshot),
    retire(member): void {
      const last = members.get(member);
      if (last !== undefined) retired.push(last.filter(({ type }) => !isGauge(type)));
      members.delete(member);
    },
    async render(): Promise<string> {
      const all = [...retired, ...members.values()];
      const gone = retired.splice(0);
      if (gone.length > 0) retired.push(await add(gone).getMetricsAsJSON()); // or they would pile up
      return await add(all).metrics();
    },
  };
}

function add(snapshots: readonly Snapshot[]): Registry {
  return AggregatorRegistry.aggregate<PrometheusContentType>([...snapshots]);
}

/** Says whether a number is of now. prom-client's enum is not there at run time; its values are these words. */
function isGauge(type: unknown): boolean {
  return type === "gauge";
}
