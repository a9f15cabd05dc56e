import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeResponse, encodeStreamedResponse } from "../../src/dialect/response_frame.ts";
import { decodeResponse, type HttpResponse, ProxyError } from "../../src/protocol/mod.ts";

const TIMING = { waitMs: 1.5, totalMs: 2 };
const OK: HttpResponse = {
  status: 200,
  statusText: "OK",
  url: "https://api.example.com/",
  redirected: false,
  headers: [["content-type", "application/json"]],
  body: null,
};
const JSON_TYPES = [
  "application/json",
  "text/json",
  "application/problem+json; charset=utf-8",
  " Application/JSON ;charset=utf-8",
  "image/svg+json",
];
const OTHER_TYPES = [
  "text/plain",
  "application/jsonp",
  "application/json-seq",
  "text/html; x=application/json",
  "application/octet-stream",
  "+json",
  "text/plain +json",
  "",
];

const signs = fc.string({
  unit: fc.nat(0x10ffff).map((code) => String.fromCodePoint(code).toWellFormed()),
});
const texts = fc.oneof(
  signs,
  fc.json(),
  fc.json().map((text) => `\r\n[1.0, ${text},12345678901234567890 ]\t \n`),
  fc.json().map((text) => `\ufeff${text}`),
  fc.constantFrom("", "\ufeff", "null", "{", '{"a":1,}', "{}{}", "[1]]", '"}', "1e400"),
);
const bodies = fc.oneof(
  fc.constant(null),
  fc.uint8Array(),
  texts.map((text) => new TextEncoder().encode(text)),
  texts.map((text) => Uint8Array.of(...new TextEncoder().encode(text), 0xff)),
);
const headers = fc.array(fc.tuple(
  fc.oneof(fc.string(), fc.constantFrom("set-cookie", "__proto__")),
  signs,
)).map((pairs) => pairs.filter(([name]) => name !== "content-type"));
const responses: fc.Arbitrary<HttpResponse> = fc.record({
  status: fc.integer({ min: 100, max: 599 }),
  statusText: signs,
  url: fc.webUrl(),
  redirected: fc.boolean(),
  headers: fc.tuple(headers, fc.constantFrom(...JSON_TYPES, ...OTHER_TYPES))
    .map(([headers, type]) => [...headers, ["content-type", type] as const]),
  body: bodies,
});
const times = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
const timings = fc.record({ waitMs: times, totalMs: times });

Deno.test("decodeResponse() gives what encodeResponse() was given", () => {
  fc.assert(
    fc.property(responses, timings, fc.integer({ min: 1 }), (response, timing, id) => {
      const text = encodeResponse(id, { response, timing });
      JSON.parse(text);
      const decoded = { id, response, timing, streamed: false };
      assertEquals(decodeResponse(text), decoded);
      assertEquals(decodeResponse(text, JSON.parse(text)), decoded);
      const asBytes = encodeResponse(id, { response, timing, asBytes: true });
      assertEquals(decodeResponse(asBytes), decoded);
      assertEquals("json" in JSON.parse(asBytes), false);
    }),
    { numRuns: 500 },
  );
});

const FORMS: readonly { name: string; type?: string; body: string | number[]; end: string }[] = [
  {
    name: "JSON as it came",
    body: ' {"b" : 1.0,\n"a":[12345678901234567890,1E400]}\r\n',
    end: ',"json": {"b" : 1.0,\n"a":[12345678901234567890,1E400]}\r\n}',
  },
  { name: "a last line feed", body: "1\n", end: ',"json":1\n}' },
  { name: "null", body: "null", end: ',"json":null}' },
  { name: "what is no JSON as text", body: '{"a":1,}', end: ',"text":"{\\"a\\":1,}"}' },
  { name: "an empty body as text", body: "", end: ',"text":""}' },
  { name: "a byte order mark as text", body: "\ufeff{}", end: ',"text":"\ufeff{}"}' },
  { name: "JSON of another type as text", type: "text/plain", body: "{}", end: ',"text":"{}"}' },
  { name: "what is not UTF-8 as base64", body: [0x22, 0xe9, 0x22], end: ',"base64":"Iuki"}' },
  { name: "an encoded surrogate as base64", body: [0xed, 0xa0, 0x80], end: ',"base64":"7aCA"}' },
];

for (const { name, type = "application/json", body, end } of FORMS) {
  Deno.test(`encodeResponse() writes ${name}`, () => {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
    const response: HttpResponse = { ...OK, headers: [["content-type", type]], body: bytes };
    const text = encodeResponse(1, { response, timing: TIMING });
    const head = encodeResponse(1, { response: { ...response, body: null }, timing: TIMING });
    assertEquals(text, `${head.slice(0, -1)}${end}`);
    assertEquals(decodeResponse(text).response.body, bytes);
  });
}

for (const [types, member] of [[JSON_TYPES, "json"], [OTHER_TYPES, "text"]] as const) {
  for (const type of types) {
    Deno.test(`encodeResponse() writes JSON of the type "${type}" as ${member}`, () => {
      const headers = [["content-type", type]] as const;
      const body = new TextEncoder().encode("1");
      const frame = JSON.parse(
        encodeResponse(1, { response: { ...OK, headers, body }, timing: TIMING }),
      );
      assertEquals(Object.keys(frame).at(-1), member);
    });
  }
}

Deno.test("encodeResponse() writes JSON as text, or as base64, for who wants bytes", () => {
  for (
    const [body, end] of [[[0x31], '"text":"1"}'], [[0x31, 0xff], '"base64":"Mf8="}']] as const
  ) {
    const response = { ...OK, body: Uint8Array.from(body) };
    const text = encodeResponse(1, { response, timing: TIMING, asBytes: true });
    assertEquals(text.endsWith(end), true);
  }
});

Deno.test("encodeResponse() and decodeResponse() do without base64 of the runtime's own", () => {
  const body = new Uint8Array(20_000).map((_, at) => 255 - at % 256);
  const { toBase64 } = Uint8Array.prototype;
  const { fromBase64 } = Uint8Array;
  const text = encodeResponse(1, { response: { ...OK, body }, timing: TIMING });
  try {
    Object.assign(Uint8Array.prototype, { toBase64: undefined });
    Object.assign(Uint8Array, { fromBase64: undefined });
    assertEquals(encodeResponse(1, { response: { ...OK, body }, timing: TIMING }), text);
    assertEquals(decodeResponse(text).response.body, body);
    assertRefused(JSON.stringify({ ...FRAME, base64: "*" }));
  } finally {
    Object.assign(Uint8Array.prototype, { toBase64 });
    Object.assign(Uint8Array, { fromBase64 });
  }
});

Deno.test("decodeResponse() gives what encodeStreamedResponse() was given, and says so", () => {
  fc.assert(fc.property(responses, timings, fc.integer({ min: 1 }), (response, timing, id) => {
    const text = encodeStreamedResponse(id, { head: response, timing });
    const decoded = { id, response: { ...response, body: null }, timing, streamed: true };
    assertEquals(decodeResponse(text), decoded);
    assertEquals(["json", "text", "base64"].some((member) => member in JSON.parse(text)), false);
  }));
});

Deno.test("encodeResponse() tells no body from an empty one", () => {
  const none = JSON.parse(encodeResponse(1, { response: OK, timing: TIMING }));
  assertEquals(["json", "text", "base64"].filter((member) => member in none), []);
  assertEquals(decodeResponse(JSON.stringify(none)).response.body, null);
  const empty = encodeResponse(1, { response: { ...OK, body: new Uint8Array() }, timing: TIMING });
  assertEquals(decodeResponse(empty).response.body, new Uint8Array());
});

const FRAME = JSON.parse(encodeResponse(1, { response: OK, timing: TIMING }));
const REFUSED: readonly object[] = [
  { type: "error" },
  { id: "1" },
  { status: null },
  { statusText: 1 },
  { url: {} },
  { redirected: 0 },
  { headers: { a: "b" } },
  { headers: [["a"]] },
  { headers: [["a", "b", "c"]] },
  { headers: [["a", 1]] },
  { headers: ["ab"] },
  { timing: null },
  { timing: [] },
  { timing: { waitMs: 1 } },
  { text: null },
  { base64: 1 },
  { stream: false },
  { stream: "events" },
  { base64: "*" },
];

for (const members of REFUSED) {
  Deno.test(`decodeResponse() refuses a frame with ${JSON.stringify(members)}`, () => {
    assertRefused(JSON.stringify({ ...FRAME, ...members }));
  });
}

for (const text of ["", "{", "null", "1", '"response"', "[]", "{}", '{"__proto__":{}}']) {
  Deno.test(`decodeResponse() refuses ${text || "nothing"}`, () => assertRefused(text));
}

Deno.test("decodeResponse() throws nothing but ProxyError, and gives what its types say", () => {
  const members = fc.dictionary(
    fc.constantFrom(...Object.keys(FRAME), "json", "text", "base64", "stream", "__proto__"),
    fc.jsonValue(),
  ).map((members) => JSON.stringify({ ...FRAME, ...members }));
  const cut = fc.tuple(responses, fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })).map(
    ([response, at, remove, insert]) => {
      const text = encodeResponse(1, { response, timing: TIMING });
      const start = at % text.length;
      return text.slice(0, start) + insert + text.slice(start + remove);
    },
  );
  const junk = fc.oneof(fc.string(), fc.json(), members, cut);
  fc.assert(
    fc.property(junk, (text) => {
      try {
        const { id, response: { status, headers, body }, timing, streamed } = decodeResponse(text);
        assertEquals(typeof streamed, "boolean");
        assertEquals([typeof id, typeof status, typeof timing.waitMs], Array(3).fill("number"));
        assert(headers.flat().every((part) => typeof part === "string"));
        assert(body === null || body instanceof Uint8Array);
      } catch (error) {
        assert(error instanceof ProxyError && error.code === "bad_frame", String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

function assertRefused(text: string): void {
  assertEquals(assertThrows(() => decodeResponse(text), ProxyError).code, "bad_frame");
}
