import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AggregatorRegistry, Histogram, Registry } from "prom-client";
import { createDurations, type Durations } from "../../src/telemetry/durations.ts";

const OPTIONS = { name: "test_seconds", help: "A help", buckets: [0.001, 0.5, 1, 60] };
const UPSTREAMS = ["", "shop", 'odd "name"'] as const;

type Upstream = typeof UPSTREAMS[number];

/** Durations, each for an upstream. */
const observations = fc.array(fc.tuple(
  fc.constantFrom(...UPSTREAMS),
  fc.oneof(fc.constantFrom(...OPTIONS.buckets, 0), fc.double({ min: 0, max: 100, noNaN: true })),
));

function create(): { readonly registry: Registry; readonly durations: Durations<"upstream"> } {
  const registry = new Registry();
  return { registry, durations: createDurations<"upstream">(OPTIONS, registry) };
}

/** A registry with what was observed by durations of ours. */
function observe(observed: readonly (readonly [Upstream, number])[]): Registry {
  const { registry, durations } = create();
  const series = new Map<string, (seconds: number) => void>();
  for (const [upstream, seconds] of observed) {
    const known = series.get(upstream) ?? durations.series({ upstream });
    series.set(upstream, known);
    known(seconds);
  }
  return registry;
}

/** A registry with what was observed by prom-client's own histogram. */
function observeByHistogram(observed: readonly (readonly [Upstream, number])[]): Registry {
  const registry = new Registry();
  const histogram = new Histogram({ ...OPTIONS, labelNames: ["upstream"], registers: [registry] });
  for (const [upstream, seconds] of observed) histogram.observe({ upstream }, seconds);
  return registry;
}

Deno.test("createDurations() shows what a histogram of prom-client would show, as text and as JSON", async () => {
  await fc.assert(fc.asyncProperty(observations, async (observed) => {
    const [own, expected] = [observe(observed), observeByHistogram(observed)];
    assertEquals(await own.metrics(), await expected.metrics());
    assertEquals(
      JSON.stringify(await own.getMetricsAsJSON(), sortMembers),
      JSON.stringify(await expected.getMetricsAsJSON(), sortMembers),
    );
  }));
});

/** Members in the order of their names; an `exemplar` is something that neither has. */
function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value).filter(([name, member]) =>
    name !== "exemplar" || member !== null
  );
  return Object.fromEntries(members.toSorted(([a], [b]) => a < b ? -1 : 1));
}

Deno.test("createDurations() of several processes can be summed", async () => {
  await fc.assert(fc.asyncProperty(observations, observations, async (first, second) => {
    const sum = async (registries: readonly Registry[]): Promise<string> =>
      await AggregatorRegistry.aggregate(
        await Promise.all(registries.map((registry) => registry.getMetricsAsJSON())),
      ).metrics();
    assertEquals(
      await sum([observe(first), observe(second)]),
      await sum([observeByHistogram(first), observeByHistogram(second)]),
    );
  }));
});

Deno.test("createDurations() shows what was counted since it was asked last, and counts nothing by that", async () => {
  const { registry, durations } = create();
  const observeShop = durations.series({ upstream: "shop" });
  observeShop(0.1);
  const before = await registry.metrics();
  assertEquals(await registry.metrics(), before);
  observeShop(0.1);
  assertEquals(await registry.metrics(), before.replaceAll(/ 1$/gm, " 2").replace(" 0.1", " 0.2"));
});
