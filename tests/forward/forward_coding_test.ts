/**
 * Content codings of forwarded responses, by both transports.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { type HeaderPairs, ProxyError } from "../../src/protocol/mod.ts";
import { createForwardClient, type HttpClientName, testEach } from "../helpers/http_clients.ts";
import { latin1, type RawUpstream, startRaw } from "../helpers/upstream.ts";
import { requestHead, type TestRequest } from "./make_request.ts";

const TEXT = "a body that is coded, ".repeat(30);
const GZIP = gzipSync(TEXT);

interface CodedResponse {
  /** The values of its `content-encoding` fields. */
  readonly codings: readonly string[];
  readonly body: Uint8Array;
  readonly status?: number;
}

interface CodingServer extends RawUpstream {
  /** The heads that it has received. */
  readonly heads: readonly string[];
}

/** Starts a server that responds to every request on a connection. */
function startCoded({ codings, body, status = 200 }: CodedResponse): CodingServer {
  const heads: string[] = [];
  const fields = codings.map((coding) => `content-encoding: ${coding}\r\n`).join("");
  const head = `HTTP/1.1 ${status} x\r\n${fields}content-length: ${body.length}\r\n\r\n`;
  const server = startRaw(async (connection) => {
    for (;;) {
      const received = await connection.readHead();
      if (received === "") return;
      heads.push(received);
      await connection.write(concat([latin1(head), new Uint8Array(body)]));
    }
  });
  return Object.assign(server, { heads });
}

interface Received {
  readonly coding: string | null;
  readonly length: string | null;
  readonly body: Uint8Array | undefined;
}

/** Makes a request and returns what matters of its response. */
async function receive(by: HttpClientName, url: string, request: TestRequest): Promise<Received> {
  using client = createForwardClient(by);
  const { head, body } = await requestHead(client, url, request);
  const headers = new Headers(head.headers as [string, string][]); // the same type, but mutable
  return {
    coding: headers.get("content-encoding"),
    length: headers.get("content-length"),
    body: await body?.bytes(10_000),
  };
}

const IDENTITY: HeaderPairs = [["accept-encoding", "identity"]];
const RANGE: HeaderPairs = [["range", "bytes=0-"]];

const DECODED:
  readonly (CodedResponse & { readonly name: string; readonly headers?: HeaderPairs })[] = [
    { name: "gzip", codings: ["gzip"], body: GZIP },
    { name: "x-gzip", codings: ["x-gzip"], body: GZIP },
    { name: "GZIP", codings: ["GZIP"], body: GZIP },
    { name: "bytes after gzip", codings: ["gzip"], body: concat([GZIP, latin1("garbage")]) },
    { name: "deflate", codings: ["deflate"], body: deflateSync(TEXT) },
    { name: "raw deflate", codings: ["deflate"], body: deflateRawSync(TEXT) },
    { name: "br", codings: ["br"], body: brotliCompressSync(TEXT) },
    { name: "zstd", codings: ["zstd"], body: zstdCompressSync(TEXT) },
    { name: "gzip, br", codings: ["gzip, br"], body: brotliCompressSync(GZIP) },
    {
      name: "deflate and zstd",
      codings: ["deflate", "zstd"],
      body: zstdCompressSync(deflateSync(TEXT)),
    },
    { name: "gzip of an error", codings: ["gzip"], body: GZIP, status: 500 },
    { name: "gzip that was not asked for", codings: ["gzip"], body: GZIP, headers: IDENTITY },
    { name: "gzip that is not a part", codings: ["gzip"], body: GZIP, headers: RANGE },
    {
      name: "br that is asked for",
      codings: ["br"],
      body: brotliCompressSync(TEXT),
      headers: [["accept-encoding", "br"]],
    },
  ];

for (const { name, headers = [], ...response } of DECODED) {
  testEach(`forward() decodes ${name}, without the fields of the coded body`, async (by) => {
    await using upstream = startCoded(response);
    const { coding, length, body } = await receive(by, upstream.origin, { headers });
    assertEquals([coding, length, new TextDecoder().decode(body)], [null, null, TEXT]);
  });
}

// Deno's fetch decodes by the first of several fields, and so wrongly.
Deno.test("forward() decodes codings in several fields (direct)", async () => {
  await using upstream = startCoded({ codings: ["gzip", "br"], body: brotliCompressSync(GZIP) });
  const { body } = await receive("direct", upstream.origin, {});
  assertEquals(new TextDecoder().decode(body), TEXT);
});

Deno.test("forward() fails when the first of several fields is not the last coding (fetch)", async () => {
  await using upstream = startCoded({ codings: ["gzip", "br"], body: brotliCompressSync(GZIP) });
  const error = await assertRejects(() => receive("fetch", upstream.origin, {}), ProxyError);
  assertEquals(error.code, "http_response_content_coding");
});

const MEMBERS = concat([GZIP, gzipSync("end")]);
const KEPT: readonly (CodedResponse & { readonly name: string } & Omit<TestRequest, "body">)[] = [
  { name: "gzip with decode: false", codings: ["gzip"], body: GZIP, decode: false },
  { name: "br with decode: false", codings: ["br"], body: latin1("any"), decode: false },
  { name: "zstd with decode: false", codings: ["zstd"], body: latin1("any"), decode: false },
  { name: "a list with decode: false", codings: ["gzip, br"], body: latin1("any"), decode: false },
  {
    name: "two fields with decode: false",
    codings: ["gzip", "br"],
    body: latin1("any"),
    decode: false,
  },
  { name: "several members with decode: false", codings: ["gzip"], body: MEMBERS, decode: false },
  {
    name: "gzip with decode: false, asked for",
    codings: ["gzip"],
    body: GZIP,
    decode: false,
    headers: [["Accept-Encoding", "gzip, br"]],
  },
  { name: "an unknown coding", codings: ["x"], body: latin1("any") },
  { name: "identity", codings: ["identity"], body: latin1("any") },
  { name: "an unknown coding before gzip", codings: ["x, gzip"], body: GZIP },
  {
    name: "a part of a coded body",
    codings: ["gzip"],
    body: GZIP.subarray(3, 9),
    status: 206,
    headers: RANGE,
  },
  { name: "a part in zstd", codings: ["zstd"], body: latin1("any"), status: 206, headers: RANGE },
];

for (const { name, codings, body: sent, status = 200, ...request } of KEPT) {
  testEach(`forward() leaves body and fields as they are for ${name}`, async (by) => {
    await using upstream = startCoded({ codings, body: sent, status });
    const { coding, length, body } = await receive(by, upstream.origin, request);
    const expected = [codings.join(", "), `${sent.length}`, new Uint8Array(sent)];
    assertEquals([coding, length, body], expected);
  });
}

testEach("forward() leaves coded what a redirect leads to, with decode: false", async (by) => {
  await using upstream = startCoded({ codings: ["gzip"], body: GZIP });
  await using before = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(
      `HTTP/1.1 303 x\r\nlocation: ${upstream.origin}\r\ncontent-length: 0\r\n\r\n`,
    );
  });
  const request = { decode: false, method: "POST" };
  const { coding, body } = await receive(by, before.origin, request);
  assertEquals([coding, body], ["gzip", new Uint8Array(GZIP)]);
});

testEach("forward() uses a connection again after a decoded body", async (by) => {
  for (
    const [coding, body] of [["deflate", deflateSync(TEXT)], [
      "zstd",
      zstdCompressSync(TEXT),
    ]] as const
  ) {
    let connections = 0;
    const head =
      `HTTP/1.1 200 x\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length}\r\n\r\n`;
    await using upstream = startRaw(async (connection) => {
      connections++;
      while (await connection.readHead() !== "") {
        await connection.write(concat([latin1(head), new Uint8Array(body)]));
      }
    });
    using client = createForwardClient(by);
    for (let requests = 0; requests < 3; requests++) {
      const { body } = await requestHead(client, upstream.origin);
      assertEquals((await body?.bytes(1000))?.length, TEXT.length);
    }
    assertEquals(connections, 1);
  }
});

const CUT: readonly (CodedResponse & { readonly name: string })[] = [
  { name: "gzip", codings: ["gzip"], body: GZIP.subarray(0, -1) },
  { name: "deflate", codings: ["deflate"], body: deflateSync(TEXT).subarray(0, -1) },
  { name: "br", codings: ["br"], body: brotliCompressSync(TEXT).subarray(0, -1) },
  { name: "zstd", codings: ["zstd"], body: zstdCompressSync(TEXT).subarray(0, -1) },
  { name: "text as zstd", codings: ["zstd"], body: latin1("text") },
];

for (const { name, ...response } of CUT) {
  testEach(`forward() fails with the right code for ${name} that is cut off`, async (by) => {
    await using upstream = startCoded(response);
    const error = await assertRejects(() => receive(by, upstream.origin, {}), ProxyError);
    assertEquals([error.code, error.sent], ["http_response_content_coding", "yes"]);
  });
}

/** The values of the `accept-encoding` fields of a head. */
function accepted(head: string | undefined): string[] {
  return [...head?.matchAll(/\r\naccept-encoding: (.*)(?=\r\n)/gi) ?? []].map(([, value]) =>
    value ?? ""
  );
}

const ACCEPTED: readonly {
  readonly name: string;
  readonly request: TestRequest;
  readonly direct: readonly string[];
  readonly fetch: readonly string[];
}[] = [
  { name: "by default", request: {}, direct: ["gzip"], fetch: ["gzip,br"] },
  {
    name: "as the client says",
    request: { headers: [["accept-encoding", "zstd, br"]] },
    direct: ["zstd, br"],
    fetch: ["zstd, br"],
  },
  {
    name: "with decode: false",
    request: { decode: false },
    direct: ["gzip"],
    fetch: ["identity", "gzip"],
  },
  {
    name: "as the client says, with decode: false",
    request: { decode: false, headers: [["accept-encoding", "br"]] },
    direct: ["br"],
    fetch: ["identity", "br"],
  },
];

for (const { name, request, ...expected } of ACCEPTED) {
  testEach(`forward() accepts codings ${name}`, async (by) => {
    await using upstream = startCoded({ codings: [], body: latin1("x") });
    await receive(by, upstream.origin, request);
    assertEquals(accepted(upstream.heads[0]), [...expected[by]]);
  });
}
