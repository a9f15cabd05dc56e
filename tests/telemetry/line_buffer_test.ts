import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createLineBuffer, type LineBuffer } from "../../src/telemetry/line_buffer.ts";

const encoder = new TextEncoder();

/** What waits, as text. */
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

for (const name of ["number", "thousandths"] as const) {
  Deno.test(`${name}() takes every number as JSON has it`, () => {
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

Deno.test("string() takes every text as JSON has it", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", "\x7f"),
  );
  fc.assert(
    fc.property(fc.array(texts), (values) => {
      const lines = createLineBuffer();
      for (const value of values) lines.string(value);
      assertEquals(textOf(lines), values.map((value) => JSON.stringify(value)).join(""));
    }),
  );
});

Deno.test("a buffer keeps every byte until it is shifted, however many come and go", () => {
  const sizes = fc.oneof(fc.nat(300), fc.nat(300_000));
  const steps = fc.array(
    fc.record({ size: sizes, how: fc.constantFrom("bytes", "few", "text", "string", "shift") }),
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
        } else if (how === "bytes" || how === "few") {
          lines[how](encoder.encode(text));
          expected += text;
        } else {
          lines[how](text);
          expected += how === "string" ? `"${text}"` : text;
        }
        assertEquals(lines.length, expected.length);
      }
      assertEquals(textOf(lines) === expected, true);
    }),
    { numRuns: 200 },
  );
});
