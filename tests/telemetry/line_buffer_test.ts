import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createLineBuffer, type LineBuffer } from "../../src/telemetry/line_buffer.ts";

const encoder = new TextEncoder();

/** Returns the waiting bytes as text. */
function textOf(lines: LineBuffer): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(lines.waiting());
}

const numbers = fc.oneof(
  fc.integer({ min: 0 }),
  fc.maxSafeInteger(),
  fc.nat().map((thousandths) => thousandths / 1000),
  fc.double(),
  fc.constantFrom(
    0,
    -0,
    9,
    10,
    99,
    100,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    0.0005,
    1e21,
    NaN,
    Infinity,
  ),
);

for (const name of ["jsonNumber", "jsonThousandths"] as const) {
  Deno.test(`${name}() appends every number as JSON`, () => {
    fc.assert(
      fc.property(fc.array(numbers), (values) => {
        const lines = createLineBuffer();
        for (const value of values) lines[name](value);
        assertEquals(textOf(lines), values.map((value) => JSON.stringify(value)).join(""));
      }),
      { numRuns: 500 },
    );
  });
}

Deno.test("jsonString() appends every text as JSON", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", "\x7f"),
  );
  fc.assert(
    fc.property(fc.array(texts), (values) => {
      const lines = createLineBuffer();
      for (const value of values) lines.jsonString(value);
      assertEquals(textOf(lines), values.map((value) => JSON.stringify(value)).join(""));
    }),
  );
});

Deno.test("createLineBuffer() keeps every byte until it is removed by shift()", () => {
  const sizes = fc.oneof(fc.nat(300), fc.nat(300_000));
  const steps = fc.array(
    fc.record({
      size: sizes,
      how: fc.constantFrom("bytes", "shortBytes", "text", "jsonString", "shift"),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const lines = createLineBuffer();
      let expected = "";
      for (const [index, { size, how }] of steps.entries()) {
        const text = String.fromCharCode(0x61 + index % 26).repeat(size);
        if (how === "shift") {
          const length = Math.min(size, expected.length);
          lines.shift(length);
          expected = expected.slice(length);
        } else if (how === "bytes" || how === "shortBytes") {
          lines[how](encoder.encode(text));
          expected += text;
        } else {
          lines[how](text);
          expected += how === "jsonString" ? `"${text}"` : text;
        }
        assertEquals(lines.length, expected.length);
      }
      assertEquals(textOf(lines) === expected, true);
    }),
    { numRuns: 200 },
  );
});
