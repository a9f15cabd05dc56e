import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  createFolding,
  findJsonFault,
  type Json,
  toCompact,
  toParts,
  toPretty,
} from "../../src/console/json_layout.ts";
import { readJson } from "../../src/console/json_text.ts";

function read(text: string): Json {
  const json = readJson(text);
  if (json.type !== "json") throw new Error(`${text} is no JSON`);
  return json;
}

const KEPT = [
  "12345678901234567890",
  "1.0",
  "-0",
  "1e400",
  '"\\u0041\\/"',
  '{"a": 1.50, "a": 2}',
];
for (const text of KEPT) {
  Deno.test(`toCompact() keeps ${text} as it is written`, () => {
    assertEquals(toCompact(read(text)), text.replace(/([:,]) /g, "$1"));
  });
}

Deno.test("toPretty() lays out one member to a line", () => {
  assertEquals(
    toPretty(read('{"a":[1, 2.0],"b":{ },"c":[\n],"d":{"e":null}}')),
    '{\n  "a": [\n    1,\n    2.0\n  ],\n  "b": {},\n  "c": [],\n  "d": {\n    "e": null\n  }\n}',
  );
});

Deno.test("readJson() reads what JSON.parse reads, and toPretty() and toCompact() change only blanks", () => {
  fc.assert(fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (text, indent) => {
    const spaced = JSON.stringify(JSON.parse(text), null, indent);
    const json = read(spaced);
    assertEquals(toCompact(json), JSON.stringify(JSON.parse(text)));
    assertEquals(toPretty(json), JSON.stringify(JSON.parse(text), null, 2));
  }));
});

Deno.test("readJson() refuses what JSON.parse refuses, whatever is taken out or put in", () => {
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

const FAULTS = [
  { input: "", expected: "Line 1, column 1: The text ends too early" },
  { input: '{"a": 1,}', expected: "Line 1, column 9: Expected a member's name in double quotes" },
  { input: "[1\n 2]", expected: 'Line 2, column 2: Expected "," or "]"' },
  { input: "[1,]", expected: "Line 1, column 4: Expected a value" },
  { input: '{"a" 1}', expected: 'Line 1, column 6: Expected ":" behind the name' },
  {
    input: '["a\nb"]',
    expected: "Line 1, column 4: A control character has to be escaped in a string",
  },
  { input: '"\\x"', expected: "Line 1, column 2: There is no such escape" },
  { input: '"a', expected: "Line 1, column 1: The string has no end" },
  { input: "1 2", expected: "Line 1, column 3: Nothing may follow behind the value" },
  { input: "1,2", expected: "Line 1, column 2: Nothing may follow behind the value" },
  { input: "01", expected: "Line 1, column 2: Nothing may follow behind the value" },
];
for (const { input, expected } of FAULTS) {
  Deno.test(`findJsonFault() says where ${JSON.stringify(input)} is wrong`, () => {
    assertEquals(findJsonFault(input), expected);
  });
}

Deno.test("findJsonFault() finds nothing in JSON, however deep", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  assertEquals(findJsonFault(deep), undefined);
});

Deno.test("readJson() gives up on more lines than are asked for", () => {
  assertEquals(readJson("[1,2,3]", 3).type, "too_long");
  assertEquals(readJson("[1,2,3]", 5).type, "json");
});

Deno.test("createFolding() hides what is inside, and finds lines again", () => {
  const json = read('{"a":[1,2],"b":{"c":3}}');
  const folding = createFolding(json);
  assertEquals(folding.count, json.lines.length);
  folding.set(1, true);
  const seen = (): string[] =>
    Array.from({ length: folding.count }, (_, row) => {
      const line = folding.lineAt(row);
      return toParts(json, line, folding.isFolded(line)).map(({ text }) => text).join("");
    });
  assertEquals(seen(), ["{", '"a": [ 2 ],', '"b": {', '"c": 3', "}", "}"]);
  assertEquals(folding.rowOf(2), 1, "a line that is folded away is where its opening line is");
  assertEquals(folding.rowOf(5), 2);
  folding.setAll(true);
  assertEquals(seen(), ["{", '"a": [ 2 ],', '"b": { 1 }', "}"]);
  folding.setAll(false);
  assertEquals(folding.count, json.lines.length);
});

Deno.test("createFolding() folds no line that opens nothing", () => {
  const folding = createFolding(read("[1]"));
  folding.set(1, true);
  assert(!folding.isFolded(1));
});
