import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { gzipSync } from "node:zlib";
import { readBody } from "../../../src/http/fetch/body.ts";
import type { Forward } from "../../../src/forward/forward.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createForwardClient, type ForwardClient, testEach } from "../../helpers/http_clients.ts";
import { latin1, type RawUpstream, startRaw } from "../../helpers/upstream.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const MIB = 1024 * 1024;

interface Answering extends RawUpstream {
  /** Fulfils when the peer of a connection has closed it. */
  readonly peerClosed: Promise<void>;
}

/** A server that answers with these bytes and waits. */
function startAnswering(answer: string | Uint8Array<ArrayBuffer>): Answering {
  const closed = Promise.withResolvers<void>();
  const upstream = startRaw(async (connection) => {
    await connection.readHead();
    // A peer that has had enough may be gone before all is written.
    await connection.write(answer).catch(() => {});
    await connection.peerClosed();
    closed.resolve();
  });
  return Object.assign(upstream, { peerClosed: closed.promise });
}

const MAX_BYTES = 5;

const FITTING = [
  { name: "its length", input: `${OK}content-length: 5\r\n\r\nhello` },
  {
    name: "a length that is said twice",
    input: `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
  },
  { name: "chunks", input: `${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n` },
  {
    name: "chunks and a length that does not count",
    input: `${OK}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  },
];

for (const { name, input } of FITTING) {
  Deno.test(`readBody() reads a body of exactly the size allowed, with ${name}`, async () => {
    await using upstream = startAnswering(input);
    using client = Deno.createHttpClient({});
    const response = await fetch(upstream.origin, { client });
    assertEquals(await readBody(response, MAX_BYTES), latin1("hello"));
  });
}

Deno.test("readBody() reads an empty body with nothing allowed, and none at all", async () => {
  await using upstream = startAnswering(latin1(`${OK}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`));
  using client = Deno.createHttpClient({});
  assertEquals(await readBody(await fetch(upstream.origin, { client }), 0), new Uint8Array());
  assertEquals(await readBody(new Response(null), 0), new Uint8Array());
});

// None of these answers ends: only a reader that stops gets through.
const TOO_LARGE = [
  { name: "by its length, of which nothing is read", input: `${OK}content-length: 6\r\n\r\n` },
  {
    name: "by a length that it could never have",
    input: `${OK}content-length: 999999999999999\r\n\r\n`,
  },
  { name: "by one byte, in one chunk", input: `${CHUNKED}6\r\nhello!\r\n` },
  { name: "by one byte, in its own chunk", input: `${CHUNKED}5\r\nhello\r\n1\r\n!\r\n` },
  { name: "by one byte, with no length", input: `${OK}\r\nhello!` },
  {
    name: "by chunks, beside a length that fits",
    input: `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello!\r\n`,
  },
];

for (const { name, input } of TOO_LARGE) {
  Deno.test(`readBody() refuses a body too large ${name}, and closes the connection`, async () => {
    await using upstream = startAnswering(input);
    using client = Deno.createHttpClient({});
    const response = await fetch(upstream.origin, { client });
    const error = await assertRejects(() => readBody(response, MAX_BYTES), ProxyError);
    assertEquals(error.message, "The response body is larger than 5 bytes");
    assertEquals([error.code, error.sent, error.retryable], [
      "http_response_body_size",
      "yes",
      false,
    ]);
    await upstream.peerClosed;
  });
}

const ZEROS = new Uint8Array(gzipSync(new Uint8Array(50 * MIB)));

/** An answer of a few tens of KB that is 50 MiB of zeros once it is decoded. */
function bombOf(...codings: readonly string[]): Uint8Array<ArrayBuffer> {
  const fields = codings.map((coding) => `content-encoding: ${coding}\r\n`).join("");
  return concat([latin1(`${OK}${fields}content-length: ${ZEROS.length}\r\n\r\n`), ZEROS]);
}

Deno.test("readBody() stops a gzip bomb at the size allowed", async () => {
  const bomb = bombOf("gzip");
  assert(bomb.length < 100_000);
  await using upstream = startAnswering(bomb);
  using client = Deno.createHttpClient({});
  const response = await fetch(upstream.origin, { client });
  let decodedBytes = 0;
  const reader = response.body?.getReader();
  const counting = new ReadableStream({
    type: "bytes",
    async pull(controller): Promise<void> {
      const { value = new Uint8Array() } = await reader?.read() ?? {};
      decodedBytes += value.byteLength;
      controller.enqueue(value);
    },
    cancel: () => reader?.cancel(),
  });
  const counted = new Response(counting, response);
  await assertRejects(() => readBody(counted, MIB), ProxyError);
  assert(decodedBytes > MIB && decodedBytes < 2 * MIB, `${decodedBytes} bytes were decoded`);
});

/** Makes a request to the head of its response. */
function head(
  { forward }: ForwardClient,
  url: string,
  asked: { signal?: AbortSignal; method?: string } = {},
): ReturnType<Forward> {
  const { signal = new AbortController().signal, method = "GET" } = asked;
  const blank = { headers: [], body: null, redirect: "follow" } as const;
  const request = { ...blank, method, url: new URL(url) };
  return forward(request, { check: () => ({}), signal });
}

// Fetch decodes by the first of several fields, and leaves a content-length that is far too small.
for (const codings of [["gzip"], ["gzip", "x"], ["gzip", ""], ["gzip", "gzip"]]) {
  testEach(
    `bytes() counts the decoded body with content-encoding ${codings.join(" and ")}`,
    async (by) => {
      await using upstream = startAnswering(bombOf(...codings));
      using client = createForwardClient(by);
      const { bytes, headers } = await head(client, upstream.origin);
      if (by === "direct" && codings.length > 1) {
        // It tells several fields from one, takes none of them off, and says so.
        assertEquals(await bytes(MIB), ZEROS);
        assertEquals(headers.filter(([name]) => name === "content-encoding").length, 2);
        return;
      }
      const error = await assertRejects(async () => await bytes(MIB), ProxyError);
      assertEquals(error.code, "http_response_body_size");
      // What has come whole, still coded, leaves a connection that can be used again.
      if (by === "fetch") await upstream.peerClosed;
    },
  );
}

const BODILESS = [
  { name: "HEAD", input: `${OK}content-length: 9\r\n\r\n`, method: "HEAD" },
  { name: "204", input: "HTTP/1.1 204 No Content\r\n\r\n", method: "GET" },
  {
    name: "205",
    input: "HTTP/1.1 205 Reset Content\r\ncontent-length: 2\r\n\r\nab",
    method: "GET",
  },
  { name: "304", input: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", method: "GET" },
];

for (const { name, input, method } of BODILESS) {
  testEach(`bytes() gives null for ${name}, which cannot have a body`, async (by) => {
    await using upstream = startAnswering(input);
    using client = createForwardClient(by);
    assertEquals(await (await head(client, upstream.origin, { method })).bytes(MIB), null);
  });
}

const STAGES = [
  { name: "inside the body", input: `${OK}content-length: 9\r\n\r\nabc` },
  { name: "inside a decoded body", input: `${OK}content-encoding: gzip\r\n\r\n\x1f` },
];

for (const { name, input } of STAGES) {
  testEach(`bytes() ends with the signal's reason when aborted ${name}`, async (by) => {
    await using upstream = startAnswering(input);
    using client = createForwardClient(by);
    const controller = new AbortController();
    const reason = new Error("enough");
    const { bytes } = await head(client, upstream.origin, { signal: controller.signal });
    const reading = assertRejects(async () => await bytes(MIB));
    controller.abort(reason);
    assertStrictEquals(await reading, reason);
    await upstream.peerClosed;
  });
}
