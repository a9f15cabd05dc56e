import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { gzipSync } from "node:zlib";
import { declaredLength, FetchBody } from "../../../src/http/fetch/body.ts";
import { type HeaderPairs, ProxyError } from "../../../src/protocol/mod.ts";
import { latin1, type RawUpstream, startRaw } from "../../helpers/upstream.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const MIB = 1024 * 1024;
const MAX_BYTES = 5;

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

function bodyOf(response: Response): FetchBody {
  return new FetchBody(response, [...response.headers]);
}

/** Fetches a response and returns its body. */
async function fetchBody(url: string, client: Deno.HttpClient): Promise<FetchBody> {
  return bodyOf(await fetch(url, { client }));
}

async function readChunks(body: FetchBody, maxBytes: number): Promise<Uint8Array> {
  return concat(await Array.fromAsync(body.chunks(maxBytes), (chunk) => chunk.slice()));
}

const WAYS = [
  { name: "bytes", read: (body: FetchBody, maxBytes: number) => body.bytes(maxBytes) },
  { name: "chunks", read: readChunks },
] as const;

const FITTING = [
  { name: "its length", input: `${OK}content-length: 5\r\n\r\nhello` },
  {
    name: "a repeated length",
    input: `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
  },
  { name: "chunks", input: `${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n` },
  {
    name: "chunks and a length that is not valid beside them",
    input: `${OK}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  },
];

// None of these responses ends, so only a reader that stops gets through.
const TOO_LARGE = [
  { name: "by its length, before any byte", input: `${OK}content-length: 6\r\n\r\n` },
  {
    name: "by a length that no body can have",
    input: `${OK}content-length: 999999999999999\r\n\r\n`,
  },
  { name: "by one byte, in one chunk", input: `${CHUNKED}6\r\nhello!\r\n` },
  { name: "by one byte, in a chunk of its own", input: `${CHUNKED}5\r\nhello\r\n1\r\n!\r\n` },
  { name: "by one byte, without a length", input: `${OK}\r\nhello!` },
  {
    name: "by its chunks, beside a length that fits",
    input: `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello!\r\n`,
  },
];

for (const { name: way, read } of WAYS) {
  for (const { name, input } of FITTING) {
    Deno.test(`${way}() reads a body of exactly the size allowed, with ${name}`, async () => {
      await using server = startWaiting(input);
      using client = Deno.createHttpClient({});
      const body = await fetchBody(server.origin, client);
      assertEquals(body.isHere, false);
      assertEquals(await read(body, MAX_BYTES), latin1("hello"));
    });
  }

  Deno.test(`${way}() reads an empty body with a limit of 0, and no body`, async () => {
    await using server = startWaiting(latin1(`${OK}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`));
    using client = Deno.createHttpClient({});
    assertEquals(await read(await fetchBody(server.origin, client), 0), new Uint8Array());
    assertEquals(await read(bodyOf(new Response(null)), 0), new Uint8Array());
  });

  for (const { name, input } of TOO_LARGE) {
    // In chunks, fetch itself waits for the first byte.
    if (way === "chunks" && input.endsWith("\r\n\r\n")) continue;
    Deno.test(`${way}() fails and closes the connection when a body is too large ${name}`, async () => {
      await using server = startWaiting(input);
      using client = Deno.createHttpClient({});
      const body = await fetchBody(server.origin, client);
      const error = await assertRejects(() => read(body, MAX_BYTES), ProxyError);
      assertEquals(error.message, "The response body is larger than 5 bytes");
      assertEquals([error.code, error.sent, error.retryable], [
        "http_response_body_size",
        "yes",
        false,
      ]);
      await server.peerClosed;
    });
  }
}

Deno.test("bytes() stops decoding a gzip bomb at the size allowed", async () => {
  const zeros = new Uint8Array(gzipSync(new Uint8Array(50 * MIB)));
  const head = `${OK}content-encoding: gzip\r\ncontent-length: ${zeros.length}\r\n\r\n`;
  assert(zeros.length < 100_000);
  await using server = startWaiting(concat([latin1(head), zeros]));
  using client = Deno.createHttpClient({});
  const response = await fetch(server.origin, { client });
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
  await assertRejects(() => bodyOf(counted).bytes(MIB), ProxyError);
  assert(decodedBytes > MIB && decodedBytes < 2 * MIB, `${decodedBytes} bytes were decoded`);
});

Deno.test("chunks() uses the same memory for every chunk", async () => {
  const parts = ["ab", "cd", "ef"].map((text) => latin1(text));
  const source = new ReadableStream({
    type: "bytes",
    pull(controller): void {
      const part = parts.shift();
      if (part === undefined) {
        controller.close();
        controller.byobRequest?.respond(0);
      } else {
        controller.enqueue(part);
      }
    },
  });
  const texts: string[] = [];
  const detached: boolean[] = [];
  let last: Uint8Array | undefined;
  for await (const chunk of bodyOf(new Response(source)).chunks(10)) {
    if (last !== undefined) detached.push(last.buffer.byteLength === 0);
    texts.push(new TextDecoder().decode(chunk));
    last = chunk;
  }
  assertEquals([texts, detached], [["ab", "cd", "ef"], [true, true]]);
});

const DISCARDED: readonly { name: string; begin: (body: FetchBody) => unknown }[] = [
  { name: "that nothing has read", begin: () => {} },
  {
    name: "of which a chunk was read",
    begin: (body) => body.chunks(10)[Symbol.asyncIterator]().next(),
  },
  {
    name: "of which a chunk is awaited",
    begin: async (body): Promise<void> => {
      const iterator = body.chunks(10)[Symbol.asyncIterator]();
      await iterator.next();
      iterator.next();
    },
  },
];

for (const { name, begin } of DISCARDED) {
  Deno.test(`discard() closes the connection of a body ${name}, once`, async () => {
    await using server = startWaiting(`${OK}content-length: 9\r\n\r\nabc`);
    using client = Deno.createHttpClient({});
    const body = await fetchBody(server.origin, client);
    await begin(body);
    body.discard();
    body.discard();
    await server.peerClosed;
  });
}

Deno.test("discard() does nothing to a body that was read, that has failed, or that there is none of", async () => {
  const one = new ReadableStream({
    type: "bytes",
    start(controller): void {
      controller.enqueue(latin1("abc"));
      controller.close();
    },
  });
  const fails = new ReadableStream({ type: "bytes", pull: (it) => it.error(new Error("broken")) });
  const [read, failed, none] = [one, fails, null]
    .map((stream) => bodyOf(new Response(stream))) as [FetchBody, FetchBody, FetchBody];
  assertEquals(await read.bytes(10), latin1("abc"));
  await assertRejects(() => readChunks(failed, 10), Error, "broken");
  for (const body of [read, failed, none]) body.discard();
});

const LENGTHS: readonly { name: string; input: HeaderPairs; expected: number | undefined }[] = [
  { name: "a length", input: [["x", "1"], ["content-length", "12"]], expected: 12 },
  { name: "a length of 0", input: [["content-length", "0"]], expected: 0 },
  { name: "no length", input: [["x-content-length", "12"]], expected: undefined },
  { name: "several lengths", input: [["content-length", "12, 12"]], expected: undefined },
  { name: "a negative length", input: [["content-length", "-1"]], expected: undefined },
  {
    name: "the longest length that is certain",
    input: [["content-length", "9".repeat(15)]],
    expected: 999_999_999_999_999,
  },
  { name: "a longer one", input: [["content-length", "9".repeat(16)]], expected: undefined },
  {
    name: "a length beside chunks",
    input: [["content-length", "12"], ["transfer-encoding", "chunked"]],
    expected: undefined,
  },
  {
    name: "a length beside a content coding",
    input: [["content-length", "12"], ["content-encoding", "x"]],
    expected: undefined,
  },
];

for (const { name, input, expected } of LENGTHS) {
  Deno.test(`declaredLength() is ${expected} for ${name}`, () => {
    assertEquals(declaredLength(input), expected);
    assertEquals(new FetchBody(new Response("x"), input).length, expected);
  });
}
