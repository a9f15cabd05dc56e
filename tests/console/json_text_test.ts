import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { toCompact, toPretty } from "../../src/console/json_layout.ts";
import { type JsonDocument, readJson } from "../../src/console/json_text.ts";

function read(text: string): JsonDocument {
  const json = readJson(text);
  if (json.type !== "json") throw new Error(`${text} is not JSON`);
  return json;
}

Deno.test("readJson() accepts what JSON.parse accepts, and its layouts change only whitespace", () => {
  fc.assert(fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (text, indent) => {
    const spaced = JSON.stringify(JSON.parse(text), null, indent);
    const json = read(spaced);
    assertEquals(toCompact(json), JSON.stringify(JSON.parse(text)));
    assertEquals(toPretty(json), JSON.stringify(JSON.parse(text), null, 2));
  }));
});

Deno.test("readJson() refuses what JSON.parse refuses", () => {
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom("", ",", "}", "]", '"', ":", "0", "\\", "\n", "x"),
  );
  fc.assert(
    fc.property(fc.json(), change, (text, [place, put]) => {
      const at = place % (text.length + 1);
      const changed = text.slice(0, at) + put + text.slice(at + 1);
      let isJson = true;
      try {
        JSON.parse(changed);
      } catch {
        isJson = false;
      }
      assertEquals(readJson(changed).type === "json", isJson, changed);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("readJson() returns too_long above the maximum number of lines", () => {
  assertEquals(readJson("[1,2,3]", 3).type, "too_long");
  assertEquals(readJson("[1,2,3]", 5).type, "json");
});
