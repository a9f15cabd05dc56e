/**
 * Histograms of durations that are cheap to observe: a histogram of prom-client looks labels and buckets up by name
 * for each observation, these look the labels up once. Samples are created only when the metrics are rendered.
 *
 * @module
 */
import type { Histogram, Registry } from "prom-client";

/** Adds a duration in seconds to a histogram. */
export type ObserveSeconds = (seconds: number) => void;

/** A histogram of durations with labels. */
export interface DurationHistogram<Label extends string> {
  /** Returns a function that observes durations with these labels, to be kept by the caller. Call once for each set. */
  series(labels: Readonly<Record<Label, string>>): ObserveSeconds;
}

/** The durations with one set of labels. */
interface DurationSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** The number of durations in each bucket and in no lower one; the last number is for those above all buckets. */
  readonly counts: Float64Array;
  seconds: number;
}

/** A line of the Prometheus text format; `metricName` and labels identify it when processes are added up. */
interface MetricSample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Creates a {@linkcode DurationHistogram} in a registry.
 *
 * @param options `buckets` are upper bounds in seconds, in ascending order.
 */
export function createDurationHistogram<Label extends string>(
  { name, help, buckets }: {
    readonly name: string;
    readonly help: string;
    readonly buckets: readonly number[];
  },
  registry: Registry,
): DurationHistogram<Label> {
  const all: DurationSeries[] = [];
  const kind = { name, help, type: "histogram", aggregator: "sum" };
  const metric = {
    name,
    get: () => Promise.resolve({ ...kind, values: all.filter(isUsed).flatMap(toSamples) }),
  };
  // A registry uses only these two members, but its types accept only the classes of prom-client.
  registry.registerMetric(metric as unknown as Histogram<Label>);

  function toSamples({ labels, counts, seconds }: DurationSeries): readonly MetricSample[] {
    let total = 0;
    const sorted = Array.from(counts, (count, index): MetricSample => ({
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
    series(labels): ObserveSeconds {
      const counts = new Float64Array(buckets.length + 1);
      const series: DurationSeries = { labels, counts, seconds: 0 };
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

function isUsed({ counts }: DurationSeries): boolean {
  return counts.some((count) => count > 0);
}
