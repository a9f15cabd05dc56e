/**
 * The bodies of forwarded responses: limits, codings, failures, and responses without a body.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { gzipSync } from "node:zlib";
import type { ForwardResponse } from "../../src/forward/forward.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createForwardClient, type HttpClientName, testEach } from "../helpers/http_clients.ts";
import { latin1, type RawUpstream, startRaw } from "../helpers/upstream.ts";
import { requestHead } from "./make_request.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const MIB = 1024 * 1024;

interface WaitingServer extends RawUpstream {
  /** Fulfils when the peer of a connection has closed it. */
  readonly peerClosed: Promise<void>;
}

/** Starts a server that responds with these bytes and leaves the connection open. */
function startWaiting(response: string | Uint8Array<ArrayBuffer>): WaitingServer {
  const closed = Promise.withResolvers<void>();
  const server = startRaw(async (connection) => {
    await connection.readHead();
    // A peer that has reached its limit may close before all is written.
    await connection.write(response).catch(() => {});
    await connection.peerClosed();
    closed.resolve();
  });
  return Object.assign(server, { peerClosed: closed.promise });
}

/** Starts a server that responds with these bytes and closes the connection. */
function startClosing(response: string): RawUpstream {
  return startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(response);
    connection.close();
  });
}

/** Reads a whole body; fails when there is none. */
async function readBytes({ body }: ForwardResponse, maxBytes: number): Promise<Uint8Array> {
  if (body === null) throw new Error("The response has no body");
  return await body.bytes(maxBytes);
}

/** The text of a body that was read in chunks, `null` when there is no body; and the declared length. */
interface Streamed {
  readonly text: string | null;
  readonly length: number | undefined;
}

/** Makes a request and reads the body in chunks; `taken` is called after each. */
async function stream(
  by: HttpClientName,
  url: string,
  { maxBytes = 1000, controller = new AbortController(), taken = () => {}, method = "GET" } = {},
): Promise<Streamed> {
  using client = createForwardClient(by);
  const { signal } = controller;
  const { body } = await requestHead(client, url, { method, signal });
  if (body === null) return { text: null, length: undefined };
  let text = "";
  for await (const chunk of body.chunks(maxBytes)) {
    text += new TextDecoder("latin1").decode(chunk);
    taken();
  }
  return { text, length: body.length };
}

const ZEROS = new Uint8Array(gzipSync(new Uint8Array(50 * MIB)));

/** Returns a response of a few tens of KB whose decoded body is 50 MiB of zeros. */
function bombOf(...codings: readonly string[]): Uint8Array<ArrayBuffer> {
  const fields = codings.map((coding) => `content-encoding: ${coding}\r\n`).join("");
  return concat([latin1(`${OK}${fields}content-length: ${ZEROS.length}\r\n\r\n`), ZEROS]);
}

// Fetch decodes by the first of several fields, and leaves a content-length that is far too small. The body is not
// coded twice.
for (const codings of [["gzip"], ["gzip", "x"], ["gzip", ""], ["gzip", "gzip"]]) {
  testEach(
    `bytes() limits the decoded body with content-encoding ${codings.join(" and ")}`,
    async (by) => {
      await using upstream = startWaiting(bombOf(...codings));
      using client = createForwardClient(by);
      const response = await requestHead(client, upstream.origin);
      if (by === "direct" && codings.length > 1 && codings[1] !== "gzip") {
        // One of the codings is unknown; this client distinguishes several fields from one.
        assertEquals(await readBytes(response, MIB), ZEROS);
        const { headers } = response.head;
        assertEquals(headers.filter(([name]) => name === "content-encoding").length, 2);
        return;
      }
      const error = await assertRejects(() => readBytes(response, MIB), ProxyError);
      const isTwice = codings[1] === "gzip";
      assertEquals(error.code, `http_response_${isTwice ? "content_coding" : "body_size"}`);
      // The coded body has arrived completely here, so that a direct connection can be reused.
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
  testEach(`forward() returns null as the body of ${name}, which cannot have one`, async (by) => {
    await using upstream = startWaiting(input);
    using client = createForwardClient(by);
    assertEquals((await requestHead(client, upstream.origin, { method })).body, null);
  });
}

testEach("forward() discards the body that a response cannot have", async (by) => {
  await using upstream = startWaiting("HTTP/1.1 205 x\r\ncontent-length: 9\r\n\r\nabc");
  using client = createForwardClient(by);
  assertEquals((await requestHead(client, upstream.origin)).body, null);
  await upstream.peerClosed;
});

testEach("forward() keeps the coding fields of a response that cannot have a body", async (by) => {
  const fields = "content-encoding: gzip\r\ncontent-length: 9\r\n\r\n";
  await using upstream = startWaiting(`${OK}${fields}`);
  using client = createForwardClient(by);
  const { head } = await requestHead(client, upstream.origin, { method: "HEAD" });
  assertEquals(head.headers, [["content-encoding", "gzip"], ["content-length", "9"]]);
});

const STAGES = [
  { name: "inside the body", input: `${OK}content-length: 9\r\n\r\nabc` },
  { name: "inside a decoded body", input: `${OK}content-encoding: gzip\r\n\r\n\x1f` },
];

for (const { name, input } of STAGES) {
  testEach(`bytes() fails with the signal's reason when aborted ${name}`, async (by) => {
    await using upstream = startWaiting(input);
    using client = createForwardClient(by);
    const controller = new AbortController();
    const reason = new Error("enough");
    const response = await requestHead(client, upstream.origin, { signal: controller.signal });
    const reading = assertRejects(() => readBytes(response, MIB));
    controller.abort(reason);
    assertStrictEquals(await reading, reason);
    await upstream.peerClosed;
  });
}

const CUT = `${OK}content-length: 9\r\n\r\nabc`;
const NOT_GZIP = `${OK}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc`;
const BROKEN = [
  { name: "breaks off", input: CUT, maxBytes: 9, expected: "http_response_incomplete" },
  { name: "is larger than allowed", input: CUT, maxBytes: 2, expected: "http_response_body_size" },
  { name: "is not gzip", input: NOT_GZIP, maxBytes: 9, expected: "http_response_content_coding" },
];

for (const { name, input, maxBytes, expected } of BROKEN) {
  testEach(`chunks() fails with the right code when the body ${name}`, async (by) => {
    await using upstream = startClosing(input);
    const error = await assertRejects(() => stream(by, upstream.origin, { maxBytes }), ProxyError);
    assertEquals([error.code, error.sent], [expected, "yes"]);
  });
}

testEach("chunks() fails with the signal's reason, and the request ends", async (by) => {
  await using upstream = startWaiting(CUT);
  const controller = new AbortController();
  const reason = new Error("enough");
  const taken = () => controller.abort(reason);
  const thrown = await assertRejects(() => stream(by, upstream.origin, { controller, taken }));
  assertStrictEquals(thrown, reason);
  await upstream.peerClosed;
});

const LENGTHS = [
  {
    name: "the length that a body declares",
    head: "content-length: 3\r\n",
    text: "abc",
    length: 3,
  },
  { name: "unknown for chunks", head: "transfer-encoding: chunked\r\n", text: "abc" },
  { name: "unknown up to the end of the connection", head: "", text: "abc" },
  { name: "that of no body after HEAD", method: "HEAD", head: "content-length: 3\r\n" },
  { name: "that of no body for a 204", status: 204, head: "" },
];

for (const { name, head, length, text = null, method = "GET", status = 200 } of LENGTHS) {
  testEach(`the length of a body is ${name}, and chunks() returns as much`, async (by) => {
    const body = head.startsWith("transfer") ? "3\r\nabc\r\n0\r\n\r\n" : text ?? "";
    await using upstream = startClosing(
      `HTTP/1.1 ${status} \r\nconnection: close\r\n${head}\r\n${body}`,
    );
    assertEquals(await stream(by, upstream.origin, { method }), { text, length });
  });
}
