import { assertEquals, assertThrows } from "@std/assert";
import { encodeRequestHead, type RequestHead } from "../../../src/http/h1/request_head.ts";
import { type HeaderPairs, ProxyError } from "../../../src/protocol/mod.ts";

interface TestRequest extends Partial<Omit<RequestHead, "url">> {
  readonly url?: string;
}

function encode({ url = "http://a.example/", ...asked }: TestRequest = {}): string {
  return encodeRequestHead({
    method: "GET",
    headers: [],
    length: undefined,
    ...asked,
    url: new URL(url),
  });
}

/** The lines of a head, without the fields that are added where there are none. */
function linesOf(asked: TestRequest): string[] {
  const lines = encode(asked).split("\r\n");
  assertEquals(lines.slice(-2), ["", ""]);
  return lines.slice(0, -2).filter((line) => !DEFAULTS.includes(line));
}

function assertRefused(asked: TestRequest): void {
  const { code, sent, message } = assertThrows(() => encode(asked), ProxyError);
  assertEquals([code, sent], ["bad_request", "no"]);
  assertEquals(message.includes("\n"), false);
}

const AGENT = `user-agent: Deno/${Deno.version.deno}`;
const DEFAULTS = ["accept: */*", "accept-language: *", AGENT, "accept-encoding: gzip"];

Deno.test("encodeRequestHead() writes the fields that fetch adds, and no others", () => {
  const start = "GET / HTTP/1.1\r\nhost: a.example\r\n";
  assertEquals(encode(), `${start}${DEFAULTS.join("\r\n")}\r\n\r\n`);
});

const TARGETS: readonly { name: string; input: string; expected: [string, string] }[] = [
  { name: "a path", input: "http://a.example/b/c", expected: ["/b/c", "a.example"] },
  { name: "no path", input: "http://a.example", expected: ["/", "a.example"] },
  { name: "a query", input: "http://a.example?b=/c", expected: ["/?b=/c", "a.example"] },
  { name: "an empty query", input: "http://a.example/?", expected: ["/?", "a.example"] },
  { name: "a fragment", input: "http://a.example/b?c#/d?e", expected: ["/b?c", "a.example"] },
  { name: "an empty fragment", input: "http://a.example/#", expected: ["/", "a.example"] },
  { name: "the default port", input: "http://a.example:80/", expected: ["/", "a.example"] },
  { name: "a port", input: "http://a.example:81/", expected: ["/", "a.example:81"] },
  { name: "an IPv6 address", input: "http://[::1]:81/b", expected: ["/b", "[::1]:81"] },
  {
    name: "a user, which is not sent",
    input: "http://u:p@a.example/",
    expected: ["/", "a.example"],
  },
  {
    name: "a user with slashes",
    input: "http://u%2F:%2F@a.example/b",
    expected: ["/b", "a.example"],
  },
  {
    name: "a host outside ASCII",
    input: "http://É.EXAMPLE/",
    expected: ["/", "xn--9ca.example"],
  },
  { name: "two slashes", input: "http://a.example//b//", expected: ["//b//", "a.example"] },
  {
    name: "line ends, which a URL drops",
    input: "http://a.example/\r\nb\n?c\rd",
    expected: ["/b?cd", "a.example"],
  },
  {
    name: "whitespace",
    input: "http://a.example/b c?d e",
    expected: ["/b%20c?d%20e", "a.example"],
  },
  {
    name: "control characters",
    input: "http://a.example/\0\x0b?\x7f\x85",
    expected: ["/%00%0B?%7F%C2%85", "a.example"],
  },
  {
    name: "an escaped line end",
    input: "http://a.example/č?Ċ",
    expected: ["/%C4%8D?%C4%8A", "a.example"],
  },
  {
    name: "a version",
    input: "http://a.example/ HTTP/1.1",
    expected: ["/%20HTTP/1.1", "a.example"],
  },
];

for (const { name, input, expected: [target, host] } of TARGETS) {
  Deno.test(`encodeRequestHead() writes a URL with ${name}`, () => {
    assertEquals(linesOf({ url: input }), [`GET ${target} HTTP/1.1`, `host: ${host}`]);
  });
}

const LENGTHS: readonly { method: string; length: RequestHead["length"]; expected: string[] }[] = [
  { method: "GET", length: undefined, expected: [] },
  { method: "HEAD", length: undefined, expected: [] },
  { method: "DELETE", length: undefined, expected: [] },
  { method: "OPTIONS", length: undefined, expected: [] },
  { method: "POST", length: undefined, expected: ["content-length: 0"] },
  { method: "PUT", length: undefined, expected: ["content-length: 0"] },
  { method: "PATCH", length: undefined, expected: ["content-length: 0"] },
  { method: "DELETE", length: 0, expected: ["content-length: 0"] },
  { method: "POST", length: 12, expected: ["content-length: 12"] },
  { method: "POST", length: "chunked", expected: ["transfer-encoding: chunked"] },
];

for (const { method, length, expected } of LENGTHS) {
  Deno.test(`encodeRequestHead() frames ${method} with a body of ${length}`, () => {
    assertEquals(linesOf({ method, length }).slice(2), expected);
  });
}

const FIELDS: readonly { name: string; input: HeaderPairs; expected: string[] }[] = [
  {
    name: "in their spelling and order",
    input: [["X-B", "1"], ["x-a", "2"], ["x-b", "3"]],
    expected: ["X-B: 1", "x-a: 2", "x-b: 3"],
  },
  { name: "that are empty", input: [["x", ""]], expected: ["x: "] },
  {
    name: "with tabs and bytes outside ASCII",
    input: [["x", "a\tb\x80\xff"]],
    expected: ["x: a\tb\x80\xff"],
  },
  {
    name: "with line ends around the value",
    input: [["x", "\r\n a b \n"], ["y", "\n"]],
    expected: ["x: a b", "y: "],
  },
  {
    name: "with every character of a name",
    input: [["!#$%&'*+-.^_`|~09Az", "1"]],
    expected: ["!#$%&'*+-.^_`|~09Az: 1"],
  },
];

for (const { name, input, expected } of FIELDS) {
  Deno.test(`encodeRequestHead() writes fields ${name}`, () => {
    assertEquals(linesOf({ headers: input }).slice(2), expected);
  });
}

Deno.test("encodeRequestHead() adds no field that the request has, in any spelling", () => {
  const headers = [["Accept", "a"], ["ACCEPT-LANGUAGE", ""], ["user-Agent", "b"], [
    "Accept-encoding",
    "c",
  ]] as const;
  assertEquals(encode({ headers }).split("\r\n").slice(2, -2), [
    "Accept: a",
    "ACCEPT-LANGUAGE: ",
    "user-Agent: b",
    "Accept-encoding: c",
  ]);
});

Deno.test("encodeRequestHead() accepts no coding of a part of a body", () => {
  const { length } = DEFAULTS;
  const lines = encode({ headers: [["Range", "bytes=0-1"]] }).split("\r\n").slice(2, -2);
  assertEquals(lines, [
    "Range: bytes=0-1",
    ...DEFAULTS.slice(0, length - 1),
    "accept-encoding: identity",
  ]);
});

const INJECTED = ["\r\nx: y", "\nx: y", "\rx: y", "\0", "\x01", "\x0b", "\x0c", "\x1b", "\x7f"];
const BEYOND = ["č", "Ċ", "\u2028", "😀", "\ud800"]; // the low bytes of the first two are CR and LF

Deno.test("encodeRequestHead() refuses values with control characters or outside Latin-1", () => {
  for (const text of [...INJECTED, ...BEYOND]) {
    assertRefused({ headers: [["x-first", "1"], ["x", `a${text}b`]] });
  }
  for (const text of INJECTED.slice(3)) {
    assertRefused({ headers: [["x", text]] });
  }
});

Deno.test("encodeRequestHead() refuses names that are not tokens, or too long", () => {
  const names = [...INJECTED, ...BEYOND].map((text) => `a${text}b`);
  for (
    const name of [
      ...names,
      "",
      " ",
      "a b",
      "a:",
      ":a",
      "a: b",
      " a",
      "a\t",
      "(a)",
      "a,b",
      "é",
      "a".repeat(65_536),
    ]
  ) {
    assertRefused({ headers: [[name, "v"]] });
  }
});

Deno.test("encodeRequestHead() refuses methods that are not tokens", () => {
  const methods = [...INJECTED, ...BEYOND].map((text) => `GET${text}`);
  for (const method of [...methods, "", "GET ", " GET", "GET / HTTP/1.1", "G:T", "é"]) {
    assertRefused({ method });
  }
});

Deno.test("encodeRequestHead() refuses hosts that cannot be looked up, and targets that are too long", () => {
  for (const host of ["a{b.example", "a`b.example", 'a"b.example']) {
    assertRefused({ url: `http://${host}/` });
  }
  const longest = "http://a.example/".padEnd("http://a.example".length + 65_534, "b");
  assertEquals(encode({ url: longest }).startsWith("GET /bbb"), true);
  assertRefused({ url: `${longest}b` });
});

Deno.test("encodeRequestHead() takes linear time for a value that is nearly all whitespace", () => {
  // A million steps, and not a million times a million.
  assertRefused({ headers: [["x", `a${" ".repeat(1_000_000)}\n${" ".repeat(1_000_000)}b`]] });
});
