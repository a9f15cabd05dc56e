/**
 * What the samples of a cell come to.
 *
 * @module
 */
import type { Cell } from "./cells.ts";
import type { Sample } from "./load/job.ts";
import type { PeerName } from "./peers.ts";
import type { CellResult } from "./rounds.ts";
import { median, medianRatio } from "./statistics.ts";

/** A line of the results: medians over rounds. */
export interface Row {
  readonly name: PeerName;
  readonly title: string;
  /** Exchanges in a second. */
  readonly throughput: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The server's CPU time for an exchange. `NaN`: there is no server. */
  readonly cpuMicros: number;
  readonly peakBytes: number;
  /** Compared with the base in the same round. `NaN`: there is none. */
  readonly throughputRatio: number;
  readonly cpuRatio: number;
  /** Shares of a core that were in use. */
  readonly serverLoad: number;
  readonly loaderLoad: number;
  readonly upstreamLoad: number;
  readonly failures: number;
}

/** The rows of a cell. */
export interface Summary {
  readonly cell: Cell;
  readonly rows: readonly Row[];
}

/** Gives exchanges in a second. */
export function toThroughput({ exchanges, seconds }: Sample): number {
  return exchanges / seconds;
}

/** Gives the server's microseconds on the CPU for an exchange. */
export function toCpuMicros({ serverCpuSeconds, exchanges }: Sample): number {
  return serverCpuSeconds === 0 ? NaN : serverCpuSeconds * 1e6 / exchanges;
}

/** Gives the samples of a peer in a cell; none if it did not take part. */
export function samplesOf({ results }: CellResult, name: PeerName): readonly Sample[] {
  return results.find(({ peer }) => peer.name === name)?.samples ?? [];
}

/** Gives the median over rounds of one peer's number divided by another's; `NaN` if one is not there. */
export function compare(
  result: CellResult,
  [name, base]: readonly [PeerName, PeerName],
  toNumber: (sample: Sample) => number,
): number {
  const [numbers, bases] = [samplesOf(result, name), samplesOf(result, base)];
  return medianRatio(numbers.map(toNumber), bases.map(toNumber));
}

/** Gives the rows of a cell. The base is the bare loop, and for the client `fetch` itself. */
export function summarize(result: CellResult): Summary {
  const base = result.cell.mode === "client" ? "direct" : "bare";
  const rows = result.results.map(({ peer: { name, title }, samples }): Row => {
    const of = (toNumber: (sample: Sample) => number): number => median(samples.map(toNumber));
    return {
      name,
      title,
      throughput: of(toThroughput),
      p50Ms: of((sample) => sample.p50Ms),
      p99Ms: of((sample) => sample.p99Ms),
      cpuMicros: of(toCpuMicros),
      peakBytes: of((sample) => sample.peakBytes),
      throughputRatio: compare(result, [name, base], toThroughput),
      cpuRatio: compare(result, [name, base], toCpuMicros),
      serverLoad: of((sample) => sample.serverCpuSeconds / sample.seconds),
      loaderLoad: of((sample) => sample.loaderCpuSeconds / sample.seconds),
      upstreamLoad: of((sample) => sample.upstreamCpuSeconds / sample.seconds),
      failures: samples.reduce((sum, { failures }) => sum + failures, 0),
    };
  });
  return { cell: result.cell, rows };
}
