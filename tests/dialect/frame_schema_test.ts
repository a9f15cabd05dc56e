import { assertEquals } from "@std/assert";
import { type FrameMembers, FrameSchema } from "../../src/dialect/frame_schema.ts";
import { optionalMember, requiredMember } from "../../src/dialect/member.ts";
import { onlyWith } from "../../src/dialect/rules.ts";
import { integerValue, oneOfValues, stringValue } from "../../src/dialect/value_check.ts";

interface Sample {
  readonly type: "sample";
  readonly size: number;
  readonly mode?: "a" | "b";
}

const type = requiredMember(oneOfValues("sample"), "");
const size = requiredMember(integerValue(1, 3), "");
const mode = optionalMember(oneOfValues("a", "b"), "");

Deno.test("FrameMembers are exactly the members of the type", () => {
  const right: FrameMembers<Sample> = { type, size, mode };
  const wrong: readonly FrameMembers<Sample>[] = [
    // @ts-expect-error -- a member is missing
    { type, size },
    // @ts-expect-error -- a member is unknown
    { type, size, mode, other: mode },
    // @ts-expect-error -- a value has another type
    { type, size: requiredMember(stringValue(), ""), mode },
    // @ts-expect-error -- a value is missing
    { type, size, mode: optionalMember(oneOfValues("a"), "") },
    // @ts-expect-error -- a value is too many
    { type, size, mode: optionalMember(oneOfValues("a", "b", "c"), "") },
    // @ts-expect-error -- an optional member is required
    { type, size, mode: requiredMember(oneOfValues("a", "b"), "") },
    // @ts-expect-error -- a required member is optional
    { type, size: optionalMember(integerValue(1, 3), ""), mode },
  ];
  assertEquals([right, ...wrong].length, 8);
});

Deno.test("FrameSchema() takes rules about members of the frame only", () => {
  const schema = new FrameSchema<Sample>("", { type, size, mode }, [onlyWith("mode", "type", "b")]);
  // @ts-expect-error -- there is no such member
  const other = new FrameSchema<Sample>("", { type, size, mode }, [onlyWith("mood", "type", "b")]);
  assertEquals([schema, other].map(({ rules }) => rules.length), [1, 1]);
});

const SCHEMA = new FrameSchema<Sample>("", { type, size, mode }, [onlyWith("mode", "size", true)]);

const CASES: readonly { json: string; expected: string }[] = [
  { json: '{"size":3,"type":"sample"}', expected: "" },
  { json: '{"type":"sample","size":4}', expected: '"size" must be an integer from 1 to 3' },
  { json: "{}", expected: '"type" is missing; "size" is missing' },
  {
    json: '{"type":"b","mode":"c"}',
    expected: '"type" must be "sample"; "size" is missing; "mode" must be "a" or "b"',
  },
  { json: '{"type":"sample","size":1,"mode":"a"}', expected: '"mode" requires "size": true' },
  {
    json: '{"type":"sample","size":1,"toString":1,"__proto__":{"size":9}}',
    expected: '"toString", "__proto__" are not members of this frame',
  },
  {
    json: '{"__proto__":{"type":"sample","size":1}}',
    expected: '"type" is missing; "size" is missing; "__proto__" is not a member of this frame',
  },
];

for (const { json, expected } of CASES) {
  Deno.test(`FrameSchema.describe() says of ${json}: ${expected || "nothing"}`, () => {
    const value = JSON.parse(json);
    assertEquals([SCHEMA.accepts(value), SCHEMA.describe(value)], [expected === "", expected]);
  });
}
