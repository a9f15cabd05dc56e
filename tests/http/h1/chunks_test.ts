import { assertEquals } from "@std/assert";
import { ChunkParser } from "../../../src/http/h1/chunks.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** The data of some input, how it ended, and the number of bytes that were not parsed. */
interface Parsed {
  readonly data: string;
  readonly end: "whole" | "broken" | "open";
  readonly left: number;
  /** What is wrong with broken input. */
  readonly problem?: string;
}

/** Parses segments one after the other. */
function parse(segments: readonly string[]): Parsed {
  const parser = new ChunkParser();
  let data = "";
  let left = 0;
  for (const segment of segments) {
    const bytes = latin1(segment);
    let at = 0;
    for (;;) {
      at = parser.advance(bytes, at, bytes.length);
      if (parser.hasEnded || at === bytes.length) break;
      const end = Math.min(bytes.length, at + parser.missing);
      data += segment.slice(at, end);
      parser.take(end - at);
      at = end;
    }
    left += bytes.length - at;
  }
  const end = parser.isBroken ? "broken" : parser.hasEnded ? "whole" : "open";
  return { data, end, left, ...(parser.isBroken && { problem: parser.problem }) };
}

const whole = (data: string, left = 0): Parsed => ({ data, end: "whole", left });
const END = "0\r\n\r\n";

const ROWS: readonly { name: string; input: string; expected: Parsed }[] = [
  { name: "a chunk", input: `5\r\nhello\r\n${END}`, expected: whole("hello") },
  { name: "no chunk", input: END, expected: whole("") },
  { name: "many chunks", input: `1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n${END}`, expected: whole("abcd") },
  {
    name: "either case of a digit",
    input: `A\r\n${"x".repeat(10)}\r\n0b\r\n${"y".repeat(11)}\r\n${END}`,
    expected: whole(`${"x".repeat(10)}${"y".repeat(11)}`),
  },
  {
    name: "the last digit of each kind",
    input: `9\r\n${"x".repeat(9)}\r\nf\r\n${"y".repeat(15)}\r\nF\r\n${"z".repeat(15)}\r\n${END}`,
    expected: whole(`${"x".repeat(9)}${"y".repeat(15)}${"z".repeat(15)}`),
  },
  { name: "leading zeros", input: `0000000000000002\r\nab\r\n000\r\n\r\n`, expected: whole("ab") },
  {
    name: "line ends as data",
    input: `6\r\n\r\n0\r\n\r\r\n${END}`,
    expected: whole("\r\n0\r\n\r"),
  },
  { name: "whitespace after the size", input: `2 \t\r\nab\r\n${END}`, expected: whole("ab") },
  { name: "extensions", input: `2;a=b;c="d;e"\r\nab\r\n0;x\r\n\r\n`, expected: whole("ab") },
  { name: "whitespace before an extension", input: `2 ;a\r\nab\r\n${END}`, expected: whole("ab") },
  { name: "trailers", input: "1\r\na\r\n0\r\nx: y\r\nz:\r\n\r\n", expected: whole("a") },
  {
    name: "every kind of byte in a trailer",
    input: "0\r\n!#$%&'*+-.^_`|~09AZaz:\t~ !\x80\xff:\t\r\n\r\n",
    expected: whole(""),
  },
  { name: "many leading zeros", input: `${"0".repeat(40)}1\r\na\r\n${END}`, expected: whole("a") },
  { name: "no byte after the end", input: `${END}HTTP/1.1 200 OK\r\n`, expected: whole("", 17) },
];

const SIZE = "a chunk has no valid size";
const END_OF_CHUNK = "a chunk is longer than its size";
const TRAILER = "a trailer field is not valid";

const BROKEN: readonly { name: string; input: string; data?: string; problem?: string }[] = [
  { name: "no size", input: "\r\nab" },
  { name: "a size that is not hexadecimal", input: "g\r\n" },
  { name: "a sign", input: "+1\r\na\r\n" },
  { name: "a negative size", input: "-1\r\na\r\n" },
  { name: "a prefix", input: "0x1\r\na\r\n" },
  { name: "a space before the size", input: " 1\r\na\r\n" },
  { name: "a digit after a space", input: "1 1\r\na\r\n" },
  { name: "an underscore", input: "1_0\r\n" },
  { name: "a decimal point", input: "1.0\r\n" },
  { name: "an extension without a size", input: ";a\r\n" },
  { name: "a size beyond the safe integers", input: "20000000000000\r\n" },
  { name: "a size of 64 bits that overflows to 1", input: "10000000000000001\r\na\r\n" },
  { name: "a bare LF after the size", input: "1\na\r\n" },
  { name: "a bare CR after the size", input: "1\ra\r\n" },
  { name: "two CR after the size", input: "1\r\r\na\r\n" },
  {
    name: "a bare LF in an extension",
    input: "1;a\nb\r\n",
    problem: "a chunk extension is not valid",
  },
  { name: "a bare CR in an extension", input: "1;a\rb\r\n" },
  { name: "more data than the size", input: "1\r\nab\r\n", data: "a", problem: END_OF_CHUNK },
  {
    name: "a bare LF after the data",
    input: "1\r\na\n0\r\n\r\n",
    data: "a",
    problem: END_OF_CHUNK,
  },
  {
    name: "a bare CR after the data",
    input: "1\r\na\r0\r\n\r\n",
    data: "a",
    problem: END_OF_CHUNK,
  },
  { name: "nothing after the data", input: "1\r\na0\r\n\r\n", data: "a", problem: END_OF_CHUNK },
  { name: "a bare LF after the last chunk", input: "0\n\n" },
  { name: "a bare LF after the trailers", input: "0\r\n\n", problem: TRAILER },
  { name: "a bare LF after a trailer", input: "0\r\na: b\n\r\n", problem: TRAILER },
  { name: "a bare CR in a trailer", input: "0\r\na: b\rc\r\n\r\n", problem: TRAILER },
  { name: "an end that is cut off by another byte", input: "0\r\n\rx", problem: TRAILER },
  { name: "a trailer without a colon", input: "0\r\nfoo\r\n\r\n", problem: TRAILER },
  { name: "a trailer without a name", input: "0\r\n: a\r\n\r\n", problem: TRAILER },
  { name: "a blank before the colon of a trailer", input: "0\r\na : b\r\n\r\n", problem: TRAILER },
  { name: "a tab before the colon of a trailer", input: "0\r\na\t: b\r\n\r\n", problem: TRAILER },
  { name: "a name of a trailer outside ASCII", input: "0\r\n\xe9: b\r\n\r\n", problem: TRAILER },
  { name: "a folded trailer", input: "0\r\na: b\r\n c\r\n\r\n", problem: TRAILER },
  { name: "a folded first trailer", input: "0\r\n\ta: b\r\n\r\n", problem: TRAILER },
  {
    name: "a head in place of trailers",
    input: "0\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\n",
    problem: TRAILER,
  },
  ...["\0", "\x01", "\x0b", "\x1b", "\x7f", "\n"].map((byte) => ({
    name: `the control character ${byte.charCodeAt(0)} in a trailer`,
    input: `0\r\na: b${byte}c\r\n\r\n`,
    problem: TRAILER,
  })),
  { name: "a byte A0 after the size", input: "1\xa0\r\na\r\n" },
  { name: "a byte A0 before the size", input: "\xa01\r\na\r\n" },
];

Deno.test("advance() parses the largest size, and missing counts down from it", () => {
  const parser = new ChunkParser();
  const bytes = latin1("1fffffffffffff\r\nabc");
  const at = parser.advance(bytes, 0, bytes.length);
  assertEquals([at, parser.missing, parser.hasEnded], [16, Number.MAX_SAFE_INTEGER, false]);
  parser.take(3);
  assertEquals(parser.missing, Number.MAX_SAFE_INTEGER - 3);
});

for (const { name, input, expected } of ROWS) {
  Deno.test(`advance() parses ${name}, however the input is cut`, () => {
    assertEquals(parse([input]), expected);
    const { data, end } = parse([...input]);
    assertEquals({ data, end }, { data: expected.data, end: expected.end });
    for (let at = 1; at < input.length - expected.left; at++) {
      assertEquals(parse([input.slice(0, at)]).end, "open");
      assertEquals(parse([input.slice(0, at), input.slice(at)]), expected);
    }
  });
}

for (const { name, input, data = "", problem = SIZE } of BROKEN) {
  Deno.test(`advance() reports ${name} as broken, however the input is cut`, () => {
    for (const segments of [[input], [...input]]) {
      const { left: _, ...parsed } = parse(segments);
      assertEquals(parsed, { data, end: "broken", problem });
    }
  });
}

// As much in total as Deno's fetch accepts.
const MAX_BYTES = 16_384;
const OVERHEADS: readonly { name: string; input: (bytes: number) => string; data?: string }[] = [
  { name: "an extension", input: (bytes) => `1;${"e".repeat(bytes)}\r\na\r\n${END}`, data: "a" },
  {
    name: "the extensions of many chunks",
    input: (bytes) =>
      `1;eeee\r\na\r\n`.repeat(4096) + `1;${"e".repeat(bytes - 16_384)}\r\na\r\n${END}`,
    data: "a".repeat(4097),
  },
  { name: "whitespace", input: (bytes) => `1${" ".repeat(bytes)}\r\na\r\n${END}`, data: "a" },
  {
    name: "leading zeros",
    input: (bytes) => `${"0".repeat(bytes + 15)}1\r\na\r\n${END}`,
    data: "a",
  },
];
const TRAILERS: typeof OVERHEADS = [
  { name: "a trailer", input: (bytes) => `0\r\nt:${"y".repeat(bytes - 1)}\r\n\r\n` },
  { name: "the name of a trailer", input: (bytes) => `0\r\n${"t".repeat(bytes)}:\r\n\r\n` },
  {
    name: "trailers",
    input: (bytes) => `0\r\n${"t:y\r\n".repeat(8191)}${"t".repeat(bytes - 16_382)}:\r\n\r\n`,
  },
];

for (
  const [overheads, what] of [[OVERHEADS, "chunk extensions"], [
    TRAILERS,
    "trailer fields",
  ]] as const
) {
  for (const { name, input, data = "" } of overheads) {
    Deno.test(`advance() accepts ${name} up to a limit, which it names`, () => {
      assertEquals(parse([input(MAX_BYTES)]), whole(data));
      const { end, problem } = parse([input(MAX_BYTES + 1)]);
      assertEquals([end, problem], ["broken", `its ${what} are longer than 16384 bytes`]);
    });
  }
}
