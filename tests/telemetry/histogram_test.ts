import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AggregatorRegistry, Histogram, Registry } from "prom-client";
import { createDurationHistogram, type DurationHistogram } from "../../src/telemetry/histogram.ts";

const OPTIONS = { name: "test_seconds", help: "A help", buckets: [0.001, 0.5, 1, 60] };
const UPSTREAMS = ["", "shop", 'odd "name"'] as const;

type Upstream = typeof UPSTREAMS[number];

/** Durations, each with an upstream. */
const observations = fc.array(fc.tuple(
  fc.constantFrom(...UPSTREAMS),
  fc.oneof(fc.constantFrom(...OPTIONS.buckets, 0), fc.double({ min: 0, max: 100, noNaN: true })),
));

function create(): {
  readonly registry: Registry;
  readonly histogram: DurationHistogram<"upstream">;
} {
  const registry = new Registry();
  return { registry, histogram: createDurationHistogram<"upstream">(OPTIONS, registry) };
}

/** Returns a registry with a histogram of ours that has observed durations. */
function observe(observed: readonly (readonly [Upstream, number])[]): Registry {
  const { registry, histogram } = create();
  const series = new Map<string, (seconds: number) => void>();
  for (const [upstream, seconds] of observed) {
    const known = series.get(upstream) ?? histogram.series({ upstream });
    series.set(upstream, known);
    known(seconds);
  }
  return registry;
}

/** Returns a registry with a histogram of prom-client that has observed durations. */
function observeByPromClient(observed: readonly (readonly [Upstream, number])[]): Registry {
  const registry = new Registry();
  const histogram = new Histogram({ ...OPTIONS, labelNames: ["upstream"], registers: [registry] });
  for (const [upstream, seconds] of observed) histogram.observe({ upstream }, seconds);
  return registry;
}

Deno.test("createDurationHistogram() renders the same as a histogram of prom-client, as text and as JSON", async () => {
  await fc.assert(fc.asyncProperty(observations, async (observed) => {
    const [own, expected] = [observe(observed), observeByPromClient(observed)];
    assertEquals(await own.metrics(), await expected.metrics());
    assertEquals(
      JSON.stringify(await own.getMetricsAsJSON(), sortMembers),
      JSON.stringify(await expected.getMetricsAsJSON(), sortMembers),
    );
  }));
});

/** Sorts members by name, and removes an `exemplar` that is null. */
function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value).filter(([name, member]) =>
    name !== "exemplar" || member !== null
  );
  return Object.fromEntries(members.toSorted(([a], [b]) => a < b ? -1 : 1));
}

Deno.test("createDurationHistogram() of several processes can be added up", async () => {
  await fc.assert(fc.asyncProperty(observations, observations, async (first, second) => {
    const sum = async (registries: readonly Registry[]): Promise<string> =>
      await AggregatorRegistry.aggregate(
        await Promise.all(registries.map((registry) => registry.getMetricsAsJSON())),
      ).metrics();
    assertEquals(
      await sum([observe(first), observe(second)]),
      await sum([observeByPromClient(first), observeByPromClient(second)]),
    );
  }));
});

Deno.test("createDurationHistogram() renders observations since the last rendering, and rendering changes nothing", async () => {
  const { registry, histogram } = create();
  const observeShop = histogram.series({ upstream: "shop" });
  observeShop(0.1);
  const before = await registry.metrics();
  assertEquals(await registry.metrics(), before);
  observeShop(0.1);
  assertEquals(await registry.metrics(), before.replaceAll(/ 1$/gm, " 2").replace(" 0.1", " 0.2"));
});
