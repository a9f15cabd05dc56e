import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isPlainFrame, isRequestFrame } from "../../src/dialect/accept.ts";
import { plainFrameSchema, requestSchema } from "../../src/dialect/schema.ts";

const REQUEST = { type: "request", id: 1, url: "http://a.example/" };
const NAMES = Object.keys(requestSchema.def.innerType.shape);

const values = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    ...["request", "GET", "http://a.example/", "events", "lines", "follow", "YQ==", ""],
    ...[0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1.5, -0, -1, true, false, null],
    ...[[["a", "b"]], { a: "b" }, { a: [1, true, "c"] }, [["a"]], { a: null }],
  ),
);
/** Frames that are right, made wrong in some places. */
function framesOf(
  right: readonly Record<string, unknown>[],
  names: readonly string[],
): fc.Arbitrary<Record<string, unknown>> {
  return fc.tuple(
    fc.constantFrom(...right),
    fc.dictionary(fc.constantFrom(...names, "__proto__", "constructor", "other"), values, {
      maxKeys: 4,
    }),
    fc.subarray([...names], { maxLength: 2 }),
  ).map(([frame, members, missing]): Record<string, unknown> => {
    const merged = JSON.parse(JSON.stringify({ ...frame, ...members }));
    for (const name of missing) delete merged[name];
    return merged;
  });
}

const CASES = [
  {
    name: "isRequestFrame()",
    take: isRequestFrame,
    schema: requestSchema,
    frames: framesOf([{}, REQUEST, { type: "request", id: 1, upstream: "a", path: "/" }, {
      ...REQUEST,
      stream: true,
    }], NAMES),
  },
  {
    name: "isPlainFrame()",
    take: isPlainFrame,
    schema: plainFrameSchema,
    frames: framesOf(
      [{}, { url: "http://a.example/", method: "GET" }],
      ["url", "method", "data", "headers", "id"],
    ),
  },
];

for (const { name, take, schema, frames } of CASES) {
  Deno.test(`${name} takes what the schema takes, and nothing else`, () => {
    let taken = 0;
    fc.assert(
      fc.property(frames, (frame) => {
        const { success } = schema.safeParse(frame);
        assertEquals(take(frame), success);
        if (success) taken++;
      }),
      { numRuns: 5000 },
    );
    assertEquals(taken > 100, true);
  });
}
