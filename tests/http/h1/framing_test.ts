import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import type { BodyFraming, Framing } from "../../../src/http/h1/framing.ts";
import { createParseHead } from "../../../src/http/h1/response_head.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";

/** Returns the framing that these fields of a head declare. */
function framingOf(fields: readonly string[], version = "HTTP/1.1"): BodyFraming {
  const bytes = Buffer.from([`${version} 200 OK`, ...fields, "", ""].join("\r\n"), "latin1");
  const { framing, codings } = createParseHead()(bytes, 0, bytes.length);
  return { framing, codings };
}

const LENGTHS: readonly { name: string; input: string[]; expected: Framing }[] = [
  { name: "no field", input: [], expected: "close" },
  { name: "a length", input: ["Content-Length: 12"], expected: 12 },
  { name: "a length of 0", input: ["content-length: 0"], expected: 0 },
  { name: "tabs around a length", input: ["content-length:\t12\t"], expected: 12 },
  { name: "leading zeros", input: [`content-length: ${"0".repeat(40)}12`], expected: 12 },
  {
    name: "the largest length",
    input: ["content-length: 9007199254740991"],
    expected: 9007199254740991,
  },
  {
    name: "a repeated length",
    input: ["content-length: 12", "content-length: 12"],
    expected: 12,
  },
  {
    name: "a length repeated in a list",
    input: ["content-length: 12 ,\t12, 12"],
    expected: 12,
  },
];

for (const { name, input, expected } of LENGTHS) {
  Deno.test(`toFraming() finds the framing of a body with ${name}`, () => {
    assertEquals(framingOf(input), { framing: expected, codings: [] });
  });
}

const TRANSFERS: readonly { input: string; framing: Framing; codings: string[] }[] = [
  { input: "chunked", framing: "chunked", codings: ["chunked"] },
  { input: "\tCHUNKED ", framing: "chunked", codings: ["chunked"] },
  { input: ", ,\tchunked , ", framing: "chunked", codings: ["chunked"] },
  { input: "chunked, chunked", framing: "chunked", codings: ["chunked"] },
  { input: "chunked|chunked", framing: "chunked", codings: ["chunked"] },
  { input: "identity, chunked", framing: "chunked", codings: ["chunked"] },
  { input: "identity|Chunked", framing: "chunked", codings: ["chunked"] },
  { input: "gzip, chunked", framing: "chunked", codings: ["gzip", "chunked"] },
  { input: "GZIP|chunked", framing: "chunked", codings: ["gzip", "chunked"] },
  { input: "gzip", framing: "close", codings: ["gzip"] },
  { input: "deflate, X-Gzip", framing: "close", codings: ["deflate", "x-gzip"] },
  { input: "chunkedchunked", framing: "close", codings: ["chunkedchunked"] },
  { input: '"chunked"', framing: "close", codings: ['"chunked"'] },
  { input: "chunked;q=1", framing: "close", codings: ["chunked;q=1"] },
  { input: "chunked chunked", framing: "close", codings: ["chunked chunked"] },
  { input: "\xa0chunked", framing: "close", codings: ["\xa0chunked"] },
  { input: "a, b, c, d, e", framing: "close", codings: ["a", "b", "c", "d", "e"] },
];

for (const { input, framing, codings } of TRANSFERS) {
  Deno.test(`toCodings() finds the transfer codings of ${JSON.stringify(input)}`, () => {
    const fields = input.split("|").map((value) => `Transfer-Encoding: ${value}`);
    assertEquals(framingOf(fields), { framing, codings });
    assertEquals(framingOf(["content-length: 12", ...fields]), { framing, codings });
  });
}

Deno.test("toCodings() ignores identity and empty values, so that the length applies", () => {
  for (const value of ["identity", "Identity ,identity", "", " , "]) {
    for (const version of ["HTTP/1.0", "HTTP/1.1"]) {
      const field = `transfer-encoding: ${value}`;
      assertEquals(framingOf([field], version), { framing: "close", codings: [] });
      assertEquals(framingOf([field, "content-length: 2"], version), { framing: 2, codings: [] });
    }
  }
});

const NUMBER = "its content-length is not a number";
const SEVERAL = "it has several lengths";
const LARGE = "its content-length is too large";
const LAST = '"chunked" is not its last coding';

const REFUSED: readonly { problem: string; inputs: readonly string[] }[] = [
  {
    problem: NUMBER,
    inputs: [
      "content-length:",
      "content-length: +1",
      "content-length: -1",
      "content-length: 1.0",
      "content-length: 1e1",
      "content-length: 0x1",
      "content-length: 1 1",
      "content-length: 1\x85",
      "content-length: \xa01",
      "content-length: 1_0",
      "content-length: ,1",
      "content-length: 1;1",
      'content-length: "1"',
      "content-length: \xd9\xa1",
    ],
  },
  {
    problem: SEVERAL,
    inputs: [
      "content-length: 1,",
      "content-length: 1, 2",
      "content-length: 1, 1\xa0",
      "content-length: 1|content-length: 2",
      "content-length: 1|content-length: 01",
      "content-length: 1|content-length:",
    ],
  },
  {
    problem: LARGE,
    inputs: [
      "content-length: 9007199254740992",
      "content-length: 18446744073709551617",
      `content-length: ${"9".repeat(400)}`,
    ],
  },
  {
    problem: LAST,
    inputs: [
      "transfer-encoding: chunked, gzip",
      "transfer-encoding: chunked, identity",
      "transfer-encoding: chunked|transfer-encoding: identity",
      "transfer-encoding: chunked, gzip, chunked",
    ],
  },
];

for (const { problem, inputs } of REFUSED) {
  for (const input of inputs) {
    Deno.test(`toFraming() refuses ${JSON.stringify(input)}`, () => {
      const { code, message } = assertThrows(() => framingOf(input.split("|")), ProxyError);
      const expected = `The response is not valid HTTP: ${problem}`;
      assertEquals([code, message], ["http_protocol_error", expected]);
    });
  }
}

Deno.test("toCodings() accepts no more than 5 codings, and names the limit", () => {
  const run = (): unknown => framingOf(["transfer-encoding: a, b, c, d, e, f"]);
  const { code, message } = assertThrows(run, ProxyError);
  const expected = "The response has more than 5 transfer codings";
  assertEquals([code, message], ["http_protocol_error", expected]);
});

Deno.test("toCodings() refuses transfer codings in HTTP/1.0, which has none", () => {
  for (const more of [[], ["connection: keep-alive"], ["content-length: 1"]]) {
    const run = (): unknown => framingOf(["transfer-encoding: chunked", ...more], "HTTP/1.0");
    const { message } = assertThrows(run, ProxyError);
    assertEquals(message, "The response is not valid HTTP: HTTP/1.0 has no transfer-encoding");
  }
});
