import { assert, assertEquals, assertMatch } from "@std/assert";
import dashboard from "../../.github/grafana.json" with { type: "json" };
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { ALL } from "./events.ts";
import { parseExposition } from "./exposition.ts";

/** Returns the names of the labels of each sample, after one event of every type. */
async function readLabels(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  using metrics = createMetrics({ version: "1.2.3" }, { connections: () => 1, inFlight: () => 1 });
  for (const event of ALL) metrics.telemetry.emit(event);
  const families = [...parseExposition(await metrics.render()).values()];
  return new Map(
    families.flatMap(({ samples }) =>
      samples.map(({ name, labels }) => [name, new Set(Object.keys(labels))])
    ),
  );
}

const labels = await readLabels();
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const variables = dashboard.templating.list.map(({ name }) => name);

Deno.test("every metric and every label that the dashboard queries exists", () => {
  const queries = dashboard.templating.list.map(({ definition = "" }) => definition);
  for (const query of [...expressions, ...queries]) {
    const names = query.match(/wsfetch_\w+/g) ?? [];
    for (const name of names) assert(labels.has(name), `${name} in ${query}`);
    const [, grouped = ""] = /by \(([^)]*)\)/.exec(query) ?? [];
    const matched = [...query.matchAll(/(\w+)(?:!?=~?)"/g)].map(([, label = ""]) => label);
    const target = ["job", "instance"]; // labels that Prometheus adds
    const known = new Set([...target, ...names.flatMap((name) => [...labels.get(name) ?? []])]);
    for (const label of [...grouped.split(", "), ...matched].filter((label) => label !== "")) {
      assert(known.has(label), `${label} in ${query}`);
    }
  }
});

Deno.test("the dashboard shows every metric", () => {
  const shown = new Set(expressions.flatMap((query) => query.match(/wsfetch_\w+/g) ?? []));
  const missing = [...labels.keys()].filter((name) =>
    ![name, name.replace(/_(?:bucket|sum|count)$/, "_bucket")].some((name) => shown.has(name))
  );
  assertEquals(missing, []);
});

Deno.test("the dashboard selects its data source by a variable, and uses only variables that are defined", () => {
  assertEquals(dashboard.templating.list[0]?.type, "datasource");
  for (const { datasource, targets = [] } of panels) {
    assertEquals(datasource, { type: "prometheus", uid: "${datasource}" });
    for (const target of targets) assertEquals(target.datasource, datasource);
  }
  const known = [...variables, "__rate_interval"];
  for (const query of expressions) {
    for (const [, name = ""] of query.matchAll(/\$(\w+)/g)) assert(known.includes(name), query);
    assertMatch(query, /job=~"\$job",instance=~"\$instance"/);
  }
});

Deno.test("every panel has a unique id, a title, a description and a place of its own", () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  const taken = new Set<string>();
  for (const { title, description = "", gridPos: { x, y, w, h } } of panels) {
    assert(title !== "" && description !== "", title);
    assert(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const place = `${column} ${line}`;
        assert(!taken.has(place), `${title} covers another panel`);
        taken.add(place);
      }
    }
  }
});
