import { assert, assertEquals } from "@std/assert";
import type * as z from "zod";
import type {
  AuthFrame,
  CancelFrame,
  ClientFrame,
  GrantFrame,
  PingFrame,
  RequestFrame,
} from "../../src/protocol/mod.ts";
import {
  type authSchema,
  type cancelSchema,
  clientFrameSchema,
  describeIssues,
  type grantSchema,
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
    Equal<z.output<typeof grantSchema>, GrantFrame>,
    Equal<z.output<typeof pingSchema>, PingFrame>,
    Equal<z.output<typeof authSchema>, AuthFrame>,
    Equal<z.output<typeof clientFrameSchema>, ClientFrame>,
  ] = [true, true, true, true, true, true];
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
const BESIDE = (other: string) => `cannot stand beside "${other}": a request has one body`;
const QUERY = "must be a string, a number, a boolean or a list of these";

const GRANT = { type: "grant", id: 1, url: undefined, bytes: 1 };
const PING = { type: "ping", id: undefined, url: undefined };
const AUTH = { ...PING, type: "auth" };

/** What is said, and of what. */
const ISSUES: readonly (readonly [expected: string, ...inputs: Record<string, unknown>[]])[] = [
  ['"id" is missing', { id: undefined }, { ...GRANT, id: undefined }],
  [ID, ...[0, -1, 1.5, 4294967296, 2 ** 53, "1", null, [1]].map((id) => ({ id }))],
  ['"url" is missing', { url: undefined }],
  ['"url" must be a string', { url: null }],
  ['"path" is missing', { upstream: "a", url: undefined }],
  ['"upstream" is missing', { path: "/", url: undefined }],
  ['"upstream" must be a string', { upstream: 1 }],
  [
    '"upstream" cannot stand beside "url": a request goes one way',
    { upstream: "a" },
    { upstream: "a", path: "/" },
  ],
  ['"path" cannot stand beside "url": a request goes one way', { path: "/" }],
  ['"path" must be a string', { path: {} }],
  ['"token" is missing', AUTH],
  ['"token" must be a string', { ...AUTH, token: 1 }],
  ['"method" must be a string', { method: 1 }],
  [`"method" ${TOKEN}`, { method: "" }, { method: "GET / HTTP/1.1\r\n" }, { method: "G\u00c9T" }],
  ['"method" must be at most 1024 characters', { method: "A".repeat(1025) }],
  [PAIRS, { headers: null }, { headers: "a: b" }, { headers: 1 }],
  ['"headers.0" must be a [name, value] pair', { headers: ["a: b"] }, { headers: [["a"]] }],
  [
    '"headers.1" must be a [name, value] pair',
    { headers: [["a", "b"], []] },
    { headers: [["a", "b"], ["a", "b", "c"]] },
  ],
  ['"headers.0.0" must be a string', { headers: [[1, "b"]] }],
  ['"headers.0.1" must be a string', { headers: [["a", null]] }],
  [`"headers.0.0" ${TOKEN}`, { headers: [["a:", "b"]] }],
  [`"headers.0.1" ${VALUE}`, { headers: [["a", "b\r\nc: d"]] }],
  ['"headers.a" must be a string', { headers: { a: 1 } }, { headers: { a: ["b"] } }],
  [`"headers.a b" ${TOKEN}`, { headers: { "a b": "c" } }],
  [`"headers." ${TOKEN}`, { headers: { "": "a" } }],
  [
    `"headers.a" ${VALUE}`,
    ...["\0", "\n", "a\rb", "\x7f", "\u0100", "\u20ac"].map((a) => ({ headers: { a } })),
  ],
  ['"query" must be an object', ...[null, "a=b", [["a", "b"]]].map((query) => ({ query }))],
  [`"query.a" ${QUERY}`, { query: { a: null } }, { query: { a: {} } }],
  [`"query.a.1" ${QUERY}`, { query: { a: [1, null] } }],
  [`"query.a.0" ${QUERY}`, { query: { a: [[1]] } }],
  ['"text" must be a string', { text: 1 }],
  ['"base64" must be a string', { base64: null }],
  [`"json" ${BESIDE("text")}`, { json: null, text: "" }],
  [`"text" ${BESIDE("base64")}`, { text: "", base64: "" }],
  ...["json", "text", "base64"].map((body) =>
    [`"${body}" ${BESIDE("bodyFollows")}`, { [body]: "", bodyFollows: true }] as const
  ),
  [
    '"bodyFollows" must be true or absent',
    ...[false, null, 1].map((bodyFollows) => ({ bodyFollows })),
  ],
  [
    '"timeoutMs" must be a whole number of milliseconds',
    ...[null, "1", 1.5, 2 ** 53].map((timeoutMs) => ({ timeoutMs })),
  ],
  ['"timeoutMs" must be at least 1', { timeoutMs: 0 }],
  [
    '"redirect" must be "follow", "manual" or "error"',
    { redirect: null },
    { redirect: "Follow" },
  ],
  [
    '"stream" must be a boolean, "events" or "lines"',
    ...[null, 1, "bytes", "Events"].map((stream) => ({ stream })),
  ],
  [
    '"windowBytes" means something only with "stream": true',
    ...[undefined, false, "events", "lines"].map((stream) => ({ stream, windowBytes: 0 })),
  ],
  [
    '"windowBytes" must be a whole number of bytes',
    ...["1", null, 0.5, 2 ** 53].map((windowBytes) => ({ stream: true, windowBytes })),
  ],
  ['"windowBytes" must be at least 0', { stream: true, windowBytes: -1 }],
  ['"Url" is not known here', { Url: "http://x/" }],
  ['"a", "b.c" are not known here', { a: 1, "b.c": 2 }],
  [`${ID}; "query" must be an object; "a" is not known here`, { id: 0, a: 1, query: 1 }],
  [ID, { type: "cancel", url: undefined, id: null }, { ...GRANT, id: 0 }],
  ['"url" is not known here', { type: "cancel", id: 1 }, { ...GRANT, url: "" }],
  ['"id" is not known here', { ...PING, id: 1 }],
  ['"data" must be a string', { ...PING, data: 1 }],
  [
    '"bytes" must be a whole number of bytes',
    ...[undefined, null, "1", 1.5, 2 ** 53].map((bytes) => ({ ...GRANT, bytes })),
  ],
  ['"bytes" must be at least 1', { ...GRANT, bytes: 0 }, { ...GRANT, bytes: -1 }],
];

for (const [expected, ...inputs] of ISSUES) {
  for (const input of inputs) {
    Deno.test(`describeIssues() says of ${JSON.stringify(input)} what is wrong`, () => {
      assertEquals(describe(input), expected);
    });
  }
}

Deno.test("clientFrameSchema gives a frame as it came", () => {
  const request = { type: "request", id: 4294967295, url: "http://x/" };
  for (
    const frame of [
      { ...request, json: null, stream: false },
      { ...request, stream: true, windowBytes: 0, bodyFollows: true },
      { ...request, stream: true, windowBytes: 2 ** 53 - 1 },
      { ...request, stream: "events" },
      { type: "grant", id: 1, bytes: 2 ** 53 - 1 },
    ]
  ) assertEquals(clientFrameSchema.parse(frame), frame);
});

Deno.test("clientFrameSchema takes a thousand fields and no more", () => {
  const pairs = (count: number): [string, string][] =>
    Array.from({ length: count }, (_, at) => [`a${at}`, ""]);
  for (const toHeaders of [(list: [string, string][]) => list, Object.fromEntries]) {
    assertEquals(headersSchema.safeParse(toHeaders(pairs(1000))).success, true);
    assertEquals(describe({ headers: toHeaders(pairs(1001)) }), `"headers" ${FIELDS}`);
  }
  for (const query of [Object.fromEntries(pairs(1001)), { a: Array(1001).fill(1) }]) {
    assertEquals(describe({ query }), `"query" ${FIELDS}`);
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
