import { assertEquals } from "@std/assert";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import { createTotals } from "../../src/telemetry/totals.ts";
import { ALL } from "./events.ts";
import { parseExposition, type Sample } from "./exposition.ts";

/** Metrics of an isolate in which everything has happened so many times. */
function createMember(times: number): Metrics {
  const lags = [0.25, 0.5, 1].map((lag) => lag * times);
  const metrics = createMetrics({ version: "1.2.3" }, {
    connections: () => 3,
    inFlight: () => 5,
    memory: () => ({ rss: 0, heapTotal: 100, heapUsed: 10, external: 1 }),
    meter: { lag: () => lags, [Symbol.dispose](): void {} },
    now: () => 1000 * times,
  });
  for (let i = 0; i < times; i++) for (const event of ALL) metrics.telemetry.emit(event);
  return metrics;
}

async function read(text: string | Promise<string>): Promise<readonly Sample[]> {
  const samples = [...parseExposition(await text).values()].flatMap(({ samples }) => samples);
  // Sums of fractions depend on their order, in the last digit.
  return samples.map((sample) => ({ ...sample, value: Number(sample.value.toFixed(9)) }));
}

function isNow({ name }: Sample): boolean {
  return /_(?:info|seconds|connections|in_flight|bytes)$/.test(name);
}

Deno.test("render() of one member is what the member shows", async () => {
  const member = createMember(2);
  const totals = createTotals();
  totals.set(0, await member.snapshot());
  assertEquals(await totals.render(), await member.render());
});

Deno.test("render() adds up counts, whatever their labels", async () => {
  const totals = createTotals();
  totals.set(0, await createMember(1).snapshot());
  totals.set(1, await createMember(2).snapshot());
  const expected = await read(createMember(3).render());
  const actual = await read(totals.render());
  assertEquals(
    actual.filter((sample) => !isNow(sample)),
    expected.filter((sample) => !isNow(sample)),
  );
});

Deno.test("render() adds up what there is now, but for what is of the service or the worst", async () => {
  const totals = createTotals();
  totals.set(0, await createMember(2).snapshot());
  totals.set(1, await createMember(1).snapshot());
  const values = (await read(totals.render())).filter(isNow).map(({ name, labels, value }) =>
    [name.replace("wsfetch_", ""), ...Object.values(labels).slice(0, 1), value].join(" ")
  );
  assertEquals(values, [
    "build_info 1.2.3 1",
    "start_time_seconds 1",
    "open_connections 6",
    "exchanges_in_flight 10",
    "memory_bytes resident 0",
    "memory_bytes heap_total 200",
    "memory_bytes heap_used 20",
    "memory_bytes external 2",
    "event_loop_lag_seconds 0.5 0.5",
    "event_loop_lag_seconds 0.99 1",
    "event_loop_lag_seconds 1 2",
  ]);
});

Deno.test("set() replaces what a member showed before", async () => {
  const member = createMember(1);
  const totals = createTotals();
  totals.set(0, await member.snapshot());
  for (const event of ALL) member.telemetry.emit(event);
  totals.set(0, await member.snapshot());
  assertEquals(await totals.render(), await member.render());
});

Deno.test("retire() keeps what was counted and forgets what was there, however many retire", async () => {
  const totals = createTotals();
  const expected = await read(createMember(12).render());
  for (let i = 0; i < 10; i++) {
    totals.set(0, await createMember(1).snapshot());
    totals.retire(0);
    if (i % 3 === 0) await totals.render();
  }
  totals.retire(0);
  totals.set(0, await createMember(2).snapshot());
  const actual = await read(totals.render());
  assertEquals(
    actual.filter((sample) => !isNow(sample)),
    expected.filter((sample) => !isNow(sample)),
  );
  assertEquals(actual.find(({ name }) => name === "wsfetch_open_connections")?.value, 3);
});
