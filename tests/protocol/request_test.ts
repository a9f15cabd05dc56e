import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeRequest,
  encodeRequest,
  type HttpRequest,
  ProxyError,
  type ProxyRequest,
  type RequestFrame,
  type RequestOptions,
  type StreamMode,
} from "../../src/protocol/mod.ts";

const ITEMS = { type: "request", id: 1, url: "https://api.example.com/items" } as const;

const METHODS = ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "X-OWN"];

const sign = fc.nat(0x10ffff).map((code) => String.fromCodePoint(code).toWellFormed());
const token = fc.string({ unit: fc.constantFrom(..."aZ09!#$%&'*+-.^_`|~"), minLength: 1 });
const fieldValue = fc.string({ unit: fc.constantFrom(...'\t !"\\a~\x80\xe9\xff') });
const bytes = fc.oneof(
  fc.uint8Array(),
  fc.string({ unit: sign }).map((text) => new TextEncoder().encode(text)),
  fc.constantFrom([], [0xef, 0xbb, 0xbf], [0xef, 0xbb, 0xbf, 0x7b], [0xed, 0xa0, 0x80], [0x00])
    .map((bytes) => Uint8Array.from(bytes)),
);
const urls = fc.webUrl({ withQueryParameters: true, withFragments: true });

const requests: fc.Arbitrary<HttpRequest & RequestOptions> = fc.tuple(
  fc.record({
    url: urls.map((url) => new URL(url)),
    headers: fc.array(fc.tuple(fc.oneof(token, fc.constant("__proto__")), fieldValue)),
  }),
  fc.record({
    timeoutMs: fc.integer({ min: 1 }),
    redirect: fc.constantFrom("follow", "manual", "error"),
    stream: fc.constantFrom<StreamMode>(true, false, "events", "lines"),
    windowBytes: fc.maxSafeNat(),
    decode: fc.boolean(),
  }, { requiredKeys: [] }),
  fc.oneof(
    fc.record({ method: fc.constantFrom("GET", "HEAD"), body: fc.constant(null) }),
    fc.record({ method: fc.constantFrom(...METHODS), body: bytes }),
    fc.record({
      method: fc.constantFrom(...METHODS),
      body: fc.constant(null),
      bodyFollows: fc.boolean(),
    }),
  ),
).map(([head, options, content]) => ({ ...head, ...options, ...content }));

Deno.test("decodeRequest() gives what encodeRequest() was given", () => {
  fc.assert(fc.property(requests, fc.integer({ min: 1 }), (request, id) => {
    const text = encodeRequest(id, request);
    const frame: RequestFrame = JSON.parse(text);
    assertEquals(frame.id, id);
    const { url: target, ...rest } = request;
    assertEquals(decodeRequest(frame, text), {
      ...rest,
      target,
      redirect: request.redirect ?? "follow",
      decode: request.decode ?? true,
      stream: request.stream ?? false,
      bodyFollows: request.bodyFollows ?? false,
    });
  }));
});

const QUERIES: readonly {
  name: string;
  url: string;
  query: NonNullable<RequestFrame["query"]>;
  expected: string;
}[] = [
  { name: "a query where there is none", url: "http://x/a", query: { b: 1 }, expected: "/a?b=1" },
  { name: "to the query", url: "http://x/?a=1", query: { a: 2 }, expected: "/?a=1&a=2" },
  {
    name: "to a query and leaves its spelling",
    url: "http://x/?a=%7e+%20&&b&c==%C3%A9%zz",
    query: { d: "~ \u00e9" },
    expected: "/?a=%7e+%20&&b&c==%C3%A9%zz&d=%7E+%C3%A9",
  },
  { name: "to a doubled mark", url: "http://x/??a", query: { b: 1 }, expected: "/??a&b=1" },
  { name: "before the fragment", url: "http://x/a#b?c", query: { d: 1 }, expected: "/a?d=1#b?c" },
  { name: "before an empty fragment", url: "http://x/?#", query: { d: 1 }, expected: "/?d=1#" },
  {
    name: "each item of a list",
    url: "http://x/",
    query: { a: [1, "2", true], b: [], c: false },
    expected: "/?a=1&a=2&a=true&c=false",
  },
  {
    name: "names and values that need escapes",
    url: "http://x/",
    query: { "a&b=c#?": "d&e=f#?+", "": "" },
    expected: "/?a%26b%3Dc%23%3F=d%26e%3Df%23%3F%2B&=",
  },
  { name: "nothing of an empty object", url: "http://x/?", query: {}, expected: "/?" },
];

for (const { name, url, query, expected } of QUERIES) {
  Deno.test(`decodeRequest() appends ${name}`, () => {
    assertEquals(urlOf(decode({ ...ITEMS, url, query })).href, `http://x${expected}`);
  });
}

Deno.test("decodeRequest() appends to any URL and leaves the rest of it", () => {
  const values = fc.array(fc.string(), { minLength: 1 });
  fc.assert(fc.property(urls, fc.string(), values, (text, name, values) => {
    const before = new URL(text);
    const after = urlOf(decode({ ...ITEMS, url: text, query: { [name]: values } }));
    assert(after.search.startsWith(before.search));
    const added = after.searchParams.getAll(name).slice(-values.length);
    assertEquals(added, values.map((value) => value.toWellFormed()));
    after.search = before.search = ""; // in both, for it takes a bare mark away
    assertEquals(after.href, before.href);
  }));
});

const BODIES: readonly { name: string; members: string; expected: string }[] = [
  {
    name: "JSON byte for byte",
    members: '"json": {"b" : 1.0,\n"a":12345678901234567890} ',
    expected: '{"b" : 1.0,\n"a":12345678901234567890}',
  },
  { name: "null as JSON", members: '"json":null', expected: "null" },
  { name: "a JSON string with its escapes", members: '"json":"\\u00e9"', expected: '"\\u00e9"' },
  { name: "text as UTF-8", members: '"text":"\\u00e9\\n"', expected: "\u00e9\n" },
  { name: "base64", members: '"base64":"w6kK"', expected: "\u00e9\n" },
];

for (const { name, members, expected } of BODIES) {
  Deno.test(`decodeRequest() takes as a body ${name}`, () => {
    const text = `{"type":"request","id":1,"url":"http://x/","method":"POST",${members}}`;
    const { body } = decodeRequest(JSON.parse(text), text);
    assertEquals(new TextDecoder().decode(body ?? undefined), expected);
    assertEquals(body instanceof Uint8Array, true);
  });
}

const POST = { ...ITEMS, method: "POST" } as const;
const HEADERS: readonly { name: string; frame: RequestFrame; expected: [string, string][] }[] = [
  {
    name: "adds the content type of JSON",
    frame: { ...POST, json: {}, headers: { a: "b" } },
    expected: [["a", "b"], ["content-type", "application/json"]],
  },
  {
    name: "leaves a content type in any case",
    frame: { ...POST, json: {}, headers: [["Content-TYPE", "a"]] },
    expected: [["Content-TYPE", "a"]],
  },
  { name: "adds no content type to text", frame: { ...POST, text: "{}" }, expected: [] },
  {
    name: "keeps repeated names and their order",
    frame: { ...ITEMS, headers: [["b", "1"], ["a", "2"], ["b", "3"]] },
    expected: [["b", "1"], ["a", "2"], ["b", "3"]],
  },
];

for (const { name, frame, expected } of HEADERS) {
  Deno.test(`decodeRequest() ${name}`, () => {
    assertEquals(decode(frame).headers, expected);
  });
}

Deno.test("decodeRequest() gives no body, no time, no stream and following where the frame says nothing", () => {
  const target = new URL(ITEMS.url);
  const options = { redirect: "follow", decode: true, stream: false, bodyFollows: false } as const;
  assertEquals(decode(ITEMS), { method: "GET", target, headers: [], body: null, ...options });
});

Deno.test("decodeRequest() makes the method upper-case", () => {
  assertEquals(decode({ ...ITEMS, method: "pAtch" }).method, "PATCH");
});

for (const method of ["GET", "HEAD", "get", "Head"]) {
  for (
    const body of [{ json: null }, { text: "" }, { base64: "" }, { bodyFollows: true } as const]
  ) {
    Deno.test(`decodeRequest() refuses ${method} with ${JSON.stringify(body)}`, () => {
      assertRefused(
        { ...ITEMS, method, ...body },
        `A ${method.toUpperCase()} request cannot have a body`,
      );
    });
  }
}

for (const base64 of ["!", "a", "YQ=", "YQ===", "-_-_", "YQ==YQ==", "\u00e9"]) {
  Deno.test(`decodeRequest() refuses ${base64} as base64`, () => {
    assertRefused({ ...POST, base64 }, '"base64" is not valid base64');
  });
}

for (const url of ["", "/items", "api.example.com", "http://", "http://x:99999/", "http://a b/"]) {
  Deno.test(`decodeRequest() refuses "${url}" as a URL`, () => {
    assertRefused({ ...ITEMS, url }, '"url" is not an absolute URL');
  });
}

Deno.test("decodeRequest() refuses a URL that is too long, with its query", () => {
  const url = `http://x/${"a".repeat(65_534 - "http://x/".length)}`;
  assertEquals(urlOf(decode({ ...ITEMS, url })).href, url);
  assertRefused({ ...ITEMS, url: `${url}a` }, '"url" has more than 65534 characters');
  assertRefused({ ...ITEMS, url, query: { a: 1 } }, '"url" has more than 65534 characters');
});

const GITHUB = { type: "request", id: 1, upstream: "github", path: "/user?a=1#b" } as const;

Deno.test("decodeRequest() takes name:/path for a path below an upstream", () => {
  const expected = { upstream: "github", path: "/user?a=1#b" };
  assertEquals(decode(GITHUB).target, expected);
  assertEquals(decode({ type: "request", id: 1, url: "github:/user?a=1#b" }).target, expected);
});

for (
  const [path, expected] of [
    ["/", "/?x=1&x=a+b"],
    ["/user?a=1", "/user?a=1&x=1&x=a+b"],
    ["/user#b", "/user?x=1&x=a+b"],
    ["/user#?", "/user?x=1&x=a+b"],
  ] as const
) {
  Deno.test(`decodeRequest() appends a query to ${path} below an upstream`, () => {
    const { target } = decode({ ...GITHUB, path, query: { x: [1, "a b"] } });
    assertEquals(target, { upstream: "github", path: expected });
  });
}

for (
  const url of [
    "http:/x",
    "https:/x",
    "github://x/",
    "github:user",
    "GitHub:/user",
    " github:/user",
    "file:///etc/passwd",
  ]
) {
  Deno.test(`decodeRequest() does not take "${url}" for a path below an upstream`, () => {
    assert(decode({ ...ITEMS, url }).target instanceof URL);
  });
}

function urlOf({ target }: ProxyRequest): URL {
  if (target instanceof URL) return target;
  throw new Error(`Below the upstream ${target.upstream}`);
}

function decode(frame: RequestFrame): ProxyRequest {
  return decodeRequest(frame, JSON.stringify(frame));
}

function assertRefused(frame: RequestFrame, message: string): void {
  const { code, sent } = assertThrows(() => decode(frame), ProxyError, message);
  assertEquals([code, sent], ["bad_request", "no"]);
}
