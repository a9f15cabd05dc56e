import { assertEquals } from "@std/assert";
import { createFakeClock } from "../helpers/clock.ts";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import { createTotals } from "../../src/telemetry/totals.ts";
import { ALL } from "./events.ts";
import { parseExposition, type Sample } from "./exposition.ts";

/** Creates the metrics of an isolate that has emitted every event `times` times. */
function createIsolate(times: number): Metrics {
  const lags = [0.25, 0.5, 1].map((lag) => lag * times);
  const metrics = createMetrics({ version: "1.2.3" }, {
    connections: () => 3,
    inFlight: () => 5,
    memory: () => ({ rss: 0, heapTotal: 100, heapUsed: 10, external: 1 }),
    meter: { lag: () => lags, [Symbol.dispose](): void {} },
    clock: createFakeClock(1000 * times),
  });
  for (let i = 0; i < times; i++) for (const event of ALL) metrics.telemetry.emit(event);
  return metrics;
}

async function read(text: string | Promise<string>): Promise<readonly Sample[]> {
  const samples = [...parseExposition(await text).values()].flatMap(({ samples }) => samples);
  // The last digit of a sum of fractions depends on their order.
  return samples.map((sample) => ({ ...sample, value: Number(sample.value.toFixed(9)) }));
}

function isCurrentValue({ name }: Sample): boolean {
  return /_(?:info|seconds|connections|in_flight|bytes)$/.test(name);
}

Deno.test("render() of one isolate returns the metrics of the isolate", async () => {
  const isolate = createIsolate(2);
  const totals = createTotals();
  totals.set(0, await isolate.snapshot());
  assertEquals(await totals.render(), await isolate.render());
});

Deno.test("render() adds up the counts of each set of labels", async () => {
  const totals = createTotals();
  totals.set(0, await createIsolate(1).snapshot());
  totals.set(1, await createIsolate(2).snapshot());
  const expected = await read(createIsolate(3).render());
  const actual = await read(totals.render());
  assertEquals(
    actual.filter((sample) => !isCurrentValue(sample)),
    expected.filter((sample) => !isCurrentValue(sample)),
  );
});

Deno.test("render() adds up current values, except those of the whole service and maximums", async () => {
  const totals = createTotals();
  totals.set(0, await createIsolate(2).snapshot());
  totals.set(1, await createIsolate(1).snapshot());
  const values = (await read(totals.render())).filter(isCurrentValue).map((
    { name, labels, value },
  ) => [name.replace("wsfetch_", ""), ...Object.values(labels).slice(0, 1), value].join(" "));
  assertEquals(values, [
    "build_info 1.2.3 1",
    "start_time_seconds 1",
    "open_connections 6",
    "exchanges_in_flight 10",
    "kept_bytes 0",
    "max_kept_bytes 0",
    "memory_bytes resident 0",
    "memory_bytes heap_total 200",
    "memory_bytes heap_used 20",
    "memory_bytes external 2",
    "event_loop_lag_seconds 0.5 0.5",
    "event_loop_lag_seconds 0.99 1",
    "event_loop_lag_seconds 1 2",
  ]);
});

Deno.test("set() replaces the earlier metrics of an isolate", async () => {
  const isolate = createIsolate(1);
  const totals = createTotals();
  totals.set(0, await isolate.snapshot());
  for (const event of ALL) isolate.telemetry.emit(event);
  totals.set(0, await isolate.snapshot());
  assertEquals(await totals.render(), await isolate.render());
});

Deno.test("retire() keeps counts and removes current values, however many isolates retire", async () => {
  const totals = createTotals();
  const expected = await read(createIsolate(12).render());
  for (let i = 0; i < 10; i++) {
    totals.set(0, await createIsolate(1).snapshot());
    totals.retire(0);
    if (i % 3 === 0) await totals.render();
  }
  totals.retire(0);
  totals.set(0, await createIsolate(2).snapshot());
  const actual = await read(totals.render());
  assertEquals(
    actual.filter((sample) => !isCurrentValue(sample)),
    expected.filter((sample) => !isCurrentValue(sample)),
  );
  assertEquals(actual.find(({ name }) => name === "wsfetch_open_connections")?.value, 3);
});
