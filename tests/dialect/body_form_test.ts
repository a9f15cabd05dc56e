import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import fc from "fast-check";
import {
  formBody,
  formBodyInSteps,
  joinInSteps,
  type LongBodyForm,
} from "../../src/dialect/body_form.ts";
import { plain } from "../../src/dialect/plain.ts";
import { v1 } from "../../src/dialect/v1.ts";

const ENCODER = new TextEncoder();
const STEP_BYTES = 196_608;
const JSON_TYPE = "application/json";

/** Returns the result of all steps, and how often they yielded. */
function finish<Result>(steps: Generator<undefined, Result>): { result: Result; yields: number } {
  for (let yields = 0;; yields++) {
    const { done, value } = steps.next();
    if (done === true) return { result: value, yields };
  }
}

function join({ kind, pieces }: LongBodyForm): { readonly kind: string; readonly value: string } {
  return { kind, value: pieces.join("") };
}

/** Bodies around the end of the first step, and of the second. */
const LENGTHS = [1, STEP_BYTES - 4, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 2 * STEP_BYTES + 2];
const FILLINGS = [
  { name: "text", bytes: ENCODER.encode("x") },
  { name: "text that is escaped", bytes: ENCODER.encode('"\\\u0001\n') },
  { name: "characters of two bytes", bytes: ENCODER.encode("é") },
  { name: "characters of three bytes", bytes: ENCODER.encode("日") },
  { name: "characters of four bytes", bytes: ENCODER.encode("😀") },
  { name: "replacement characters", bytes: ENCODER.encode("\ufffd") },
  { name: "continuation bytes", bytes: new Uint8Array([0x80]) },
  { name: "bytes that are no UTF-8", bytes: new Uint8Array([0xff, 0xc3]) },
  { name: "surrogates", bytes: new Uint8Array([0xed, 0xa0, 0x80]) },
];

for (const { name, bytes: filling } of FILLINGS) {
  Deno.test(`formBodyInSteps() returns what formBody() returns, for ${name}`, () => {
    for (const length of LENGTHS) {
      for (const start of ["", "a", "ab", "abc", "\ufeff"]) {
        const repeated = Array.from({ length: Math.ceil(length / filling.length) }, () => filling);
        const bytes = concat([ENCODER.encode(start), ...repeated]);
        for (const end of [bytes.length, bytes.length - 1]) {
          const body = { bytes: bytes.subarray(0, end), contentType: JSON_TYPE };
          assertEquals(
            join(finish(formBodyInSteps(body)).result),
            formBody(body),
            `${start}${length}`,
          );
        }
      }
    }
  });
}

Deno.test("formBodyInSteps() returns what formBody() returns, wherever a long body is not UTF-8", () => {
  const bytes = ENCODER.encode("日".repeat(STEP_BYTES));
  for (const at of [0, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, bytes.length - 1]) {
    const broken = bytes.slice();
    broken[at] = 0x20;
    const body = { bytes: broken, contentType: "text/plain" };
    const expected = { kind: "base64", value: `"${broken.toBase64()}"` };
    assertEquals(join(finish(formBodyInSteps(body)).result), expected);
    assertEquals(formBody(body), expected);
  }
});

const LONG = [
  { text: `[${"1,".repeat(STEP_BYTES)}1]`, kind: "json" },
  { text: `[${"1,".repeat(STEP_BYTES)}1`, kind: "text" },
  { text: `"${"\\u00e9".repeat(STEP_BYTES / 4)}"`, kind: "json" },
  { text: `"${"\\u00e9".repeat(STEP_BYTES / 4)}\\"`, kind: "text" },
  { text: `{"a":"${"x".repeat(STEP_BYTES)}","a":"${"日".repeat(STEP_BYTES)}"}`, kind: "json" },
] as const;

for (const { text, kind } of LONG) {
  const name = `${text.slice(0, 9)}…${text.slice(-3)}`;
  Deno.test(`formBodyInSteps() sends ${name} as ${kind}, as formBody() does`, () => {
    for (const contentType of [JSON_TYPE, "text/plain", undefined]) {
      const body = { bytes: ENCODER.encode(text), contentType };
      const form = join(finish(formBodyInSteps(body)).result);
      assertEquals(form, formBody(body));
      assertEquals(form.kind, contentType === JSON_TYPE ? kind : "text");
    }
  });
}

Deno.test("formBody() sends a long text that would be more than twice as long as base64", () => {
  const MIB = 1_048_576;
  for (
    const { bytes, kind } of [
      { bytes: new Uint8Array(65_536).fill(1), kind: "text" },
      { bytes: new Uint8Array(65_537).fill(1), kind: "base64" },
      { bytes: new Uint8Array(MIB).fill(0x22), kind: "text" }, // quotes
      { bytes: new Uint8Array(MIB).fill(0x78).fill(1, 0, MIB / 5), kind: "text" },
      { bytes: new Uint8Array(MIB).fill(0x78).fill(1, MIB * 4 / 5 - 1), kind: "base64" },
    ]
  ) {
    const body = { bytes, contentType: "text/plain" };
    const form = formBody(body);
    assertEquals(form.kind, kind);
    assert(form.value.length <= Math.max(2 + 2 * bytes.length, 6 * 65_536 + 2));
    assertEquals(join(finish(formBodyInSteps(body)).result), form);
    if (kind === "base64") assertEquals(form.value, `"${bytes.toBase64()}"`);
  }
});

Deno.test("formBodyInSteps() reads 192 KiB in a step", () => {
  const bytes = new Uint8Array(10 * STEP_BYTES).fill(0x31);
  for (const [contentType, yields] of [[JSON_TYPE, 20], ["text/plain", 10]] as const) {
    assertEquals(finish(formBodyInSteps({ bytes, contentType })).yields, yields);
  }
  bytes[0] = 0xff; // the first step shows that it is no text
  assertEquals(finish(formBodyInSteps({ bytes, contentType: undefined })).yields, 11);
});

Deno.test("formBody() sends JSON that is nested too deep as text", () => {
  const text = `${"[".repeat(10_001)}${"]".repeat(10_001)}`;
  const body = { bytes: ENCODER.encode(text), contentType: JSON_TYPE };
  assertEquals(formBody(body), { kind: "text", value: `"${text}"` });
  assertEquals(formBody({ ...body, bytes: body.bytes.subarray(1, -1) }).kind, "json");
});

Deno.test("joinInSteps() yields before the text is sent, too", () => {
  assertEquals(finish(joinInSteps(["a", "b"])), { result: "ab", yields: 2 });
});

for (const dialect of [v1, plain]) {
  Deno.test(`${dialect.name}.encodeLongResponse() writes what encodeResponse() writes`, () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.json().map((text) => ENCODER.encode(text)),
      fc.constant(null),
    );
    const type = fc.constantFrom(JSON_TYPE, "text/plain");
    fc.assert(fc.property(body, type, fc.boolean(), (bytes, contentType, asBytes) => {
      const response = {
        status: 200,
        statusText: "OK",
        url: "http://a.example/",
        redirected: false,
        headers: [["content-type", contentType]] as const,
        body: bytes && new Uint8Array(bytes),
      };
      const whole = { response, timing: { waitMs: 1, totalMs: 2 }, asBytes, requestId: "c-1" };
      const text = dialect.encodeResponse(7, whole);
      assertEquals(finish(dialect.encodeLongResponse(7, whole)).result, text);
      assert(typeof JSON.parse(text) === "object");
    }));
  });
}
