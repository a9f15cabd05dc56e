import { assertEquals } from "@std/assert";
import { ChunkParser } from "../../../src/http/h1/chunks.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** The data of some input, how it ended, and the number of bytes that were not parsed. */
interface Parsed {
  readonly data: string;
  readonly end: "whole" | "broken" | "open";
  readonly left: number;
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
  return { data, end, left };
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
  { name: "no byte after the end", input: `${END}HTTP/1.1 200 OK\r\n`, expected: whole("", 17) },
];

const broken = (data = ""): Pick<Parsed, "data" | "end"> => ({ data, end: "broken" });

const BROKEN: readonly { name: string; input: string; data?: string }[] = [
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
  { name: "zeros without end", input: "00000000000000001\r\na\r\n" },
  { name: "a bare LF after the size", input: "1\na\r\n" },
  { name: "a bare CR after the size", input: "1\ra\r\n" },
  { name: "two CR after the size", input: "1\r\r\na\r\n" },
  { name: "a bare LF in an extension", input: "1;a\nb\r\n" },
  { name: "a bare CR in an extension", input: "1;a\rb\r\n" },
  { name: "more data than the size", input: "1\r\nab\r\n", data: "a" },
  { name: "a bare LF after the data", input: "1\r\na\n0\r\n\r\n", data: "a" },
  { name: "a bare CR after the data", input: "1\r\na\r0\r\n\r\n", data: "a" },
  { name: "nothing after the data", input: "1\r\na0\r\n\r\n", data: "a" },
  { name: "a bare LF after the last chunk", input: "0\n\n" },
  { name: "a bare LF after the trailers", input: "0\r\n\n" },
  { name: "a bare LF after a trailer", input: "0\r\na: b\n\r\n" },
  { name: "a bare CR in a trailer", input: "0\r\na: b\rc\r\n\r\n" },
  { name: "an end that is cut off by another byte", input: "0\r\n\rx" },
];

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

for (const { name, input, data } of BROKEN) {
  Deno.test(`advance() reports ${name} as broken, however the input is cut`, () => {
    for (const segments of [[input], [...input]]) {
      const { left: _, ...parsed } = parse(segments);
      assertEquals(parsed, broken(data));
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
  { name: "a trailer", input: (bytes) => `0\r\n${"t".repeat(bytes)}\r\n\r\n` },
  {
    name: "trailers",
    input: (bytes) => `0\r\n${"t\r\n".repeat(16_383)}${"t".repeat(bytes - 16_383)}\r\n\r\n`,
  },
];

for (const { name, input, data = "" } of OVERHEADS) {
  Deno.test(`advance() accepts no more of ${name} than fetch`, () => {
    assertEquals(parse([input(MAX_BYTES)]), whole(data));
    assertEquals(parse([input(MAX_BYTES + 1)]).end, "broken");
  });
}
