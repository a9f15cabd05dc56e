import { assert, assertEquals } from "@std/assert";
import type * as z from "zod";
import type { CancelFrame, ClientFrame, PingFrame, RequestFrame } from "../../src/protocol/mod.ts";
import {
  type cancelSchema,
  clientFrameSchema,
  describeIssues,
  headersSchema,
  type pingSchema,
  plainFrameSchema,
  type requestSchema,
} from "../../src/dialect/schema.ts";

/** `true` for types that are the same to the last modifier, else `false`. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

Deno.test("clientFrameSchema has exactly the types of the frames", () => {
  const equal: [
    Equal<z.output<typeof requestSchema>, RequestFrame>,
    Equal<z.output<typeof cancelSchema>, CancelFrame>,
    Equal<z.output<typeof pingSchema>, PingFrame>,
    Equal<z.output<typeof clientFrameSchema>, ClientFrame>,
  ] = [true, true, true, true];
  assert(equal.every(Boolean));
});

Deno.test("Equal tells apart what can be assigned to each other", () => {
  interface Optional {
    readonly a?: string;
  }
  const equal: [
    Equal<Optional, { readonly a?: string }>,
    Equal<Optional, { readonly a?: string | undefined }>,
    Equal<Optional, { readonly a: string | undefined }>,
    Equal<Optional, { readonly a: string }>,
    Equal<Optional, { a?: string }>,
    Equal<Optional, { readonly a?: string; readonly b?: string }>,
    Equal<Optional, { readonly a?: "a" }>,
    Equal<readonly string[], string[]>,
    Equal<{ readonly a: unknown }, { readonly a?: unknown }>,
    // deno-lint-ignore no-explicit-any -- it must not pass for everything
    Equal<unknown, any>,
    Equal<ClientFrame, RequestFrame | CancelFrame>,
  ] = [true, false, false, false, false, false, false, false, false, false, false];
  // @ts-expect-error -- a wrong claim does not compile
  const wrong: Equal<Optional, { a?: string }> = true;
  assertEquals([...equal, wrong].filter(Boolean).length, 2);
});

const ID = '"id" must be an integer from 1 to 4294967295';
const TOKEN = "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
const PAIRS = '"headers" must be an object of strings or a list of [name, value] pairs';
const VALUE = "must hold no control characters and none beyond U+00FF";
const FIELDS = "must have at most 1000 entries";
const QUERY = "must be a string, a number, a boolean or a list of these";

const ISSUES: readonly { input: Record<string, unknown>; expected: string }[] = [
  { input: { id: undefined }, expected: '"id" is missing' },
  ...[0, -1, 1.5, 4294967296, 2 ** 53, "1", null, [1]].map((id) => ({
    input: { id },
    expected: ID,
  })),
  { input: { url: undefined }, expected: '"url" is missing' },
  { input: { url: null }, expected: '"url" must be a string' },
  { input: { upstream: "a", url: undefined }, expected: '"upstream" is not supported yet' },
  { input: { upstream: 1 }, expected: '"upstream" must be a string' },
  {
    input: { upstream: "a", path: "/" },
    expected: '"upstream" is not supported yet; "path" is not supported yet',
  },
  { input: { path: {} }, expected: '"path" must be a string' },
  { input: { method: 1 }, expected: '"method" must be a string' },
  { input: { method: "" }, expected: `"method" ${TOKEN}` },
  { input: { method: "GET / HTTP/1.1\r\n" }, expected: `"method" ${TOKEN}` },
  { input: { method: "A".repeat(1025) }, expected: '"method" must be at most 1024 characters' },
  { input: { method: "G\u00c9T" }, expected: `"method" ${TOKEN}` },
  ...[null, "a: b", 1].map((headers) => ({ input: { headers }, expected: PAIRS })),
  { input: { headers: ["a: b"] }, expected: '"headers.0" must be a [name, value] pair' },
  { input: { headers: [["a", "b"], []] }, expected: '"headers.1" must be a [name, value] pair' },
  { input: { headers: [["a"]] }, expected: '"headers.0" must be a [name, value] pair' },
  { input: { headers: [["a", "b", "c"]] }, expected: '"headers.0" must be a [name, value] pair' },
  { input: { headers: [[1, "b"]] }, expected: '"headers.0.0" must be a string' },
  { input: { headers: [["a", null]] }, expected: '"headers.0.1" must be a string' },
  { input: { headers: [["a:", "b"]] }, expected: `"headers.0.0" ${TOKEN}` },
  { input: { headers: [["a", "b\r\nc: d"]] }, expected: `"headers.0.1" ${VALUE}` },
  { input: { headers: { a: 1 } }, expected: '"headers.a" must be a string' },
  { input: { headers: { a: ["b"] } }, expected: '"headers.a" must be a string' },
  { input: { headers: { "a b": "c" } }, expected: `"headers.a b" ${TOKEN}` },
  { input: { headers: { "": "a" } }, expected: `"headers." ${TOKEN}` },
  ...["\0", "\n", "a\rb", "\x7f", "\u0100", "\u20ac"].map((a) => ({
    input: { headers: { a } },
    expected: `"headers.a" ${VALUE}`,
  })),
  ...[null, "a=b", [["a", "b"]]].map((query) => ({
    input: { query },
    expected: '"query" must be an object',
  })),
  { input: { query: { a: null } }, expected: `"query.a" ${QUERY}` },
  { input: { query: { a: {} } }, expected: `"query.a" ${QUERY}` },
  {
    input: { query: { a: [1, null] } },
    expected: `"query.a.1" ${QUERY}`,
  },
  {
    input: { query: { a: [[1]] } },
    expected: `"query.a.0" ${QUERY}`,
  },
  { input: { text: 1 }, expected: '"text" must be a string' },
  { input: { base64: null }, expected: '"base64" must be a string' },
  {
    input: { json: null, text: "" },
    expected: '"json" cannot stand beside "text": a request has one body',
  },
  {
    input: { text: "", base64: "" },
    expected: '"text" cannot stand beside "base64": a request has one body',
  },
  { input: { bodyFollows: true }, expected: '"bodyFollows" is not supported yet' },
  { input: { bodyFollows: false }, expected: '"bodyFollows" must be true or absent' },
  ...[null, "1", 1.5, 2 ** 53].map((timeoutMs) => ({
    input: { timeoutMs },
    expected: '"timeoutMs" must be a whole number of milliseconds',
  })),
  { input: { timeoutMs: 0 }, expected: '"timeoutMs" must be at least 1' },
  ...[null, "Follow"].map((redirect) => ({
    input: { redirect },
    expected: '"redirect" must be "follow", "manual" or "error"',
  })),
  ...[true, "events", "lines"].map((stream) => ({
    input: { stream },
    expected: '"stream" is not supported yet',
  })),
  { input: { stream: "bytes" }, expected: '"stream" must be a boolean, "events" or "lines"' },
  { input: { windowBytes: 1 }, expected: '"windowBytes" is not supported yet' },
  { input: { windowBytes: "1" }, expected: '"windowBytes" must be a whole number of bytes' },
  { input: { Url: "http://x/" }, expected: '"Url" is not known here' },
  { input: { a: 1, "b.c": 2 }, expected: '"a", "b.c" are not known here' },
  {
    input: { id: 0, a: 1, query: 1 },
    expected: `${ID}; "query" must be an object; "a" is not known here`,
  },
  { input: { type: "cancel", url: undefined, id: null }, expected: ID },
  { input: { type: "cancel", id: 1 }, expected: '"url" is not known here' },
  { input: { type: "ping", url: undefined }, expected: '"id" is not known here' },
  {
    input: { type: "ping", id: undefined, url: undefined, data: 1 },
    expected: '"data" must be a string',
  },
];

for (const { input, expected } of ISSUES) {
  Deno.test(`describeIssues() says of ${JSON.stringify(input)} what is wrong`, () => {
    assertEquals(describe(input), expected);
  });
}

Deno.test("clientFrameSchema gives a frame as it came", () => {
  const frame = { type: "request", id: 4294967295, url: "http://x/", json: null, stream: false };
  assertEquals(clientFrameSchema.parse(frame), frame);
});

Deno.test("headersSchema takes a thousand fields and no more", () => {
  const pairs = (count: number): [string, string][] =>
    Array.from({ length: count }, (_, at) => [`a${at}`, ""]);
  for (const toHeaders of [(list: [string, string][]) => list, Object.fromEntries]) {
    assertEquals(headersSchema.safeParse(toHeaders(pairs(1000))).success, true);
    assertEquals(describe({ headers: toHeaders(pairs(1001)) }), `"headers" ${FIELDS}`);
  }
});

Deno.test("describeIssues() names the fields of a plain frame", () => {
  const say = (frame: object): string | undefined => {
    const { error } = plainFrameSchema.safeParse(frame);
    return error && describeIssues(error);
  };
  assertEquals(say({}), '"url" is missing; "method" is missing');
  assertEquals(say({ url: 1, method: "" }), `"url" must be a string; "method" ${TOKEN}`);
  assertEquals(say({ url: "", method: "A", id: null }), '"id" must be a string or a number');
  assertEquals(say({ url: "", method: "A", json: 1 }), '"json" is not known here');
  assertEquals(say({ url: "", method: "A", headers: [] }), undefined);
});

Deno.test("describeIssues() bounds its message, whole characters only", () => {
  for (const before of ["", "a"]) {
    const name = before + "\u{1f600}".repeat(10_000);
    for (const message of [describe({ [name]: 1 }), describe({ query: { [name]: null } })]) {
      assert(message.length < 200 && message.isWellFormed(), message);
    }
  }
  const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`u${at}`, 1]));
  assertEquals(describe(unknown), '"u0", "u1", "u2", "u3", "u4" are not known here');
});

Deno.test("describeIssues() asks for a number that is not exact as a string", () => {
  for (const number of [2 ** 53, -1e21]) {
    assertEquals(
      describe({ query: { n: number } }),
      '"query.n" is not exact as a number; send it as a string',
    );
  }
});

function describe(members: object): string {
  const frame = { type: "request", id: 1, url: "http://x/", ...members };
  const { error } = clientFrameSchema.safeParse(JSON.parse(JSON.stringify(frame)));
  if (error === undefined) throw new Error("The frame is valid");
  return describeIssues(error);
}
