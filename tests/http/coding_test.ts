import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { asksForBrotli, contentCoding, gunzipBody } from "../../src/http/coding.ts";
import { type HeaderPairs, ProxyError } from "../../src/protocol/mod.ts";
import { latin1, startRaw } from "../helpers/upstream.ts";
import { fakeBody, readTexts, textOf } from "./fake_body.ts";

const REQUESTS: readonly { readonly name: string; readonly input: [string, string][] }[] = [
  { name: "no accept-encoding", input: [] },
  { name: "gzip", input: [["accept-encoding", "gzip"]] },
  { name: "nothing accepted", input: [["accept-encoding", ""]] },
  { name: "identity", input: [["accept-encoding", "identity"]] },
  { name: "IDENTITY in whitespace", input: [["Accept-Encoding", " IDENTITY "]] },
  { name: "identity with a weight", input: [["accept-encoding", "identity;q=1"]] },
  { name: "identity, gzip", input: [["accept-encoding", "identity, gzip"]] },
  {
    name: "identity and gzip as two fields",
    input: [["accept-encoding", "identity"], ["accept-encoding", "gzip"]],
  },
  {
    name: "gzip and identity as two fields",
    input: [["accept-encoding", "gzip"], ["accept-encoding", "identity"]],
  },
  { name: "zstd", input: [["accept-encoding", "zstd"]] },
  { name: "gzip refused", input: [["accept-encoding", "gzip;q=0"]] },
  { name: "a range", input: [["Range", "bytes=0-3"]] },
  { name: "an empty range", input: [["range", ""], ["accept-encoding", "gzip"]] },
];

const CODED = "a body, coded";
const GZIP = new Uint8Array(gzipSync(CODED));
const BR = new Uint8Array(brotliCompressSync(CODED));
const RESPONSES = [
  { coding: "gzip", body: GZIP },
  { coding: "GZip", body: GZIP },
  { coding: "br", body: BR },
  { coding: "BR", body: BR },
  { coding: "x-gzip", body: GZIP },
  { coding: "gzip, br", body: GZIP },
  { coding: "gzip,", body: GZIP },
  { coding: "identity", body: GZIP },
  { coding: undefined, body: GZIP },
  // Several content-encoding fields are missing here: fetch decodes by the first of them.
];

for (const { name, input } of REQUESTS) {
  Deno.test(`contentCoding() agrees with fetch after a request with ${name}`, async () => {
    await using upstream = startRaw(async (connection) => {
      for (const { coding, body } of RESPONSES) {
        if (await connection.readHead() === "") return;
        const field = coding === undefined ? "" : `content-encoding: ${coding}\r\n`;
        const head = `HTTP/1.1 200 OK\r\n${field}content-length: ${body.length}\r\n\r\n`;
        await connection.write(concat([latin1(head), body]));
      }
    });
    using client = Deno.createHttpClient({});
    for (const { coding, body } of RESPONSES) {
      const response = await fetch(upstream.origin, { headers: input, client });
      const decoded = contentCoding(input, [...response.headers]);
      const expected = decoded ? new TextEncoder().encode(CODED) : body;
      assertEquals([coding, decoded, await response.bytes()], [coding, decoded, expected]);
    }
  });
}

Deno.test("contentCoding() trims only spaces and tabs around identity", () => {
  const response = [["content-encoding", "gzip"]] as const;
  for (
    const [value, expected] of [["\t identity ", undefined], ["\xa0identity", "gzip"]] as const
  ) {
    assertEquals(contentCoding([["accept-encoding", value]], response), expected);
  }
});

Deno.test("contentCoding() is undefined for several content-encoding fields", () => {
  const response = [["content-encoding", "gzip"], ["x", "y"], [
    "content-encoding",
    "gzip",
  ]] as const;
  assertEquals(contentCoding([], response), undefined);
  assertEquals(contentCoding([], response.slice(0, 2)), "gzip");
});

const BROTLI: readonly { name: string; input: HeaderPairs; expected: boolean }[] = [
  { name: "br", input: [["accept-encoding", "br"]], expected: true },
  { name: "BR in another case", input: [["ACCEPT-encoding", "BR"]], expected: true },
  { name: "br in a list", input: [["accept-encoding", "gzip,\tbr , x"]], expected: true },
  { name: "br with a weight", input: [["accept-encoding", "gzip, br;q=0.5"]], expected: true },
  { name: "no field", input: [], expected: false },
  { name: "gzip", input: [["accept-encoding", "gzip"]], expected: false },
  { name: "a longer name", input: [["accept-encoding", "brx, xbr, x-br"]], expected: false },
  { name: "br after a byte A0", input: [["accept-encoding", "\xa0br\xa0"]], expected: false },
  { name: "another field", input: [["content-encoding", "br"]], expected: false },
  { name: "a field of the same length", input: [["accept-encodinh", "br"]], expected: false },
  { name: "br in a later field", input: [["x", "y"], ["accept-encoding", "br"]], expected: true },
];

for (const { name, input, expected } of BROTLI) {
  Deno.test(`asksForBrotli() is ${expected} for ${name}`, () => {
    assertEquals(asksForBrotli(input), expected);
  });
}

/** Returns bytes as the parts of a fake body, cut into pieces. */
function cut(bytes: Uint8Array, size: number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(textOf(bytes.subarray(at, at + size)));
  }
  return pieces;
}

for (const size of [1, 7, 200]) {
  Deno.test(`gunzipBody() decodes a body in pieces of ${size} bytes`, async () => {
    const text = "a body that is coded, ".repeat(30);
    const coded = new Uint8Array(gzipSync(text));
    const fake = fakeBody(cut(coded, size), { length: coded.length, isHere: true });
    const body = gunzipBody(fake.body);
    assertEquals([body.length, body.isHere], [undefined, false]);
    assertEquals(textOf(await body.bytes(text.length)), text);
    assertEquals(fake.limits(), [Infinity]);
    const again = gunzipBody(fakeBody(cut(coded, size)).body);
    assertEquals((await readTexts(again.chunks(text.length))).join(""), text);
  });
}

Deno.test("gunzipBody() decodes several members, and an empty body to an empty one", async () => {
  const coded = [..."ab"].map((text) => textOf(new Uint8Array(gzipSync(text))));
  assertEquals(textOf(await gunzipBody(fakeBody(coded).body).bytes(9)), "ab");
  assertEquals(await gunzipBody(fakeBody([]).body).bytes(0), new Uint8Array());
});

Deno.test("gunzipBody() limits the decoded bytes, and discards the body beyond them", async () => {
  const coded = cut(new Uint8Array(gzipSync("abcdef")), 9);
  for (const way of ["bytes", "chunks"] as const) {
    const fake = fakeBody(coded);
    const body = gunzipBody(fake.body);
    const reading = async (): Promise<unknown> =>
      way === "bytes" ? await body.bytes(5) : await readTexts(body.chunks(5));
    const { code, message } = await assertRejects(reading, ProxyError);
    assertEquals([code, message], [
      "http_response_body_size",
      "The response body is larger than 5 bytes",
    ]);
    assertEquals(fake.discards() > 0, true);
  }
});

const MISCODED: readonly { name: string; input: readonly string[] }[] = [
  { name: "is not gzip", input: ["text"] },
  { name: "is cut", input: [textOf(new Uint8Array(gzipSync("text"))).slice(0, -1)] },
];

for (const { name, input } of MISCODED) {
  Deno.test(`gunzipBody() fails when the body ${name}`, async () => {
    const fake = fakeBody(input);
    const error = await assertRejects(async () => await gunzipBody(fake.body).bytes(9), ProxyError);
    assertEquals([error.code, error.sent, error.retryable], [
      "http_response_content_coding",
      "yes",
      false,
    ]);
    assertEquals(error.cause instanceof Error, true);
    assertEquals(fake.discards() > 0, true);
  });
}

Deno.test("gunzipBody() throws the error of a body that breaks off", async () => {
  const broken = new Error("broken");
  for (const before of [[], [textOf(new Uint8Array(gzipSync("text"))).slice(0, 12)]]) {
    const { body } = fakeBody([...before, broken]);
    assertStrictEquals(await assertRejects(async () => await gunzipBody(body).bytes(9)), broken);
  }
});

Deno.test("gunzipBody() reads little more than its buffers hold, and discards the rest", async () => {
  const noise = Uint8Array.from({ length: 500_000 }, (_, at) => Math.imul(at, 2654435761) >>> 24);
  const coded = cut(new Uint8Array(gzipSync(noise, { level: 0 })), 250);
  const fake = fakeBody(coded);
  for await (const chunk of gunzipBody(fake.body).chunks(Infinity)) {
    assertEquals(chunk, noise.subarray(0, chunk.length));
    break;
  }
  assertEquals([fake.discards() > 0, fake.reads() < coded.length / 2], [true, true]);
});

Deno.test("gunzipBody() ends at once when it is left while nothing more arrives", async () => {
  const coded = textOf(new Uint8Array(gzipSync("text ".repeat(10_000), { level: 0 })));
  const fake = fakeBody([coded.slice(0, 200), coded.slice(200, 400), new Promise(() => {})]);
  for await (const chunk of gunzipBody(fake.body).chunks(Infinity)) {
    assertEquals(textOf(chunk).startsWith("text text"), true);
    break;
  }
  assertEquals(fake.discards() > 0, true);
});

Deno.test("gunzipBody() discards a body that was not read", () => {
  const fake = fakeBody(["x"]);
  gunzipBody(fake.body).discard();
  assertEquals([fake.discards(), fake.reads()], [1, 0]);
});
