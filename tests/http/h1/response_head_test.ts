import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  createParseHead,
  findHeadEnd,
  type Http1Head,
  isHeadPossible,
  skipEmptyLines,
} from "../../../src/http/h1/response_head.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** Parses a head in the middle of memory. */
function parse(text: string, parseHead = createParseHead()): Http1Head {
  const bytes = Buffer.from(`before${text}behind`, "latin1");
  return parseHead(bytes, 6, bytes.length - 6);
}

/** Parses a head of 200 with these lines. */
function parseFields(lines: readonly string[], version = "HTTP/1.1"): Http1Head {
  return parse([`${version} 200 OK`, ...lines, "", ""].join("\r\n"));
}

/** Asserts that the error says what is wrong. */
function assertRefused(run: () => unknown, problem: string): void {
  const { code, sent, retryable, message } = assertThrows(run, ProxyError);
  assertEquals([code, sent, retryable], ["http_protocol_error", "yes", false]);
  assertEquals(message, problem);
}

const INVALID = "The response is not valid HTTP:";
const CONTROL = `${INVALID} its head has a control character`;

const HEAD_ENDS: readonly { name: string; input: string; expected: number }[] = [
  { name: "after CR LF CR LF", input: "a\r\nb\r\n\r\nc", expected: 8 },
  { name: "after LF LF", input: "a\nb\n\nc", expected: 5 },
  { name: "after LF CR LF", input: "a\n\r\nc", expected: 4 },
  { name: "nowhere after CR CR", input: "a\r\rb", expected: -1 },
  { name: "nowhere after LF CR", input: "a\n\rb", expected: -1 },
  { name: "nowhere in half an end", input: "a\r\n\r", expected: -1 },
  { name: "nowhere in nothing", input: "", expected: -1 },
];

for (const { name, input, expected } of HEAD_ENDS) {
  Deno.test(`findHeadEnd() finds the end ${name}`, () => {
    assertEquals(findHeadEnd(latin1(input), 0, input.length), expected);
    // No byte after `end` is looked at.
    for (let end = 0; end < expected; end++) assertEquals(findHeadEnd(latin1(input), 0, end), -1);
  });
}

Deno.test("isHeadPossible() is false from the first wrong byte on", () => {
  const possible = (text: string): boolean => isHeadPossible(latin1(text), 0, text.length);
  for (const text of ["", "H", "HTTP/1", "HTTP/1.", "HTTP/1.x", "\r"]) assert(possible(text), text);
  for (const text of ["h", "HTTP/2", "http/1.1", " HTTP/1.1", "\r\n", "\0", "SSH-2.0"]) {
    assert(!possible(text), text);
  }
  assert(isHeadPossible(latin1("xHTTy"), 1, 4), "no byte outside is looked at");
  assert(!isHeadPossible(latin1("HTTP/1.x"), 1, 8), "nor one before the start");
});

const EMPTY_LINES: readonly { input: string; expected: number }[] = [
  { input: "", expected: 0 },
  { input: "H", expected: 0 },
  { input: "\r\n", expected: 2 },
  { input: "\n", expected: 1 },
  { input: "\r\n\n\r\nH\r\n", expected: 5 },
  { input: "\r", expected: 0 },
  { input: "\r\r\n", expected: 0 },
  { input: " \r\n", expected: 0 },
];

for (const { input, expected } of EMPTY_LINES) {
  Deno.test(`skipEmptyLines() skips ${expected} bytes of ${JSON.stringify(input)}`, () => {
    assertEquals(skipEmptyLines(latin1(`\n${input}\n`), 1, 1 + input.length), 1 + expected);
  });
}

Deno.test("parseHead() looks at no byte after the head", () => {
  for (const after of ["\0\r\0", " a: b"]) {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nx: y\r\n\r\n${after}`, "latin1");
    const { headers } = createParseHead()(bytes, 0, bytes.length - after.length);
    assertEquals(headers, [["x", "y"]]);
  }
});

Deno.test("parseHead() returns the head as received, with names in lower case", () => {
  const text =
    "HTTP/1.1 404 Not  here \r\nX-Two: 1\r\nset-cookie:a=1\r\nSet-Cookie: b=2 \r\nx-two:\t2\r\n\r\n";
  assertEquals(parse(text), {
    status: 404,
    statusText: "Not  here ",
    headers: [["x-two", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-two", "2"]],
    framing: "close",
    codings: [],
    keepAlive: true,
    keepAliveSeconds: undefined,
  });
});

const STATUS_LINES: readonly { name: string; input: string; expected: [number, string] }[] = [
  { name: "a reason phrase", input: "HTTP/1.1 200 OK", expected: [200, "OK"] },
  { name: "no reason phrase", input: "HTTP/1.1 200 ", expected: [200, ""] },
  { name: "no space after the status", input: "HTTP/1.1 200", expected: [200, ""] },
  { name: "bytes outside ASCII", input: "HTTP/1.1 200 \xe9\t\xff", expected: [200, "\xe9\t\xff"] },
  { name: "another version", input: "HTTP/1.0 599 x", expected: [599, "x"] },
  { name: "a status beyond the classes", input: "HTTP/1.1 999 x", expected: [999, "x"] },
];

for (const { name, input, expected } of STATUS_LINES) {
  Deno.test(`parseHead() parses a status line with ${name}`, () => {
    for (const lineEnd of ["\r\n", "\n"]) {
      const { status, statusText } = parse(`${input}${lineEnd}a: b${lineEnd}${lineEnd}`);
      assertEquals([status, statusText], expected);
    }
  });
}

const REFUSED_STATUS_LINES = `
HTTP/1.2 200 OK
HTTP/2.0 200 OK
HTTP/11 200 OK
HTTP/1.1  200 OK
HTTP/1.1\t200 OK
HTTP/1.1 20 OK
HTTP/1.1 099 OK
HTTP/1.1 2000 OK
HTTP/1.1 200OK
HTTP/1.1 2x0 OK
HTTP/1.1 -200 OK
http/1.1 200 OK
 HTTP/1.1 200 OK
HTTP/1.1
200 OK
GET / HTTP/1.1
`.trim().split("\n");

for (const line of REFUSED_STATUS_LINES) {
  Deno.test(`parseHead() refuses the status line ${JSON.stringify(line)}`, () => {
    const problem = line.startsWith("HTTP/1.")
      ? `${INVALID} its status line is not valid`
      : "The destination responded with something that is not HTTP";
    assertRefused(() => parse(`${line}\r\na: b\r\n\r\n`), problem);
  });
}

for (const line of ["HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\r", "\x1b"]) {
  Deno.test(`parseHead() refuses the control character in ${JSON.stringify(line)}`, () => {
    assertRefused(() => parse(`${line}\r\na: b\r\n\r\n`), CONTROL);
  });
}

const FIELDS: readonly { name: string; input: string; expected: [string, string] }[] = [
  {
    name: "every character of a name",
    input: "!#$%&'*+-.^_`|~09AZaz: v",
    expected: ["!#$%&'*+-.^_`|~09azaz", "v"],
  },
  { name: "no value", input: "x:", expected: ["x", ""] },
  { name: "whitespace around a value", input: "x: \t v w\t ", expected: ["x", "v w"] },
  { name: "colons in a value", input: "x::v:w", expected: ["x", ":v:w"] },
  { name: "bytes outside ASCII", input: "x: \x80\xff\xa0", expected: ["x", "\x80\xff\xa0"] },
];

for (const { name, input, expected } of FIELDS) {
  Deno.test(`parseHead() parses a field with ${name}`, () => {
    assertEquals(parseFields([input]).headers, [expected]);
  });
}

const NAME = `${INVALID} the name of a header field is not valid`;
const REFUSED_FIELDS: readonly { name: string; input: string; problem: string }[] = [
  { name: "without a colon", input: "x y", problem: `${INVALID} a header field has no colon` },
  { name: "without a name", input: ": y", problem: `${INVALID} a header field has no name` },
  {
    name: "with a space before the colon of its length",
    input: "content-length : 1",
    problem: NAME,
  },
  {
    name: "with a tab before the colon of its length",
    input: "content-length\t: 1",
    problem: NAME,
  },
  {
    name: "with a space before the colon of its coding",
    input: "Transfer-Encoding : chunked",
    problem: NAME,
  },
  { name: "with a space before the colon of its end", input: "Connection : close", problem: NAME },
  { name: "with a byte A0 before the colon", input: "x\xa0: y", problem: NAME },
  { name: "with a space in its name", input: "x y: z", problem: NAME },
  { name: "with a name outside ASCII", input: "x\xe9: y", problem: NAME },
  { name: "with a name in parentheses", input: "(x): y", problem: NAME },
  { name: "with a NUL", input: "x: y\0z", problem: CONTROL },
  { name: "with a bare CR", input: "x: y\rz: 1", problem: CONTROL },
  { name: "with two CR", input: "x: y\r", problem: CONTROL },
  { name: "with a vertical tab", input: "x: y\x0bz", problem: CONTROL },
  { name: "with an escape", input: "x: \x1b[0m", problem: CONTROL },
  { name: "with a DEL", input: "x: y\x7f", problem: CONTROL },
  {
    name: "that is folded in its name",
    input: "x\r\n y: z",
    problem: `${INVALID} a line of its head begins with whitespace`,
  },
];

for (const { name, input, problem } of REFUSED_FIELDS) {
  Deno.test(`parseHead() refuses a field ${name}, wherever it is`, () => {
    assertRefused(() => parseFields([input]), problem);
    assertRefused(() => parseFields(["a: b", input, "c: d"]), problem);
  });
}

const FOLDED: readonly { name: string; input: string[]; expected: [string, string][] }[] = [
  { name: "by a space", input: ["x: y", " z"], expected: [["x", "y z"]] },
  { name: "by whitespace", input: ["x: y", " \t z \t"], expected: [["x", "y z"]] },
  { name: "after its colon", input: ["x:", "\ty"], expected: [["x", "y"]] },
  { name: "to nothing", input: ["x: y", " "], expected: [["x", "y"]] },
  {
    name: "several times",
    input: ["x: 1", " 2", "\t3: 4", "y: 5"],
    expected: [["x", "1 2 3: 4"], ["y", "5"]],
  },
  {
    name: "between others",
    input: ["a: b", "x: y", " z", "c: d"],
    expected: [["a", "b"], ["x", "y z"], ["c", "d"]],
  },
];

for (const { name, input, expected } of FOLDED) {
  Deno.test(`parseHead() joins a field that is folded ${name}`, () => {
    assertEquals(parseFields(input).headers, expected);
    assertEquals(parse(["HTTP/1.1 200 OK", ...input, "", ""].join("\n")).headers, expected);
  });
}

Deno.test("parseHead() reads the length and the options of fields that are folded", () => {
  const { framing, keepAlive } = parseFields([
    "content-length:",
    " 12",
    "connection: x,",
    " close",
  ]);
  assertEquals([framing, keepAlive], [12, false]);
  assertEquals(parseFields(["transfer-encoding:", " chunked"]).framing, "chunked");
});

Deno.test("parseHead() refuses whitespace between the status line and the fields", () => {
  const problem = `${INVALID} a line of its head begins with whitespace`;
  for (const line of [" x: y", "\tx: y", " "]) assertRefused(() => parseFields([line]), problem);
});

Deno.test("parseHead() joins a field of many lines in linear time", () => {
  const lines = Array.from({ length: 60_000 }, () => " y");
  const started = performance.now();
  assertEquals(parseFields(["x: y", ...lines]).headers[0]?.[1]?.length, 120_001);
  assert(performance.now() - started < 1000);
});

Deno.test("parseHead() removes whitespace before the colon", () => {
  assertEquals(parseFields(["X-A : y", "x-b \t: z"]).headers, [["x-a", "y"], ["x-b", "z"]]);
});

Deno.test("parseHead() accepts 10000 fields, and names the limit", () => {
  const fields = Array.from({ length: 10_000 }, (_, at) => `x-${at}: y`);
  assertEquals(parseFields(fields).headers.length, 10_000);
  const problem = "The response has more than 10000 header fields";
  assertRefused(() => parseFields([...fields, "x: y"]), problem);
});

// Whether the connection may be used again, with HTTP/1.1 and with HTTP/1.0.
const KEPT: readonly { name: string; input: string[]; expected: [boolean, boolean] }[] = [
  { name: "no field", input: [], expected: [true, false] },
  { name: "keep-alive", input: ["connection: keep-alive"], expected: [true, true] },
  { name: "keep-alive in capitals", input: ["CONNECTION: KEEP-ALIVE"], expected: [true, true] },
  { name: "close", input: ["connection: close"], expected: [false, false] },
  { name: "close in capitals", input: ["Connection: CLOSE"], expected: [false, false] },
  { name: "close in a list", input: ["connection: x-a ,\tClose,x-b"], expected: [false, false] },
  {
    name: "close in a second field",
    input: ["connection: x", "connection: close"],
    expected: [false, false],
  },
  { name: "both", input: ["connection: keep-alive, close"], expected: [false, false] },
  {
    name: "both, the other way round",
    input: ["connection: close", "connection: keep-alive"],
    expected: [false, false],
  },
  { name: "another option", input: ["connection: close-x, x-close"], expected: [true, false] },
  { name: "an empty list", input: ["connection: , ,"], expected: [true, false] },
  {
    name: "a byte A0, which is no whitespace, around close",
    input: ["connection: \xa0close, close\xa0"],
    expected: [true, false],
  },
  {
    name: "a byte A0 around keep-alive",
    input: ["connection: \xa0keep-alive"],
    expected: [true, false],
  },
  {
    name: "the field of a proxy",
    input: ["proxy-connection: keep-alive"],
    expected: [true, false],
  },
];

for (const { name, input, expected } of KEPT) {
  Deno.test(`parseHead() finds whether the connection persists with ${name}`, () => {
    const kept = ["HTTP/1.1", "HTTP/1.0"].map((version) => parseFields(input, version).keepAlive);
    assertEquals(kept, expected);
  });
}

Deno.test("parseHead() does not keep the connection when a response has a length as well as chunks", () => {
  const fields = ["transfer-encoding: chunked", "connection: keep-alive"];
  assertEquals(parseFields(fields).keepAlive, true);
  assertEquals(parseFields([...fields, "content-length: 1"]).keepAlive, false);
});

const SECONDS: readonly { input: string; expected: number | undefined }[] = [
  { input: "timeout=5", expected: 5 },
  { input: "timeout=5, max=100", expected: 5 },
  { input: "max=100;TIMEOUT = 5", expected: 5 },
  { input: 'timeout="5"', expected: 5 },
  { input: "timeout=0", expected: 0 },
  { input: "timeout=-5", expected: undefined },
  { input: "timeout", expected: undefined },
  { input: "max=5", expected: undefined },
  { input: "xtimeout=5", expected: undefined },
  { input: "\ttimeout\t=\t5", expected: 5 },
  { input: "\xa0timeout=5", expected: undefined },
  { input: "timeout\xa0=5", expected: undefined },
  { input: "timeout=\xa05", expected: undefined },
];

for (const { input, expected } of SECONDS) {
  Deno.test(`parseHead() reads the idle time of a connection from ${input}`, () => {
    assertEquals(parseFields([`keep-alive: ${input}`]).keepAliveSeconds, expected);
  });
}

Deno.test("parseHead() reads the idle time of a connection from several fields", () => {
  const fields = ["keep-alive: timeout=5", "keep-alive: max=100"];
  assertEquals(parseFields(fields).keepAliveSeconds, 5);
});

Deno.test("parseHead() parses names of every spelling and length, however many it remembers", () => {
  const parseHead = createParseHead();
  for (let at = 0; at < 3000; at++) {
    const name = `X-${at}-${"Ab".repeat(at % 100)}`;
    for (const spelling of [name, name.toUpperCase(), name]) {
      const { headers } = parse(`HTTP/1.1 200 OK\r\n${spelling}: v\r\n\r\n`, parseHead);
      assertEquals(headers, [[name.toLowerCase(), "v"]]);
    }
  }
});

Deno.test("parseHead() keeps no head in memory for the names that it remembers", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const parseHead = createParseHead();
  collect();
  const { heapUsed } = Deno.memoryUsage();
  for (let at = 0; at < 100; at++) {
    const filler = String(at).repeat(25_000);
    parse(`HTTP/1.1 200 OK\r\nx-a-long-name-${at}: v\r\n${filler}: y\r\n\r\n`, parseHead);
  }
  collect();
  const grown = Deno.memoryUsage().heapUsed - heapUsed;
  assert(grown < 1_000_000, `${grown} bytes are kept`);
  assertEquals(parse("HTTP/1.1 200 OK\r\nX: v\r\n\r\n", parseHead).headers, [["x", "v"]]);
});

Deno.test("parseHead() remembers a limited number of names", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const parseHead = createParseHead();
  collect();
  const { heapUsed } = Deno.memoryUsage();
  for (let at = 0; at < 500; at++) {
    const fields = Array.from({ length: 100 }, (_, field) => `X-${at}-${field}`.padEnd(64, "z"));
    parse(`HTTP/1.1 200 OK\r\n${fields.join(": v\r\n")}: v\r\n\r\n`, parseHead);
  }
  collect();
  const grown = Deno.memoryUsage().heapUsed - heapUsed;
  assert(grown < 2_000_000, `${grown} bytes are kept`);
  assertEquals(parse("HTTP/1.1 200 OK\r\nX: v\r\n\r\n", parseHead).headers, [["x", "v"]]);
});
