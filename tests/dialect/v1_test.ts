import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Incoming, toInvalid } from "../../src/dialect/dialect.ts";
import { v1 } from "../../src/dialect/v1.ts";
import {
  decodeResponse,
  ERROR_CODES,
  type ErrorCode,
  type HttpResponse,
  MAX_ID,
  ProxyError,
} from "../../src/protocol/mod.ts";

const REQUEST = { type: "request", id: 7, url: "https://api.example.com/items?a=1" };

Deno.test("v1.decode() gives the request that a frame describes", () => {
  const text = `{"type":"request","id":7,"url":"http://x/a","method":"put","headers":{"b":"c"},
    "query":{"d":[1,true]},"json":{"e" : 1.0},"timeoutMs":5,"redirect":"manual","stream":true,"windowBytes":0}`;
  assertEquals(v1.decode(text), {
    type: "request",
    id: 7,
    request: {
      method: "PUT",
      target: new URL("http://x/a?d=1&d=true"),
      headers: [["b", "c"], ["content-type", "application/json"]],
      body: new TextEncoder().encode('{"e" : 1.0}'),
      redirect: "manual",
      stream: true,
      decode: true,
      bodyFollows: false,
      timeoutMs: 5,
      windowBytes: 0,
    },
  });
});

const TAKEN: readonly { name: string; data: string | ArrayBuffer; expected: Incoming }[] = [
  { name: "a cancel", data: '{"type":"cancel","id":7}', expected: { type: "cancel", id: 7 } },
  {
    name: "an id that is spelt in another way",
    data: `{"\\u0069d":4294967.295e3,"type":"cancel"}`,
    expected: { type: "cancel", id: MAX_ID },
  },
  {
    name: "a ping with as much data as may be",
    data: `{"type":"ping","data":"${"\u20ac".repeat(125)}"}`,
    expected: { type: "ping", data: "\u20ac".repeat(125) },
  },
  {
    name: "a grant",
    data: '{"bytes":1e15,"type":"grant","id":7}',
    expected: { type: "grant", id: 7, bytes: 1e15 },
  },
  {
    name: "a chunk, of an id that no request can have",
    data: new ArrayBuffer(5),
    expected: { type: "chunk", chunk: { id: 0, fin: false, payload: new Uint8Array() } },
  },
  {
    name: "the last chunk",
    data: Uint8Array.of(255, 255, 255, 255, 1, 8, 9).buffer,
    expected: { type: "chunk", chunk: { id: MAX_ID, fin: true, payload: Uint8Array.of(8, 9) } },
  },
];

for (const { name, data, expected } of TAKEN) {
  Deno.test(`v1.decode() takes ${name}`, () => assertEquals(v1.decode(data), expected));
}

const MALFORMED: readonly { name: string; data: string | ArrayBuffer; message: string }[] = [
  ...["", "ping", "{'type':1}", '\ufeff{"type":"ping"}', '{"type":"ping"} {}'].map((data) => ({
    name: data || "nothing",
    data,
    message: "The frame is not JSON",
  })),
  ...["null", "1", '"ping"', "[]", `[${JSON.stringify(REQUEST)}]`].map((data) => ({
    name: data,
    data,
    message: "The frame is not a JSON object",
  })),
  ...[undefined, null, 1, ["ping"], "Ping", "hello", "chunk", "toString"].map((type) => ({
    name: `the type ${JSON.stringify(type)}`,
    data: JSON.stringify({ type, id: 7, ["__proto__"]: REQUEST }),
    message: '"type" must be one of "request", "cancel", "grant", "ping"',
  })),
  ...[0, 4].map((bytes) => ({
    name: `a chunk of ${bytes} bytes`,
    data: new ArrayBuffer(bytes),
    message: "A binary frame needs 4 bytes of id and 1 byte of flags",
  })),
  {
    name: "a chunk with undefined flags",
    data: Uint8Array.of(0, 0, 0, 7, 3).buffer,
    message: "A binary frame may set no flag but bit 0 (FIN)",
  },
];

for (const { name, data, message } of MALFORMED) {
  Deno.test(`v1.decode() refuses ${name} and ties it to nothing`, () => {
    assertInvalid(v1.decode(data), { code: "bad_frame", message });
  });
}

const WRONG: readonly { frame: object; id?: number; message: string }[] = [
  { frame: { type: "request", id: 7 }, id: 7, message: '"url" is missing' },
  { frame: { ...REQUEST, idd: 8 }, id: 7, message: '"idd" is not a member' },
  { frame: { ...REQUEST, ["__proto__"]: {} }, id: 7, message: '"__proto__" is not a member' },
  { frame: { ...REQUEST, json: null }, id: 7, message: "A GET request cannot have a body" },
  { frame: { ...REQUEST, text: "" }, id: 7, message: "A GET request cannot have a body" },
  { frame: { ...REQUEST, method: "PUT", base64: "*" }, id: 7, message: '"base64" is not valid' },
  { frame: { ...REQUEST, url: "/items" }, id: 7, message: '"url" is not an absolute URL' },
  ...["7", 7.5, 0, -7, MAX_ID + 1, null, [7]].map((id) => ({
    frame: { ...REQUEST, id },
    message: `"id" must be an integer from 1 to ${MAX_ID}`,
  })),
  { frame: { type: "cancel" }, message: '"id" is missing' },
  { frame: { type: "cancel", id: 7, url: "" }, message: '"url" is not a member' },
  { frame: { ...REQUEST, bodyFollows: true }, id: 7, message: "A GET request cannot have a body" },
  ...[["json", "text"], ["json", "base64"], ["text", "base64"], ["json", "bodyFollows"], [
    "text",
    "bodyFollows",
  ], ["base64", "bodyFollows"]].map(([first = "", second = ""]) => ({
    frame: {
      ...REQUEST,
      method: "PUT",
      [first]: "",
      [second]: second === "bodyFollows" ? true : "",
    },
    id: 7,
    message: `"${first}" cannot be combined with "${second}": a request has one body`,
  })),
  {
    frame: { ...REQUEST, windowBytes: 1 },
    id: 7,
    message: '"windowBytes" requires "stream": true',
  },
  { frame: { type: "grant", id: 7 }, message: '"bytes" is missing' },
  { frame: { type: "grant", id: 7, bytes: 0 }, message: '"bytes" must be at least 1' },
  { frame: { type: "ping", id: 7 }, message: '"id" is not a member' },
  { frame: { type: "ping", data: "x".repeat(126) }, message: '"data" must be at most 125' },
];

for (const { frame, id, message } of WRONG) {
  const text = JSON.stringify(frame);
  Deno.test(`v1.decode() refuses ${text} and ties it to ${id ?? "nothing"}`, () => {
    assertInvalid(v1.decode(text), { code: "bad_request", message }, id);
  });
}

/** Query parameters and how many they are. */
const QUERIES: readonly { name: string; query: object; count: number }[] = [
  { name: "one list", query: { a: Array(1000).fill(1) }, count: 1000 },
  { name: "one list too long", query: { a: Array(1001).fill(1) }, count: 1001 },
  { name: "two lists", query: { a: Array(600).fill(1), b: Array(400).fill("") }, count: 1000 },
  {
    name: "two lists too long",
    query: { a: Array(600).fill(1), b: Array(401).fill("") },
    count: 1001,
  },
  {
    name: "a list beside other parameters",
    query: { a: true, b: Array(998).fill(1), c: "" },
    count: 1000,
  },
  {
    name: "a list too long for the parameters after it",
    query: { a: Array(999).fill(1), b: 1, c: 1 },
    count: 1001,
  },
  {
    name: "a list too long for the parameters before it",
    query: { a: 1, b: 1, c: Array(999).fill(1) },
    count: 1001,
  },
];

for (const { name, query, count } of QUERIES) {
  Deno.test(`v1.decode() ${count > 1000 ? "refuses" : "takes"} a query of ${name}`, () => {
    const incoming = v1.decode(JSON.stringify({ ...REQUEST, url: "http://x/", query }));
    if (count > 1000) {
      const message = '"query" must have at most 1000 entries';
      return assertInvalid(incoming, { code: "bad_request", message }, 7);
    }
    const target = incoming.type === "request" ? incoming.request.target : undefined;
    assertEquals(target instanceof URL && [...target.searchParams].length, count);
  });
}

Deno.test("v1.decode() keeps a member __proto__ of headers and query", () => {
  for (const member of ["headers", "query"]) {
    const incoming = v1.decode(JSON.stringify({ ...REQUEST, [member]: { ["__proto__"]: "a" } }));
    if (incoming.type !== "request") throw new Error(incoming.type);
    const { headers, target } = incoming.request;
    if (!(target instanceof URL)) throw new Error("not a URL");
    assertEquals([...headers, ...target.searchParams].flat().includes("__proto__"), true);
  }
});

const names = fc.constantFrom(
  ...["type", "id", "url", "method", "headers", "query", "json", "text", "base64", "timeoutMs"],
  ...["redirect", "stream", "windowBytes", "bodyFollows", "data", "__proto__", "constructor"],
  ...["upstream", "path", "token"],
);
const values = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(7, "POST", "http://x/", "YQ==", "follow", "lines", false, true, [[
    "a",
    "b",
  ]]),
  fc.dictionary(names, fc.jsonValue({ maxDepth: 1 })),
);
const frames = fc.tuple(
  fc.constantFrom(
    ...[REQUEST, { ...REQUEST, method: "PUT", stream: true }],
    ...[{ type: "cancel", id: 7 }, { type: "grant", id: 7, bytes: 1 }, { type: "ping" }],
    ...[{ type: "auth", token: "a" }, { type: "request", id: 7, upstream: "a", path: "/" }],
  ),
  fc.dictionary(names, values, { maxKeys: 4 }),
).map(([frame, members]) => JSON.stringify({ ...frame, ...members }));
const broken = fc.tuple(frames, fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })).map(
  ([text, at, remove, insert]) =>
    text.slice(0, at % text.length) + insert + text.slice(at % text.length + remove),
);

Deno.test("v1.decode() gives what its type says, of anything, and never throws", () => {
  const buffers = fc.uint8Array().map((bytes) => Uint8Array.from(bytes).buffer);
  const junk = fc.oneof(frames, broken, buffers, fc.string(), fc.json());
  fc.assert(fc.property(junk, (data) => assertIncoming(v1.decode(data))), { numRuns: 1000 });
});

Deno.test("v1.encodeResponse() gives a response frame, of anything", () => {
  const responses: fc.Arbitrary<HttpResponse> = fc.record({
    status: fc.nat(),
    statusText: fc.string({ unit: "grapheme" }),
    url: fc.string(),
    redirected: fc.boolean(),
    headers: fc.array(fc.tuple(fc.constantFrom("content-type", "a"), fc.string())),
    body: fc.oneof(fc.constant(null), fc.uint8Array()),
  });
  const timing = { waitMs: 1, totalMs: 2 };
  fc.assert(fc.property(responses, fc.integer({ min: 1, max: MAX_ID }), (response, id) => {
    const decoded = { id, response, timing, streamed: false };
    for (const asBytes of [false, true]) {
      const text = v1.encodeResponse(id, { response, timing, asBytes });
      assertEquals(decodeResponse(text), decoded);
      if (asBytes) assertEquals("json" in JSON.parse(text), false);
    }
  }));
});

Deno.test("v1.encodeError() gives an error frame, of anything", () => {
  const codes = fc.constantFrom(...Object.keys(ERROR_CODES) as ErrorCode[]); // they are its keys
  const ids = fc.oneof(fc.integer({ min: 1, max: MAX_ID }), fc.constantFrom(undefined, '"a"'));
  fc.assert(fc.property(codes, fc.string({ unit: "grapheme" }), ids, (code, message, id) => {
    const text = v1.encodeError(id, new ProxyError(code, message));
    const { retryable, sent, ...frame } = JSON.parse(text);
    assertEquals([typeof retryable, typeof sent], ["boolean", "string"]);
    assertEquals(frame, { type: "error", code, message, ...(typeof id === "number" && { id }) });
  }));
});

Deno.test("v1.encodeConnectionFrame() writes a frame as it is", () => {
  assertEquals(v1.encodeConnectionFrame({ type: "pong", data: "" }), '{"type":"pong","data":""}');
});

Deno.test("v1.stream writes heads, chunks and frames, and chunks into the memory it is given", () => {
  const head = { status: 200, statusText: "", url: "", redirected: false, headers: [] };
  const frame = JSON.parse(
    v1.stream?.encodeHead(7, { head, timing: { waitMs: 1, totalMs: 2 } }) ?? "",
  );
  assertEquals([frame.type, frame.id, frame.stream], ["response", 7, true]);
  assertEquals(v1.stream?.encodePart({ type: "end", id: 7 }), '{"type":"end","id":7}');
  const chunk = { id: 7, fin: true, payload: Uint8Array.of(9) };
  const scratch = new Uint8Array(20);
  assertEquals(v1.stream?.encodePart(chunk), Uint8Array.of(0, 0, 0, 7, 1, 9));
  assertEquals(v1.stream?.encodePart(chunk, scratch), Uint8Array.of(0, 0, 0, 7, 1, 9));
  assertEquals(scratch[5], 9);
});

Deno.test("toInvalid() lets through what is not a ProxyError", () => {
  assertThrows(() => toInvalid(7, new SyntaxError("a bug")), SyntaxError, "a bug");
});

function assertInvalid(
  incoming: Incoming,
  { code, message }: { code: ErrorCode; message: string },
  id?: number,
): void {
  if (incoming.type !== "invalid") throw new Error(`It is valid: ${incoming.type}`);
  assertEquals([incoming.id, incoming.error.code, incoming.error.sent], [id, code, "no"]);
  assert(incoming.error.message.startsWith(message), incoming.error.message);
}

function isId(id: unknown): boolean {
  return Number.isInteger(id) && Number(id) >= 1 && Number(id) <= MAX_ID;
}

function assertIncoming(incoming: Incoming): void {
  if (incoming.type === "request") {
    const { method, target, headers, body } = incoming.request;
    assert(isId(incoming.id) && /^[^a-z\s]+$/.test(method));
    assert(target instanceof URL || typeof target.path === "string");
    assert(headers.flat().every((part) => typeof part === "string"));
    assert(body === null || body instanceof Uint8Array);
  } else if (incoming.type === "invalid") {
    assert(incoming.id === undefined || isId(incoming.id));
    assert(["bad_frame", "bad_request"].includes(incoming.error.code));
  } else if (incoming.type === "cancel") assert(isId(incoming.id));
  else if (incoming.type === "ping") assert((incoming.data ?? "").length <= 125);
  else if (incoming.type === "grant") assert(isId(incoming.id) && incoming.bytes >= 1);
  else if (incoming.type === "auth") assert(typeof incoming.token === "string");
  else assert(incoming.chunk.payload instanceof Uint8Array && incoming.chunk.id >= 0);
}
