import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isJson, JsonCheck, MAX_JSON_DEPTH } from "../../src/dialect/json_check.ts";

const ENCODER = new TextEncoder();

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns what a check in steps of this size says. */
function checkInSteps(text: string, size: number): boolean | undefined {
  const bytes = ENCODER.encode(text);
  const check = new JsonCheck(bytes);
  for (let steps = 0; steps <= bytes.length; steps++) {
    const result = check.read(size);
    if (result !== undefined) return result;
  }
  return undefined;
}

/** Checks that both ways say the same as `JSON.parse`. */
function compare(text: string, size = 1): void {
  const expected = isParsed(text);
  assertEquals(
    [isJson(ENCODER.encode(text)), checkInSteps(text, size)],
    [expected, expected],
    text,
  );
}

const PARTS = [
  ...["[", "]", "{", "}", ",", ":", '"', "\\", "-", "+", ".", "e", "E", "0", "1", "9", "'", "/"],
  ...["true", "false", "null", "tru", "nul", "NaN", "Infinity", "undefined", "1.5e-3", "-0", "00"],
  ...['"k":', '"__proto__":1', '""', "\\n", "\\/", "\\u00e9", "\\ud800", "\\u12", "\\x", "\\U0041"],
  ...[
    " ",
    "\t",
    "\n",
    "\r",
    "\v",
    "\f",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "\u0000",
    "\u001f",
    "\u007f",
  ],
  ...["é", "日", "😀", "//", "/**/"],
];

Deno.test("isJson() says what JSON.parse() says: of any JSON, and of JSON with a change", () => {
  const edit = fc.record({
    at: fc.nat(),
    removed: fc.nat(3),
    inserted: fc.constantFrom("", ...PARTS),
  });
  const space = fc.constantFrom(undefined, 1, "\t");
  fc.assert(
    fc.property(
      fc.jsonValue(),
      space,
      edit,
      fc.integer({ min: 1, max: 9 }),
      (value, blank, change, size) => {
        const text = JSON.stringify(value, null, blank);
        compare(text, size);
        const at = change.at % (text.length + 1);
        const changed = text.slice(0, at) + change.inserted + text.slice(at + change.removed);
        compare(changed.toWellFormed(), size);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("isJson() says what JSON.parse() says: of any parts of JSON", () => {
  const text = fc.array(fc.constantFrom(...PARTS), { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 9 }), compare), { numRuns: 10_000 });
});

Deno.test("isJson() says what JSON.parse() says: of every pair of parts, within a list and an object", () => {
  for (const first of ["", ...PARTS]) {
    for (const second of PARTS) {
      const part = first + second;
      for (const text of [part, `[${part}]`, `{"a":${part}}`, `{${part}}`, `"${part}"`]) {
        compare(text);
      }
    }
  }
});

Deno.test("isJson() accepts numbers as JSON writes them, and no others", () => {
  const digits = ["", "0", "1", "01", "10", "-", "-0", "-1", "--1", "+1", "a1"];
  for (const integer of digits) {
    for (const fraction of ["", ".", ".0", ".12", "..1", ".e1"]) {
      for (const exponent of ["", "e", "E5", "e+5", "e-05", "e+", "e1.5", "e1e1"]) {
        compare(integer + fraction + exponent);
        compare(`[${integer}${fraction}${exponent} ]`);
      }
    }
  }
});

Deno.test("isJson() accepts 10,000 levels of lists and objects, however they alternate, and no more", () => {
  assertEquals(MAX_JSON_DEPTH, 10_000);
  const nest = (depth: number, isObject: (level: number) => boolean): string => {
    const levels = Array.from({ length: depth }, (_, level) => isObject(level));
    const opening = levels.map((object) => object ? '{"a":' : "[").join("");
    return `${opening}1${levels.map((object) => object ? "}" : "]").toReversed().join("")}`;
  };
  for (const isObject of [() => false, () => true, (level: number) => level % 3 === 1]) {
    for (const depth of [31, 32, 33, 63, 64, 65, 1025, MAX_JSON_DEPTH]) {
      const text = nest(depth, isObject);
      assertEquals([isJson(ENCODER.encode(text)), checkInSteps(text, 7)], [true, true], `${depth}`);
      const crossed = text.slice(0, -1) + (text.endsWith("}") ? "]" : "}");
      assertEquals(isJson(ENCODER.encode(crossed)), false, `${depth}`);
    }
    const deeper = nest(MAX_JSON_DEPTH + 1, isObject);
    assertEquals([isJson(ENCODER.encode(deeper)), checkInSteps(deeper, 7)], [false, false]);
  }
});

Deno.test("read() reads as much as it is asked to, and tells as soon as it knows", () => {
  const check = new JsonCheck(ENCODER.encode(`"${"x".repeat(100)}\u0001`));
  assertEquals([check.read(50), check.read(50), check.read(50)], [undefined, undefined, false]);
  const digits = new JsonCheck(ENCODER.encode("1".repeat(100)));
  assertEquals([digits.read(99), digits.read(1)], [undefined, true]);
  const blanks = new JsonCheck(ENCODER.encode(`${" ".repeat(99)}1`));
  assertEquals([blanks.read(99), blanks.read(1)], [undefined, true]);
});
