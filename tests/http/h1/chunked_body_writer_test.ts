import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Tcp, TcpConnection } from "../../../src/http/h1/connection.ts";
import { ChunkedBodyWriter } from "../../../src/http/h1/chunked_body_writer.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { latin1, startRaw } from "../../helpers/upstream.ts";
import { createTestClient, ok, readUntil, startServer } from "./test_client.ts";
import { createWire } from "./wire.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Returns a stream of these pieces, after which it ends, fails or waits. */
function streamOf(
  pieces: readonly string[],
  last: "end" | "error" | "nothing" = "end",
): { readonly body: ReadableStream<Bytes>; readonly cancelled: Promise<void> } {
  const rest = [...pieces];
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Bytes>({
    pull(controller): void | Promise<void> {
      const piece = rest.shift();
      if (piece !== undefined) return controller.enqueue(latin1(piece));
      if (last === "end") return controller.close();
      if (last === "error") return controller.error(new Error("broken"));
      return new Promise(() => {});
    },
    cancel: () => resolve(),
  }, { highWaterMark: 0 });
  return { body, cancelled };
}

/** Decodes the chunked coding, accepting only what the writer writes. */
function decode(text: string): string {
  let data = "";
  for (let rest = text;;) {
    const [line = "", size = ""] = /^([\da-f]+)\r\n/.exec(rest) ?? [];
    const length = parseInt(size, 16);
    const from = line.length;
    assertEquals(rest.slice(from + length, from + length + 2), "\r\n");
    data += rest.slice(from, from + length);
    rest = rest.slice(from + length + 2);
    if (length !== 0) continue;
    assertEquals(rest, "");
    return data;
  }
}

const BODIES: readonly { name: string; input: readonly string[] }[] = [
  { name: "of no piece", input: [] },
  { name: "of one piece", input: ["abc"] },
  { name: "with empty pieces, which must not end it", input: ["", "a", "", "", "b", ""] },
  { name: "of growing pieces", input: Array.from({ length: 40 }, (_, at) => "a".repeat(at * at)) },
  {
    name: "of pieces as long as are copied, and longer",
    input: [65_535, 65_536, 65_537, 200_000, 1].map((length) => "b".repeat(length)),
  },
  { name: "that looks like chunks", input: ["0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] },
];

for (const { name, input } of BODIES) {
  Deno.test(`ChunkedBodyWriter writes a stream ${name}`, async () => {
    await using server = startRaw(async (connection) => {
      const head = await connection.readHead();
      await connection.write(ok(await readUntil(connection, head, "\r\n0\r\n\r\n")));
      await connection.peerClosed();
    });
    using client = createTestClient();
    const { body } = streamOf(input);
    const { text } = await client.fetch(server.origin, { method: "POST", body });
    const start = text.indexOf("\r\n\r\n") + 4;
    assertEquals(text.slice(0, start).includes("\r\ntransfer-encoding: chunked\r\n"), true);
    assertEquals(text.slice(0, start).includes("content-length"), false);
    assertEquals(decode(text.slice(start)), input.join(""));
  });
}

Deno.test("ChunkedBodyWriter writes pieces whose memory is reused for the next one", async () => {
  const wire = createWire();
  const memory = new Uint8Array(70_000);
  let pieces = 0;
  const done = Promise.withResolvers<void>();
  const body = new ReadableStream<Bytes>({
    pull(controller): void {
      if (++pieces > 4) {
        done.resolve();
        return controller.close();
      }
      memory.fill(0x60 + pieces);
      controller.enqueue(memory.subarray(0, pieces % 2 === 0 ? 70_000 : 10));
    },
  }, { highWaterMark: 0 });
  const slow = {
    ...wire,
    write: (bytes: Uint8Array) => Promise.resolve().then(() => wire.write(bytes)),
  };
  new ChunkedBodyWriter(new TcpConnection(slow), "", body);
  await done.promise;
  const [a, b] = ["a".repeat(10), "b".repeat(70_000)];
  const [c, d] = ["c".repeat(10), "d".repeat(70_000)];
  assertEquals(wire.written(), `a\r\n${a}\r\n11170\r\n${b}\r\na\r\n${c}\r\n11170\r\n${d}\r\n`);
});

Deno.test("ChunkedBodyWriter is complete when the last chunk was written, and then cancels nothing", async () => {
  await using server = startServer(async (connection, { head }) => {
    if (head.startsWith("POST")) await readUntil(connection, head, "\r\n0\r\n\r\n");
    return ok("abc");
  });
  using client = createTestClient();
  const { body, cancelled } = streamOf(["a"]);
  const ask = { method: "POST", body };
  assertEquals((await client.fetch(server.origin, ask)).text, "abc");
  assertEquals((await client.fetch(server.origin)).text, "abc");
  assertEquals(server.connections(), 1);
  assertEquals(await Promise.race([cancelled.then(() => true), false]), false);
});

Deno.test("ChunkedBodyWriter leaves a request without an end when its stream fails", async () => {
  const seen = Promise.withResolvers<string>();
  await using server = startRaw(async (connection) => {
    let text = await connection.readHead();
    for (let more = text; more !== "";) text += more = await connection.read().catch(() => "");
    seen.resolve(text);
  });
  using client = createTestClient();
  const { body } = streamOf(["abc"], "error");
  const error = await assertRejects(
    () => client.fetch(server.origin, { method: "PUT", body }),
    ProxyError,
  );
  assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "maybe", true]);
  assertEquals((error.cause as Error).message, "broken");
  assertEquals((await seen.promise).endsWith("\r\n\r\n3\r\nabc\r\n"), true);
});

Deno.test("ChunkedBodyWriter cancels its stream when the response arrives without it", async () => {
  await using server = startServer(() => ok("enough"));
  using client = createTestClient();
  for (const pieces of [[], ["a"]]) {
    const { body, cancelled } = streamOf(pieces, "nothing");
    assertEquals((await client.fetch(server.origin, { method: "POST", body })).text, "enough");
    await cancelled;
  }
  assertEquals(server.connections(), 2);
});

Deno.test("ChunkedBodyWriter cancels its stream when the connection breaks or is aborted", async () => {
  const arrived = Promise.withResolvers<void>();
  await using server = startServer((connection, { head }) => {
    if (head.startsWith("PUT")) return false;
    arrived.resolve();
    return connection.peerClosed();
  });
  using client = createTestClient();
  const put = streamOf(["a"], "nothing");
  await assertRejects(
    () => client.fetch(server.origin, { method: "PUT", body: put.body }),
    ProxyError,
  );
  await put.cancelled;

  const controller = new AbortController();
  const { signal } = controller;
  const post = streamOf(["a"], "nothing");
  const asking = client.fetch(server.origin, { method: "POST", body: post.body, signal });
  const ended = assertRejects(() => asking);
  await arrived.promise;
  controller.abort(new Error("enough"));
  assertStrictEquals(await ended, signal.reason);
  await post.cancelled;
});

Deno.test("ChunkedBodyWriter leaves the response readable when the server stops reading", async () => {
  for (const failing of [1, 2]) {
    const wire = createWire(ok("enough").replace("200 OK", "413 x"));
    let writes = 0;
    const write: Tcp["write"] = (bytes) =>
      ++writes < failing ? wire.write(bytes) : Promise.reject(new Deno.errors.BrokenPipe());
    using client = createTestClient({ connect: () => Promise.resolve({ ...wire, write }) });
    const { body, cancelled } = streamOf(["a", "b", "c"]);
    const response = await client.fetchHead("http://a.invalid/", { method: "POST", body });
    await cancelled;
    assertEquals([response.status, wire.isClosed()], [413, false]);
    assertEquals(await response.body.bytes(10), latin1("enough"));
    assertEquals(wire.isClosed(), true);
  }
});

/** Waits until everything that is ready has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("ChunkedBodyWriter writes nothing after close(), and is not complete", async () => {
  const wire = createWire();
  const { body, cancelled } = streamOf(["a"], "nothing");
  const writer = new ChunkedBodyWriter(new TcpConnection(wire), "head ", body);
  await turn();
  assertEquals([wire.written(), writer.isComplete], ["head 1\r\na\r\n", false]);
  writer.close();
  writer.close();
  await cancelled;
  await turn();
  assertEquals([wire.written(), writer.isComplete], ["head 1\r\na\r\n", false]);
  assertEquals([writer.failure, wire.isClosed()], [undefined, false]);
});

Deno.test("ChunkedBodyWriter does not report what fails after close()", async () => {
  const wire = createWire();
  let fail = (): void => {};
  const body = new ReadableStream<Bytes>({
    pull: (controller) => {
      fail = () => controller.error(new Error("late"));
      return new Promise(() => {});
    },
    cancel: () => Promise.reject(new Error("cancelled late")),
  }, { highWaterMark: 0 });
  const writer = new ChunkedBodyWriter(new TcpConnection(wire), "head", body);
  await turn();
  writer.close();
  fail();
  await turn();
  assertEquals([wire.written(), writer.failure, wire.isClosed()], ["head", undefined, false]);
});

Deno.test("ChunkedBodyWriter reports a body that fails, closes the connection and is not complete", async () => {
  const wire = createWire();
  const { body } = streamOf(["a"], "error");
  const writer = new ChunkedBodyWriter(new TcpConnection(wire), "", body);
  await turn();
  assertEquals([writer.isComplete, wire.isClosed()], [false, true]);
  assertEquals((writer.failure as Error).message, "broken");
});

Deno.test("ChunkedBodyWriter does not report a write that fails", async () => {
  const write = (): Promise<number> => Promise.reject(new Deno.errors.BrokenPipe());
  const wire = createWire();
  const { body, cancelled } = streamOf(["a"], "nothing");
  const writer = new ChunkedBodyWriter(new TcpConnection({ ...wire, write }), "head", body);
  await cancelled;
  assertEquals([writer.failure, writer.isComplete, wire.isClosed()], [undefined, false, false]);
});
