import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Incoming } from "../../src/dialect/dialect.ts";
import { parseFrameText, parseMember } from "../../src/dialect/long_frame.ts";
import { plain } from "../../src/dialect/plain.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import { sliceMember } from "../../src/protocol/verbatim.ts";

const SHORT_LENGTH = 16_384;
const PADDING = " ".repeat(SHORT_LENGTH);
const MAX_VALUES = 10_000;

function parse(text: string): { readonly value?: unknown } {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return {};
  }
}

function requestOf(incoming: Incoming): ProxyRequest {
  if (incoming.type === "request") return incoming.request;
  throw new TypeError(`A frame of type ${incoming.type}`);
}

function withoutBody(value: unknown): unknown {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? { ...value, json: undefined } : value;
}

/** Checks that a long text is parsed like a short one, but for its body. */
function compare(text: string): void {
  const expected = parse(text);
  if (!("value" in expected)) {
    assertThrows(() => parseFrameText(text, "json"), SyntaxError);
    return;
  }
  const value = parseFrameText(text, "json");
  assertEquals(withoutBody(value), withoutBody(expected.value), text.trim());
  const json = sliceMember(text, "json");
  if (json === undefined) return;
  assertEquals(parseMember(text, "json", undefined), JSON.parse(json));
}

const INSERTED = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "x",
  "\u00a0",
  '"json":',
  '"json":[1]',
  "[",
  "\\u12",
];
const frames = fc.record({ id: fc.jsonValue(), json: fc.jsonValue(), text: fc.string() }, {
  requiredKeys: [],
});
const edits = fc.record({
  at: fc.nat(),
  removed: fc.nat(2),
  inserted: fc.constantFrom("", ...INSERTED),
});

Deno.test("parseFrameText() accepts what JSON.parse() accepts, and returns the same but for the body", () => {
  fc.assert(
    fc.property(
      frames,
      fc.constantFrom(undefined, 1),
      fc.array(edits, { maxLength: 2 }),
      (frame, space, changes) => {
        let text = JSON.stringify(frame, null, space);
        for (const { at, removed, inserted } of changes) {
          const position = at % (text.length + 1);
          text = text.slice(0, position) + inserted + text.slice(position + removed);
        }
        compare(PADDING + text);
        compare(text + PADDING);
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("parseFrameText() ends for every text of few signs", () => {
  const signs = ['"', "\\", "{", "}", "[", ",", ":", '"json"'];
  const texts = fc.array(fc.constantFrom(...signs), { maxLength: 9 }).map((parts) =>
    parts.join("")
  );
  fc.assert(fc.property(texts, (text) => compare(PADDING + text)), { numRuns: 20_000 });
});

Deno.test("parseFrameText() builds no values of a long body", () => {
  const json = `[${"[],".repeat(SHORT_LENGTH)}0]`;
  for (
    const [body, expected] of [[json, []], [` {"a":${json}}`, {}], [
      `"${PADDING}"`,
      PADDING,
    ]] as const
  ) {
    assertEquals(parseFrameText(`{"id":1,"json":${body}}`, "json"), { id: 1, json: expected });
  }
});

Deno.test("parseFrameText() refuses more than 10,000 values outside the body", () => {
  const text = (count: number): string =>
    `{"json":${"[".repeat(MAX_VALUES)}${"]".repeat(MAX_VALUES)},"a":[0${
      ",0".repeat(count)
    }]${PADDING}}`;
  assertEquals(parseFrameText(text(MAX_VALUES - 4), "json"), {
    json: [],
    a: Array.from({ length: MAX_VALUES - 3 }, () => 0),
  });
  assertThrows(() => parseFrameText(text(MAX_VALUES - 3), "json"), ProxyError, "10000 values");
});

Deno.test("decode() takes a long body byte for byte, however deep, in each dialect", () => {
  const depth = 100_000;
  for (
    const json of [
      `[1.0, {"a":1,"a":2}, "\\u00e9é"${",[]".repeat(depth)}]`,
      "[".repeat(depth) + "]".repeat(depth),
    ]
  ) {
    const members = `"id":1,"url":"http://a.example/","method":"POST"`;
    const requests = [
      v1.decode(`{"type":"request",${members},"json": ${json} }`),
      plain.decode(`{"data":${json},${members}}`),
    ];
    for (const incoming of requests) {
      const { body } = requestOf(incoming);
      assertEquals(new TextDecoder().decode(body ?? undefined), json);
    }
  }
});

Deno.test("decode() appends long data of a GET to the query, in the plain dialect", () => {
  const value = "\\u0061".repeat(SHORT_LENGTH / 2);
  const incoming = plain.decode(
    `{"url":"http://a.example/","method":"GET","data":{"q":"${value}"}}`,
  );
  const { target } = requestOf(incoming);
  assertEquals("search" in target && target.search, `?q=${"a".repeat(SHORT_LENGTH / 2)}`);
  const many = plain.decode(
    `{"url":"http://a.example/","method":"GET","data":{${'"a":[],'.repeat(MAX_VALUES)}"b":1}}`,
  );
  assert(many.type === "invalid" && many.error.code === "bad_frame");
});

Deno.test("decode() refuses a long frame that is no JSON object, or whose body is no JSON", () => {
  for (
    const text of [
      `[${PADDING}]`,
      `{"json":[1,]${PADDING}}`,
      `{"json":[1]]${PADDING}}`,
      `${PADDING}`,
    ]
  ) {
    const incoming = v1.decode(text);
    assert(incoming.type === "invalid" && incoming.error.code === "bad_frame");
  }
});
