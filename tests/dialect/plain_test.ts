import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { plain } from "../../src/dialect/plain.ts";
import {
  type ErrorCode,
  type HttpResponse,
  ProxyError,
  type WholeResponse,
} from "../../src/protocol/mod.ts";
import type { Frame } from "../helpers/client.ts";

const TIMING = { waitMs: 1, totalMs: 2 };
const HEAD = { status: 200, statusText: "OK", url: "http://x/", redirected: false };

Deno.test("plain.decode() gives the request that a frame describes", () => {
  const text = '{"url":"http://x/","method":"put","headers":{"a":"b"},"data":{"c" : 1.0},"id":"d"}';
  assertEquals(plain.decode(text), {
    type: "request",
    id: '"d"',
    request: {
      method: "PUT",
      target: new URL("http://x/"),
      headers: [["a", "b"], ["content-type", "application/json"]],
      body: utf8('{"c" : 1.0}'),
      redirect: "follow",
      stream: false,
      decode: true,
      bodyFollows: false,
    },
  });
});

for (const method of ["GET", "HEAD", "get"]) {
  for (
    const [data, query] of [
      ['{"b":"c d","e":1.5,"f":true}', "?a=1&b=c+d&e=1.5&f=true"],
      ['{"b":["c",2,false],"d":[]}', "?a=1&b=c&b=2&b=false"],
      ['{"a":"&=#"}', "?a=1&a=%26%3D%23"],
      ["{}", "?a=1"],
      ["null", "?a=1"],
    ]
  ) {
    Deno.test(`plain.decode() appends data ${data} to the query of ${method}`, () => {
      const { request } = decode(`{"url":"http://x/?a=1#b","method":"${method}","data":${data}}`);
      assertEquals([request.target.href, request.body], [`http://x/${query}#b`, null]);
    });
  }
  for (const data of ['"a=b"', '""', "[]", "0", '{"a":null}', '{"a":[[]]}']) {
    Deno.test(`plain.decode() refuses data ${data} with ${method}`, () => {
      const { error } = decode(`{"url":"http://x/","method":"${method}","data":${data}}`);
      assertEquals(error.code, "bad_request");
    });
  }
}

for (const data of ['{"b":1.0,"__proto__":12345678901234567890}', " [ 1e400]\n", "-0", "false"]) {
  Deno.test(`plain.decode() sends data ${data} as JSON, byte for byte`, () => {
    const { request } = decode(`{"method":"PUT","url":"http://x/?a","data":${data}}`);
    assertEquals([request.target.href, request.body], ["http://x/?a", utf8(data.trim())]);
    assertEquals(request.headers, [["content-type", "application/json"]]);
  });
}

Deno.test("plain.decode() leaves a content type that is given", () => {
  const text = '{"method":"PUT","url":"http://x/","data":{},"headers":{"Content-Type":"a/b"}}';
  assertEquals(decode(text).request.headers, [["Content-Type", "a/b"]]);
});

for (const [data, body] of [['"\\u00e9{}"', utf8("\u00e9{}")], ['""', utf8("")], ["null", null]]) {
  Deno.test(`plain.decode() sends data ${data} without a content type`, () => {
    const { request } = decode(`{"method":"PUT","url":"http://x/","data":${data}}`);
    assertEquals([request.body, request.headers], [body, []]);
  });
}

const LONGEST = [`"${"x".repeat(254)}"`, "1".repeat(256)];
const IDS = ["0", "-0", "1.0", "1E+2", "1e400", '""', '"a"', '"\\u0061\\ud800\\""'];

for (const id of [...IDS, ...LONGEST]) {
  Deno.test(`plain.decode() takes the id ${id.slice(0, 24)} as it is written`, () => {
    assertEquals(decode(`{"id": ${id} ,"url":"http://x/","method":"GET"}`).id, id);
    assertEquals(decode(`{"i\\u0064":${id},"error":"too little"}`).id, id);
  });
}

const WRONG_IDS = ["null", "true", "[1]", '{"id":1}', '"a","id":null'];

for (const id of [...WRONG_IDS, `"${"x".repeat(255)}"`, "1".repeat(257)]) {
  Deno.test(`plain.decode() refuses the id ${id.slice(0, 24)} and ties the error to none`, () => {
    const { id: tiedTo, error } = decode(`{"id":${id},"url":"http://x/","method":"GET"}`);
    assertEquals([tiedTo, error.code], [undefined, "bad_request"]);
    assert(error.message.startsWith('"id" must be '));
  });
}

const LONG_URL = `{"url":"http://x/${"a".repeat(65_526)}","method":"PUT","data":1}`;
const LONG_QUERY = `{"url":"http://x/","method":"GET","data":{"a":"${"\u00e9".repeat(11_000)}"}}`;
const INVALID: readonly [data: string | ArrayBuffer, code: ErrorCode, message: string][] = [
  [new ArrayBuffer(5), "bad_frame", "The plain dialect has no binary frames; send one JSON object"],
  ["hello", "bad_frame", "The frame is not JSON; send one JSON object"],
  ["[]", "bad_frame", "The frame is not a JSON object; send one JSON object"],
  ["{}", "bad_request", '"url" is missing; "method" is missing'],
  ['{"url":"/","method":"GET"}', "bad_request", '"url" is not an absolute URL'],
  [LONG_URL, "bad_request", '"url" has more than 65534 characters'],
  [LONG_QUERY, "bad_request", '"url" has more than 65534 characters'],
  ['{"url":"","method":"A","json":1}', "bad_request", '"json" is not a member of this frame'],
  [
    '{"url":"","method":"A","__proto__":1}',
    "bad_request",
    '"__proto__" is not a member of this frame',
  ],
  ['{"__proto__":{"url":"http://x/","method":"A"}}', "bad_request", '"url" is missing'],
];

for (const [data, code, message] of INVALID) {
  Deno.test(`plain.decode() refuses ${String(data).slice(0, 60)}`, () => {
    const { type, error } = decode(data);
    assertEquals([type, error.code, error.sent], ["invalid", code, "no"]);
    assert(error.message.startsWith(message), error.message);
  });
}

const CONTENTS: readonly [type: string, body: HttpResponse["body"], expected: string][] = [
  ["application/json", utf8('{"b" : 1.0,"a":[1E400]}'), '"content":{"b" : 1.0,"a":[1E400]}}'],
  ["application/problem+json; charset=utf-8", utf8("null\n"), '"content":null\n}'],
  ["application/json", utf8('{"a":'), '"content":"{\\"a\\":"}'],
  ["application/json", null, '"content":null}'],
  ["text/plain", utf8("null"), '"content":"null"}'],
  ["text/plain", utf8(""), '"content":""}'],
  ["text/plain", Uint8Array.of(0xe9), '"encoding":"base64","content":"6Q=="}'],
];

for (const [type, body, expected] of CONTENTS) {
  Deno.test(`plain.encodeResponse() writes a body of ${type} as ${expected}`, () => {
    const response: HttpResponse = { ...HEAD, headers: [["content-type", type]], body };
    const start = `{"id":1.0,"status_code":200,"headers":{"content-type":"${type}"},`;
    assertEquals(plain.encodeResponse("1.0", whole(response)), start + expected);
  });
}

Deno.test("plain.encodeResponse() writes headers as an object, and cookies as a list", () => {
  const write = (...headers: [string, string][]): unknown =>
    JSON.parse(plain.encodeResponse(undefined, whole({ ...HEAD, headers, body: null }))).headers;
  assertEquals(write(["set-cookie", "a=1"]), { "set-cookie": "a=1" });
  const cookies = write(["set-cookie", "a=1"], ["b", "c"], ["set-cookie", "a=2"]);
  assertEquals(cookies, { "set-cookie": ["a=1", "a=2"], b: "c" });
  assertEquals(write(["__proto__", "a"]), { ["__proto__"]: "a" });
});

Deno.test("plain.encodeError() writes the message, the code and no more", () => {
  const error = new ProxyError("draining", 'Say "a"', { retryAfterMs: 1 });
  const members = '"error":"Say \\"a\\"","code":"draining"';
  assertEquals(plain.encodeError('"b"', error), `{"id":"b",${members}}`);
  assertEquals(plain.encodeError(undefined, error), `{${members}}`);
});

Deno.test("plain has no frames of the connection, and nothing streams in it", () => {
  assertEquals([plain.encodeConnectionFrame({ type: "pong" }), plain.stream], [
    undefined,
    undefined,
  ]);
});

Deno.test("plain.decode() takes name:/path for a path below an upstream", () => {
  const { request } = decode('{"url":"github:/user","method":"GET","data":{"a":1}}');
  assertEquals(request.target, { upstream: "github", path: "/user?a=1" });
});

Deno.test("plain.decode() gives what its type says, of anything, and never throws", () => {
  const names = fc.constantFrom("url", "method", "data", "headers", "id", "__proto__", "json");
  const values = fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue({ maxDepth: 1 })));
  const frames = fc.tuple(fc.constantFrom("GET", "POST"), fc.dictionary(names, values))
    .map(([method, members]) => JSON.stringify({ url: "http://x/", method, ...members }));
  const broken = fc.tuple(frames, fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })).map(
    ([text, at, remove, insert]) =>
      text.slice(0, at % text.length) + insert + text.slice(at % text.length + remove),
  );
  const junk = fc.oneof(frames, broken, fc.constant(new ArrayBuffer(5)), fc.string(), fc.json());
  const answers = fc.property(junk, (data) => {
    const { type, id, request, error } = decode(data);
    assertEquals(type, request === undefined ? "invalid" : "request");
    assert(request?.target instanceof URL || error instanceof ProxyError);
    const answer = JSON.parse(plain.encodeError(id, new ProxyError("dns_error", "")));
    assert(["undefined", "string", "number"].includes(typeof answer.id));
  });
  fc.assert(answers, { numRuns: 1000 });
});

Deno.test("plain.encodeResponse() and plain.encodeError() write JSON, of anything", () => {
  const texts = fc.string({
    unit: fc.nat(0x10ffff).map((code) => String.fromCodePoint(code).toWellFormed()),
  });
  const types = fc.constantFrom("application/json", "text/plain", "a/b+json;c");
  const bodies = fc.oneof(texts, fc.json()).map(utf8);
  const responses: fc.Arbitrary<HttpResponse> = fc.record({
    ...{ status: fc.nat(), statusText: texts, url: texts, redirected: fc.boolean() },
    headers: fc.tuple(types, fc.array(fc.tuple(texts, texts), { maxLength: 3 }))
      .map(([type, pairs]) => [["content-type", type] as const, ...pairs]),
    body: fc.oneof(fc.constant(null), fc.uint8Array(), bodies),
  });
  const ids = fc.constantFrom(undefined, ...IDS);
  fc.assert(fc.property(responses, texts, ids, (response, message, id) => {
    const answer = JSON.parse(plain.encodeResponse(id, whole(response)));
    assertEquals(answer.status_code, response.status);
    const { error } = JSON.parse(plain.encodeError(id, new ProxyError("dns_error", message)));
    assertEquals(error, message);
  }));
});

// As the union stands, a test would have to narrow it before every look.
function decode(data: string | ArrayBuffer): Frame {
  return plain.decode(data);
}

function whole(response: HttpResponse): WholeResponse {
  return { response, timing: TIMING, asBytes: true };
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

Deno.test("plain.encodeResponse() joins repeated fields, but for set-cookie", () => {
  const headers = [
    ["vary", "a"],
    ["set-cookie", "x=1"],
    ["vary", "b"],
    ["set-cookie", "y=2"],
    ["constructor", "c"],
  ] as const;
  const text = plain.encodeResponse(undefined, {
    response: { status: 200, statusText: "", url: "", redirected: false, headers, body: null },
    timing: { waitMs: 1, totalMs: 1 },
  });
  assertEquals(JSON.parse(text).headers, {
    vary: "a, b",
    "set-cookie": ["x=1", "y=2"],
    constructor: "c",
  });
});

Deno.test("plain.decode() takes a thousand query parameters in the data of a GET, and no more", () => {
  for (const [length, type] of [[999, "request"], [1000, "invalid"]] as const) {
    const data = { a: 1, b: Array(length).fill(1) };
    const incoming = plain.decode(JSON.stringify({ url: "http://x/", method: "GET", data }));
    assertEquals(incoming.type, type);
    if (incoming.type === "invalid") {
      assertEquals(incoming.error.message, '"data" must have at most 1000 entries');
    }
  }
});
