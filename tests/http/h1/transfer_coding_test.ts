import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deflateSync, gzipSync } from "node:zlib";
import { createHttp1Body } from "../../../src/http/h1/response.ts";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import type { Body } from "../../../src/http/body.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createTurns } from "../../helpers/turns.ts";
import { READINGS, readText } from "./test_client.ts";
import { createWire } from "./wire.ts";

/** One character per byte. */
function toText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

const GZIP = toText(gzipSync("hello"));
const DEFLATE = toText(deflateSync("hello"));

/** Returns a body with these codings that arrives as `input` in one segment. */
function bodyOf(
  codings: readonly string[],
  input: string,
  { method = "GET", status = 200 } = {},
): { body: Body; ends: readonly boolean[] } {
  const isChunked = codings.at(-1) === "chunked";
  const wire = isChunked
    ? createWire(`${input.length.toString(16)}\r\n${input}\r\n0\r\n\r\n`)
    : createWire(input, null);
  const ends: boolean[] = [];
  const body = createHttp1Body({ status, framing: isChunked ? "chunked" : "close", codings }, {
    connection: new TcpConnection(wire),
    method,
    signal: new AbortController().signal,
    turns: createTurns(),
    ended: (isReusable) => ends.push(isReusable),
  });
  return { body, ends };
}

const DECODED: readonly { codings: readonly string[]; input: string; isReusable: boolean }[] = [
  { codings: ["gzip", "chunked"], input: GZIP, isReusable: true },
  { codings: ["x-gzip", "chunked"], input: GZIP, isReusable: true },
  { codings: ["deflate", "chunked"], input: DEFLATE, isReusable: true },
  { codings: ["gzip"], input: GZIP, isReusable: false },
  { codings: ["deflate"], input: DEFLATE, isReusable: false },
  {
    codings: ["deflate", "gzip", "chunked"],
    input: toText(gzipSync(deflateSync("hello"))),
    isReusable: true,
  },
];

for (const { codings, input, isReusable } of DECODED) {
  Deno.test(`decodeTransfer() decodes ${codings.join(", ")}`, async () => {
    for (const reading of READINGS) {
      const { body, ends } = bodyOf(codings, input);
      assertEquals([body.length, await readText({ body }, { reading })], [undefined, "hello"]);
      assertEquals(ends, [isReusable]);
    }
  });
}

const UNSUPPORTED: readonly { codings: readonly string[]; named: string }[] = [
  { codings: ["br", "chunked"], named: "br" },
  { codings: ["compress"], named: "compress" },
  { codings: ["gzip", "foo", "chunked"], named: "foo" },
  { codings: ["chunked;q=1"], named: "one without a valid name" },
  { codings: ["x".repeat(33)], named: "one without a valid name" },
];

for (const { codings, named } of UNSUPPORTED) {
  Deno.test(`decodeTransfer() refuses ${codings.join(", ")}, and names what it does not support`, () => {
    const { code, sent, message } = assertThrows(() => bodyOf(codings, "x"), ProxyError);
    const expected = `The response body has a transfer coding that is not supported: ${named}`;
    assertEquals([code, sent, message], ["http_protocol_error", "yes", expected]);
  });
}

Deno.test("createHttp1Body() takes any coding of a response without a body", async () => {
  for (const more of [{ method: "HEAD" }, { status: 204 }, { status: 304 }]) {
    const { body, ends } = bodyOf(["foo", "chunked"], "", more);
    assertEquals([await readText({ body }), ends], ["", [true]]);
  }
});

const BROKEN: readonly { name: string; codings: readonly string[]; input: string }[] = [
  { name: "not gzip", codings: ["gzip", "chunked"], input: "hello hello hello" },
  { name: "cut off", codings: ["gzip", "chunked"], input: GZIP.slice(0, -6) },
  { name: "not deflate", codings: ["deflate"], input: "\xff\xff\xff\xff" },
];

for (const { name, codings, input } of BROKEN) {
  Deno.test(`decodeTransfer() fails when a body is ${name}`, async () => {
    for (const reading of READINGS) {
      const { body } = bodyOf(codings, input);
      const error = await assertRejects(() => readText({ body }, { reading }), ProxyError);
      assertEquals([error.code, error.sent], ["http_protocol_error", "yes"]);
      assertEquals(error.message, "The response body is not coded as its transfer-encoding says");
    }
  });
}

Deno.test("decodeTransfer() limits the decoded bytes", async () => {
  const { body } = bodyOf(["gzip", "chunked"], GZIP);
  const { code } = await assertRejects(() => readText({ body }, { maxBytes: 4 }), ProxyError);
  assertEquals(code, "http_response_body_size");
});
