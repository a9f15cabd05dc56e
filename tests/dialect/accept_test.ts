import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isRequestFrame } from "../../src/dialect/accept.ts";
import { requestSchema } from "../../src/dialect/schema.ts";

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
const frames = fc.tuple(
  fc.constantFrom({}, REQUEST, { type: "request", id: 1, upstream: "a", path: "/" }, {
    ...REQUEST,
    stream: true,
  }),
  fc.dictionary(fc.constantFrom(...NAMES, "__proto__", "constructor", "other"), values, {
    maxKeys: 4,
  }),
  fc.subarray(NAMES, { maxLength: 2 }),
).map(([frame, members, missing]): Record<string, unknown> => {
  const merged = JSON.parse(JSON.stringify({ ...frame, ...members }));
  for (const name of missing) delete merged[name];
  return merged;
});

Deno.test("isRequestFrame() takes what the schema takes, and nothing else", () => {
  let taken = 0;
  fc.assert(
    fc.property(frames, (frame) => {
      const { success } = requestSchema.safeParse(frame);
      assertEquals(isRequestFrame(frame), success);
      if (success) taken++;
    }),
    { numRuns: 5000 },
  );
  assertEquals(taken > 100, true);
});
