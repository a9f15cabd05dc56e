import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { contentCoding } from "../../src/http/coding.ts";
import { latin1, startRaw } from "../helpers/upstream.ts";

const REQUESTS: readonly { readonly name: string; readonly input: [string, string][] }[] = [
  { name: "no accept-encoding", input: [] },
  { name: "gzip", input: [["accept-encoding", "gzip"]] },
  { name: "nothing accepted", input: [["accept-encoding", ""]] },
  { name: "identity", input: [["accept-encoding", "identity"]] },
  { name: "IDENTITY in blanks", input: [["Accept-Encoding", " IDENTITY "]] },
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
  // Not here: several content-encoding fields. Fetch decodes by the first, and they cannot be told from a list.
];

for (const { name, input } of REQUESTS) {
  Deno.test(`contentCoding() says what fetch does after a request with ${name}`, async () => {
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
