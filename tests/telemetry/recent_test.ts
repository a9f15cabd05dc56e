import { assertEquals } from "@std/assert";
import { Recent } from "../../src/telemetry/recent.ts";

/** Finds values that are made of their texts; returns how often one was made. */
function findAll(recent: Recent<object>, texts: readonly string[]): number {
  let made = 0;
  for (const text of texts) {
    recent.find(text, () => {
      made++;
      return {};
    });
  }
  return made;
}

Deno.test("Recent keeps the values that were used last", () => {
  const recent = new Recent<object>(3);
  const texts = ["a", "b", "c"];
  assertEquals(findAll(recent, texts), 3);
  assertEquals(findAll(recent, texts), 0);
  assertEquals(findAll(recent, ["d", ...texts]), 1);
  assertEquals(findAll(recent, texts), 0);
});

Deno.test("Recent drops values that are no longer used, however many others follow", () => {
  const recent = new Recent<object>(3);
  for (let count = 0; count < 1000; count++) {
    findAll(recent, [`${count}`, "used"]);
    assertEquals(recent.size <= 6, true);
  }
  assertEquals(findAll(recent, ["used"]), 0);
  assertEquals(findAll(recent, ["0"]), 1);
});

Deno.test("Recent makes all values again after clear()", () => {
  const recent = new Recent<object>(3);
  findAll(recent, ["a", "b", "c", "d"]);
  recent.clear();
  assertEquals(recent.size, 0);
  assertEquals(findAll(recent, ["a", "d"]), 2);
});
