/**
 * Histograms of durations that cost next to nothing to count with: prom-client looks labels and a bucket up by
 * name at every observation, this finds them once, and makes samples only when it is asked for them.
 *
 * @module
 */
import type { Histogram, Registry } from "prom-client";

/** Counts a duration, in seconds. */
export type Observe = (seconds: number) => void;

/** A histogram. */
export interface Durations<Label extends string> {
  /** Gives what to count with for these labels; to be kept by the caller, one for each set of labels. */
  series(labels: Readonly<Record<Label, string>>): Observe;
}

/** What a histogram is called, and how it sorts. */
export interface DurationsOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds in seconds, from the least. */
  readonly buckets: readonly number[];
}

/** What was counted for one set of labels. */
interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Those of each bucket that are in none before it, and at the end those that are in none. */
  readonly counts: Float64Array;
  seconds: number;
}

/** A line of the text format, and what sums the lines of several processes by. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Creates {@linkcode Durations} that are shown in a registry. */
export function createDurations<Label extends string>(
  { name, help, buckets }: DurationsOptions,
  registry: Registry,
): Durations<Label> {
  const all: Series[] = [];
  const kind = { name, help, type: "histogram", aggregator: "sum" };
  const metric = {
    name,
    get: () => Promise.resolve({ ...kind, values: all.filter(isUsed).flatMap(toSamples) }),
  };
  // A registry asks a metric for no more, but its types know only the classes of prom-client.
  registry.registerMetric(metric as unknown as Histogram<Label>);

  function toSamples({ labels, counts, seconds }: Series): readonly Sample[] {
    let total = 0;
    const sorted = Array.from(counts, (count, index): Sample => ({
      metricName: `${name}_bucket`,
      labels: { le: buckets[index] ?? "+Inf", ...labels },
      value: total += count,
    }));
    return [
      ...sorted,
      { metricName: `${name}_sum`, labels, value: seconds },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }

  return {
    series(labels): Observe {
      const series: Series = { labels, counts: new Float64Array(buckets.length + 1), seconds: 0 };
      const { counts } = series;
      all.push(series);
      return (seconds) => {
        let bucket = 0;
        while (bucket < buckets.length && seconds > (buckets[bucket] ?? 0)) bucket++;
        counts[bucket] = (counts[bucket] ?? 0) + 1;
        series.seconds += seconds;
      };
    },
  };
}

function isUsed({ counts }: Series): boolean {
  return counts.some((count) => count > 0);
}
