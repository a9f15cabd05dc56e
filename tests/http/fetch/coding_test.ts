import { assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { fetchCoding, toUndecoded } from "../../../src/http/fetch/coding.ts";
import type { HeaderPairs } from "../../../src/protocol/mod.ts";
import { latin1, startRaw } from "../../helpers/upstream.ts";

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
  { coding: "gzip, x", body: GZIP },
  { coding: "x, gzip", body: GZIP },
  { coding: "identity", body: GZIP },
  { coding: undefined, body: GZIP },
];

for (const { name, input } of REQUESTS) {
  Deno.test(`fetchCoding() agrees with fetch after a request with ${name}`, async () => {
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
      const { decoded } = fetchCoding(input, [...response.headers]);
      const expected = decoded ? new TextEncoder().encode(CODED) : body;
      assertEquals([coding, decoded, await response.bytes()], [coding, decoded, expected]);
    }
  });
}

Deno.test("fetchCoding() trims only spaces and tabs around identity", () => {
  const response = [["content-encoding", "gzip"]] as const;
  for (const [value, expected] of [["\t identity ", false], ["\xa0identity", true]] as const) {
    assertEquals(fetchCoding([["accept-encoding", value]], response).decoded, expected);
  }
});

const LENGTH = ["content-length", "3"] as const;
const LISTS = [
  { coding: "gzip, x", isKept: false },
  { coding: "br, gzip", isKept: false },
  { coding: "gzip,", isKept: false },
  { coding: "x, gzip", isKept: true },
  { coding: ", gzip", isKept: true },
  { coding: "deflate, zstd", isKept: true },
];

for (const { coding, isKept } of LISTS) {
  Deno.test(`fetchCoding() ${isKept ? "keeps" : "drops"} the length beside ${coding}, of which fetch may have decoded the first`, () => {
    const field = ["content-encoding", coding] as const;
    const headers = isKept ? [field, LENGTH] : [field];
    const expected = { decoded: false, mayBeDecoded: !isKept, headers };
    assertEquals(fetchCoding([], [field, LENGTH]), expected);
    const asked = fetchCoding([["Range", "x"]], [field, LENGTH]);
    assertEquals(asked, { decoded: false, mayBeDecoded: false, headers: [field, LENGTH] });
  });
}

const IDENTITY = ["accept-encoding", "identity"] as const;
const UNDECODED: readonly { name: string; input: HeaderPairs; expected: HeaderPairs }[] = [
  { name: "no field", input: [], expected: [IDENTITY, ["accept-encoding", "gzip"]] },
  {
    name: "a field",
    input: [["x", "y"], ["Accept-Encoding", "br"]],
    expected: [IDENTITY, ["x", "y"], ["Accept-Encoding", "br"]],
  },
];

for (const { name, input, expected } of UNDECODED) {
  Deno.test(`toUndecoded() puts identity before ${name}`, () => {
    assertEquals(toUndecoded(input), expected);
  });
}

for (const headers of [[["Accept-Encoding", " IDENTITY"]], [["range", "x"]]] as const) {
  Deno.test(`toUndecoded() leaves ${headers[0][0]}, which has the same effect`, () => {
    assertStrictEquals(toUndecoded(headers), headers);
  });
}
