import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { PLAIN_FRAME } from "../../src/dialect/plain_frame.ts";
import { changed } from "./frames.ts";

const TOKEN = "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";

const CASES: readonly { frame: object; expected: string }[] = [
  { frame: { url: "", method: "A" }, expected: "" },
  { frame: { url: "", method: "A", headers: [], data: null, id: "" }, expected: "" },
  { frame: { url: "", method: "A", headers: {}, data: [1], id: 1.5 }, expected: "" },
  { frame: {}, expected: '"url" is missing; "method" is missing' },
  { frame: { url: 1, method: "" }, expected: `"url" must be a string; "method" ${TOKEN}` },
  { frame: { url: "", method: "A", id: null }, expected: '"id" must be a string or a number' },
  { frame: { url: "", method: "A", json: 1 }, expected: '"json" is not a member of this frame' },
];

for (const { frame, expected } of CASES) {
  const says = expected === "" ? "accepts" : "says what is wrong with";
  Deno.test(`PLAIN_FRAME ${says} ${JSON.stringify(frame)}`, () => {
    const value = { ...frame };
    assertEquals([PLAIN_FRAME.accepts(value), PLAIN_FRAME.describe(value)], [
      expected === "",
      expected,
    ]);
  });
}

Deno.test("PLAIN_FRAME accepts exactly the frames with which nothing is wrong", () => {
  const frames = changed(
    [{}, { url: "http://a.example/", method: "GET" }],
    Object.keys(PLAIN_FRAME.members),
  );
  let accepted = 0;
  fc.assert(
    fc.property(frames, (frame) => {
      const isValid = PLAIN_FRAME.accepts(frame);
      assertEquals(PLAIN_FRAME.describe(frame) === "", isValid);
      if (isValid) accepted++;
    }),
    { numRuns: 5000 },
  );
  assertEquals(accepted > 100, true);
});
