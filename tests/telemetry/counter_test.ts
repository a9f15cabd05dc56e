import { assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import { createCounter, createCounterBy } from "../../src/telemetry/counter.ts";

/** Returns the values of all samples, by the values of their labels. */
async function valuesIn(registry: Registry): Promise<Record<string, number>> {
  const metrics = await registry.getMetricsAsJSON();
  return Object.fromEntries(
    metrics.flatMap(({ values }) =>
      values.map(({ labels, value }) => [Object.values(labels).join(" "), value])
    ),
  );
}

Deno.test("createCounter() renders the sum of the cells of each set of labels", async () => {
  const registry = new Registry();
  const options = { name: "a_total", help: "A help", labelNames: ["code", "method"] as const };
  const counter = createCounter(options, registry);
  const [first, second, other] = ["a", "a", "b"].map((code) =>
    counter.cell({ code, method: "GET" })
  );
  for (const cell of [first, second, first, other]) if (cell !== undefined) cell.count += 2;
  assertEquals(await valuesIn(registry), { "a GET": 6, "b GET": 2 });
  assertEquals(await valuesIn(registry), { "a GET": 6, "b GET": 2 }, "rendering does not count");
});

Deno.test("createCounter() without labels renders 0 before the first count", async () => {
  const registry = new Registry();
  const cell = createCounter({ name: "a_total", help: "A help" }, registry).cell({});
  assertEquals(await valuesIn(registry), { "": 0 });
  cell.count++;
  assertEquals(await valuesIn(registry), { "": 1 });
});

Deno.test("createCounterBy() counts one for each call, by the value of its label", async () => {
  const registry = new Registry();
  const count = createCounterBy({ name: "a_total", help: "A help", label: "code" }, registry);
  for (const code of ["a", "b", "a"]) count(code);
  assertEquals(await valuesIn(registry), { a: 2, b: 1 });
});
