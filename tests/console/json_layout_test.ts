import { assert, assertEquals } from "@std/assert";
import {
  createFolding,
  findJsonProblem,
  toCompact,
  toParts,
  toPretty,
} from "../../src/console/json_layout.ts";
import { type JsonDocument, readJson } from "../../src/console/json_text.ts";

function read(text: string): JsonDocument {
  const json = readJson(text);
  if (json.type !== "json") throw new Error(`${text} is not JSON`);
  return json;
}

const UNCHANGED = [
  "12345678901234567890",
  "1.0",
  "-0",
  "1e400",
  '"\\u0041\\/"',
  '{"a": 1.50, "a": 2}',
];
for (const text of UNCHANGED) {
  Deno.test(`toCompact() keeps the notation of ${text}`, () => {
    assertEquals(toCompact(read(text)), text.replace(/([:,]) /g, "$1"));
  });
}

Deno.test("toPretty() puts each member on a line", () => {
  assertEquals(
    toPretty(read('{"a":[1, 2.0],"b":{ },"c":[\n],"d":{"e":null}}')),
    '{\n  "a": [\n    1,\n    2.0\n  ],\n  "b": {},\n  "c": [],\n  "d": {\n    "e": null\n  }\n}',
  );
});

const ERRORS = [
  { input: "", expected: "Line 1, column 1: Unexpected end of the text" },
  { input: '{"a": 1,}', expected: "Line 1, column 9: Expected a member name in double quotes" },
  { input: "[1\n 2]", expected: 'Line 2, column 2: Expected "," or "]"' },
  { input: "[1,]", expected: "Line 1, column 4: Expected a value" },
  { input: '{"a" 1}', expected: 'Line 1, column 6: Expected ":" after the name' },
  {
    input: '["a\nb"]',
    expected: "Line 1, column 4: Control characters in strings must be escaped",
  },
  { input: '"\\x"', expected: "Line 1, column 2: Invalid escape sequence" },
  { input: '"a', expected: "Line 1, column 1: Unterminated string" },
  { input: "1 2", expected: "Line 1, column 3: Unexpected text after the value" },
  { input: "1,2", expected: "Line 1, column 2: Unexpected text after the value" },
  { input: "01", expected: "Line 1, column 2: Unexpected text after the value" },
];
for (const { input, expected } of ERRORS) {
  Deno.test(`findJsonProblem() locates the error in ${JSON.stringify(input)}`, () => {
    assertEquals(findJsonProblem(input), expected);
  });
}

Deno.test("findJsonProblem() finds no error in deeply nested JSON", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  assertEquals(findJsonProblem(deep), undefined);
});

Deno.test("createFolding() hides folded lines and maps rows to lines", () => {
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
  assertEquals(folding.rowOf(2), 1, "a hidden line is in the row of its folded line");
  assertEquals(folding.rowOf(5), 2);
  folding.setAll(true);
  assertEquals(seen(), ["{", '"a": [ 2 ],', '"b": { 1 }', "}"]);
  folding.setAll(false);
  assertEquals(folding.count, json.lines.length);
});

Deno.test("createFolding() does not fold a line that is not of type open", () => {
  const folding = createFolding(read("[1]"));
  folding.set(1, true);
  assert(!folding.isFolded(1));
});
