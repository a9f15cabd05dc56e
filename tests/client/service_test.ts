/**
 * The client with the service: backpressure, cancellation and draining from end to end.
 */
import { assert, assertEquals } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Client, createClient, type FetchInit } from "../../src/client/mod.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";
import { failureOf, rejectionOf } from "./rejections.ts";

const MIB = 1_048_576;

Deno.test("client.fetch is assignable to fetch", () => {
  const client: Client = createClient("wss://proxy.example/ws", { WebSocket });
  const isFetch: typeof fetch = client.fetch;
  assert(typeof isFetch === "function");
});

Deno.test("a reader that pauses slows the destination down, and its cancel reaches it", async () => {
  let produced = 0;
  const cancelled = Promise.withResolvers<void>();
  await using upstream = startHttp(({ url }) =>
    url.endsWith("/small") ? new Response("small") : new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller): void {
          produced += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
        cancel: () => cancelled.resolve(),
      }),
    )
  );
  await using service = startService();
  await using client = createClient(service.url);
  const reader = (await client.fetch(upstream.origin)).body?.getReader();
  let readBytes = 0;
  while (readBytes < MIB) readBytes += (await reader?.read())?.value?.byteLength ?? Infinity;
  for (let times = 0; times < 20; times++) {
    assertEquals(await (await client.fetch(`${upstream.origin}/small`)).text(), "small");
  }
  assert(produced < readBytes + 16 * MIB, `${produced} bytes were produced, ${readBytes} read`);
  await reader?.cancel();
  await cancelled.promise;
});

Deno.test("a destination that pauses reading slows the source of an upload down", async () => {
  const enough = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await enough.promise;
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    await connection.peerClosed();
    connection.close();
  });
  await using other = startHttp(() => new Response("other"));
  await using service = startService();
  await using client = createClient(service.url);
  let produced = 0;
  const stopped = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      produced += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
    cancel: () => stopped.resolve(),
  });
  const call = client.fetch(upstream.origin, { method: "POST", body });
  for (let times = 0; times < 20; times++) {
    assertEquals(await (await client.fetch(other.origin)).text(), "other");
  }
  assert(produced < 16 * MIB, `${produced} bytes were produced`);
  enough.resolve();
  assertEquals(await (await call).text(), "ok"); // the response ends before the body
  await stopped.promise;
});

const STAGES: readonly { name: string; response: string; init: FetchInit }[] = [
  { name: "before the head", response: "", init: {} },
  { name: "during the head", response: "HTTP/1.1 200 OK\r\n", init: {} },
  { name: "during the body", response: "HTTP/1.1 200 OK\r\n\r\nbegun", init: {} },
  {
    name: "during the upload",
    response: "",
    init: {
      method: "POST",
      body: new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(1)),
      }),
    },
  },
];
for (const { name, response, init } of STAGES) {
  Deno.test(`abort() ${name} closes the connection to the destination`, async () => {
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      if (response !== "") await connection.write(response);
      arrived.resolve();
      await connection.peerClosed();
      closed.resolve();
      connection.close();
    });
    await using service = startService();
    await using client = createClient(service.url);
    const abort = new AbortController();
    const call = client.fetch(upstream.origin, { ...init, signal: abort.signal });
    const ended = rejectionOf(name === "during the body" ? call.then((it) => it.text()) : call);
    await arrived.promise;
    if (name === "during the body") await call;
    abort.abort();
    const error = await ended;
    assert(error instanceof DOMException && error.name === "AbortError");
    await closed.promise;
  });
}

Deno.test("a destination that closes during the body fails the reader", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n",
    );
    connection.close();
  });
  await using service = startService();
  await using client = createClient(service.url);
  const response = await client.fetch(upstream.origin);
  assertEquals(response.status, 200);
  const error = await failureOf(response.text());
  assertEquals([error.code, error.sent, error.retryable], [
    "http_response_incomplete",
    "yes",
    true,
  ]);
});

Deno.test("twenty concurrent large downloads arrive complete", async () => {
  await using upstream = startHttp(({ url }) =>
    new Response(new Uint8Array(4 * MIB).fill(Number(new URL(url).searchParams.get("byte"))))
  );
  await using service = startService();
  await using client = createClient(service.url);
  await Promise.all(Array.from({ length: 20 }, async (_, byte) => {
    const response = await client.fetch(`${upstream.origin}/?byte=${byte}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    assertEquals([bytes.byteLength, bytes.every((each) => each === byte)], [4 * MIB, true]);
  }));
});

Deno.test("while the service drains, an open stream finishes and new calls reject", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(() =>
    new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        async start(controller): Promise<void> {
          controller.enqueue(new Uint8Array([65]));
          await gate.promise;
          controller.enqueue(new Uint8Array([66]));
          controller.close();
        },
      }),
    )
  );
  await using service = startService({ ...LOOPBACK, DRAIN_MS: "5000" });
  await using client = createClient(service.url, { backoff: { attempts: 1 } });
  const response = await client.fetch(upstream.origin);
  const drained = service.app.drain();
  await service.logged("draining");
  const error = await failureOf(client.fetch(upstream.origin));
  assertEquals([error.sent, error.retryable], ["no", true]);
  gate.resolve();
  assertEquals(await response.text(), "AB");
  await drained;
});

for (const HTTP_CLIENT of ["direct", "fetch"]) {
  Deno.test(`fetch() decodes a body unless wsfetch.decode is false (HTTP_CLIENT=${HTTP_CLIENT})`, async () => {
    for (const [coding, code] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
      const coded = new Uint8Array(code("text"));
      const headers = { "content-encoding": coding };
      await using upstream = startHttp(() => new Response(coded, { headers }));
      await using service = startService({ ...LOOPBACK, HTTP_CLIENT });
      await using client = createClient(service.url);
      const decoded = await client.fetch(upstream.origin);
      assertEquals([decoded.headers.get("content-encoding"), await decoded.text()], [null, "text"]);
      const left = await client.fetch(upstream.origin, { wsfetch: { decode: false } });
      assertEquals(left.headers.get("content-length"), `${coded.length}`);
      assertEquals([left.headers.get("content-encoding"), await left.bytes()], [coding, coded]);
    }
  });
}
