import { assert, assertEquals } from "@std/assert";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Takes chunks of one exchange to the last; gives the bytes and how many chunks there were. */
async function takeBody(
  client: TestClient,
  id: number,
): Promise<{ body: Uint8Array; sizes: number[] }> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const frame: Frame = await client.next();
    assertEquals(frame.id, id);
    assert(frame.payload instanceof Uint8Array, frame.type);
    chunks.push(frame.payload);
    if (frame.fin) break;
  }
  return {
    body: new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer()),
    sizes: chunks.map(({ byteLength }) => byteLength),
  };
}

Deno.test("stream: true gives a long body in chunks of at most 64 KiB, the last with FIN", async () => {
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const body = new Blob(Array(5).fill(sent));
  await using upstream = startHttp(() => new Response(body));
  await using service = startService();
  await using client = await connectV1(service.url);
  const head = await client.ask({ type: "request", id: 7, url: upstream.origin, stream: true });
  assertEquals([head.type, head.id, head.status, head.stream], ["response", 7, 200, true]);
  const received = await takeBody(client, 7);
  assertEquals(received.body, new Uint8Array(await body.arrayBuffer()));
  assert(received.sizes.every((size) => size <= 65_536), String(received.sizes));
});

Deno.test("stream: true gives a short body whole, exactly, and never as JSON", async () => {
  const bodies: Record<string, BodyInit | null> = {
    "/json": '{"a":1.0}\n',
    "/bytes": new Uint8Array([255, 0]),
    "/empty": "",
    "/16k": "x".repeat(16_384),
  };
  await using upstream = startHttp(({ url }) =>
    url.endsWith("/none") ? new Response(null, { status: 204 }) : new Response(
      bodies[new URL(url).pathname] ?? null,
      { headers: { "content-type": "application/json" } },
    )
  );
  await using service = startService();
  await using client = await connectV1(service.url);
  const ask = async (path: string): Promise<unknown[]> => {
    const frame = await client.ask({
      type: "request",
      id: 1,
      url: upstream.origin + path,
      stream: true,
    });
    return [frame.stream, frame.json, frame.text, frame.base64];
  };
  assertEquals(await ask("/json"), [undefined, undefined, '{"a":1.0}\n', undefined]);
  assertEquals(await ask("/bytes"), [undefined, undefined, undefined, "/wA="]);
  assertEquals(await ask("/empty"), [undefined, undefined, "", undefined]);
  assertEquals(await ask("/16k"), [undefined, undefined, "x".repeat(16_384), undefined]);
  assertEquals(await ask("/none"), [undefined, undefined, undefined, undefined]);
});

Deno.test("a chunk comes as soon as the upstream sends it", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(() =>
    new Response(ReadableStream.from((async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield new TextEncoder().encode("first");
      await gate.promise;
      yield new TextEncoder().encode("second");
    })()))
  );
  await using service = startService();
  await using client = await connectV1(service.url);
  const head = await client.ask({ type: "request", id: 1, url: upstream.origin, stream: true });
  assertEquals(head.stream, true);
  assertEquals(text((await client.next()).payload), "first");
  gate.resolve();
  assertEquals(text((await client.next()).payload), "second");
  const last = await client.next();
  assertEquals([last.fin, last.payload.byteLength], [true, 0]);
});

Deno.test("a download stops when its credit is used up, goes on with a grant, and can be cancelled", async () => {
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
    try {
      for (;;) await connection.write(new Uint8Array(65_536));
    } finally {
      left.resolve();
    }
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, url: upstream.origin, stream: true };
  assertEquals((await client.ask({ ...request, windowBytes: 100_000 })).stream, true);
  const take = async (bytes: number): Promise<void> => {
    for (let rest = bytes; rest > 0;) rest -= (await client.next()).payload.byteLength;
    // Nothing but the pong is on the way: the credit is used up to the byte.
    assertEquals(await client.ask({ type: "ping", data: "x" }), { type: "pong", data: "x" });
  };
  await take(100_000);
  client.send({ type: "grant", id: 1, bytes: 1 });
  await take(1);
  client.send({ type: "grant", id: 1, bytes: 70_000 });
  await take(70_000);
  client.send({ type: "cancel", id: 1 });
  await left.promise;
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("windowBytes: 0 gives the head, and waits for a grant", async () => {
  await using upstream = startHttp(() => new Response(new Uint8Array(20_000)));
  await using service = startService();
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, url: upstream.origin, stream: true, windowBytes: 0 };
  assertEquals((await client.ask(request)).stream, true);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
  client.send({ type: "grant", id: 1, bytes: 20_000 });
  assertEquals((await takeBody(client, 1)).body.byteLength, 20_000);
});

Deno.test("bodyFollows streams a request body while it arrives, with grants as it is read", async () => {
  const parts: string[] = [];
  const first = Promise.withResolvers<void>();
  await using upstream = startHttp(async (request) => {
    for await (const part of request.body ?? []) {
      parts.push(text(part));
      first.resolve();
    }
    return new Response(`${request.headers.get("content-length")} ${parts.join("").length}`);
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, method: "POST", bodyFollows: true });
  client.send(encodeChunk({ id: 1, payload: new TextEncoder().encode("first"), fin: false }));
  await first.promise;
  assertEquals(parts, ["first"]);
  const piece = new Uint8Array(60_000).fill(65);
  let credit = 262_144 - 5;
  for (let sent = 0; sent < 20; sent++) {
    while (credit < piece.byteLength) {
      const grant = await client.next();
      assertEquals([grant.type, grant.id], ["grant", 1]);
      credit += grant.bytes;
    }
    client.send(encodeChunk({ id: 1, payload: piece, fin: false }));
    credit -= piece.byteLength;
  }
  client.send(encodeChunk({ id: 1, payload: new Uint8Array(), fin: true }));
  let frame = await client.next();
  while (frame.type === "grant") frame = await client.next();
  assertEquals([frame.status, frame.text], [200, "null 1200005"]);
});

for (
  const [name, chunks] of [
    ["more than its credit", [
      encodeChunk({ id: 1, payload: new Uint8Array(262_145), fin: false }),
    ]],
    ["behind the last one", [
      encodeChunk({ id: 1, payload: new Uint8Array(1), fin: true }),
      encodeChunk({ id: 1, payload: new Uint8Array(1), fin: true }),
    ]],
  ] as const
) {
  Deno.test(`a chunk ${name} ends its exchange with flow_control_error`, async () => {
    await using upstream = startHttp(() => new Promise<Response>(() => {}));
    await using service = startService();
    await using client = await connectV1(service.url);
    client.send({ type: "request", id: 1, url: upstream.origin, method: "PUT", bodyFollows: true });
    for (const chunk of chunks) client.send(chunk);
    const error = await client.next();
    assertEquals([error.id, error.code, error.sent], [1, "flow_control_error", "maybe"]);
    assertEquals((await client.ask({ type: "ping" })).type, "pong");
  });
}

Deno.test("a chunk for a request without bodyFollows ends its exchange", async () => {
  await using upstream = startHttp(() => new Promise<Response>(() => {}));
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, method: "PUT", text: "x" });
  const error = await client.ask(encodeChunk({ id: 1, payload: new Uint8Array(1), fin: true }));
  assertEquals([error.id, error.code], [1, "flow_control_error"]);
});

Deno.test("an upstream may answer before it has read the body", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig");
    await connection.peerClosed();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, method: "POST", bodyFollows: true });
  client.send(encodeChunk({ id: 1, payload: new Uint8Array(1000), fin: false }));
  const response = await client.next();
  assertEquals([response.status, response.text], [413, "big"]);
  client.send(encodeChunk({ id: 1, payload: new Uint8Array(1000), fin: true })); // crosses the answer
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("an upstream that dies inside a chunked body is an error behind what came", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const head = await client.ask({ type: "request", id: 1, url: upstream.origin, stream: true });
  assertEquals(head.stream, true);
  const frame = await client.next();
  const error = frame.payload === undefined ? frame : await client.next();
  assertEquals([error.id, error.code, error.sent, error.retryable], [
    1,
    "http_response_incomplete",
    "yes",
    true,
  ]);
});

Deno.test("a stream that is silent for too long is ended, a slow client is not", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhello");
    await connection.peerClosed();
    connection.close();
  });
  await using service = startService({ ...LOOPBACK, STREAM_IDLE_MS: "30" });
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, url: upstream.origin, stream: true, timeoutMs: 5000 };
  assertEquals((await client.ask({ ...request, windowBytes: 5 })).stream, true);
  assertEquals(text((await client.next()).payload), "hello");
  const error = await client.next();
  assertEquals([error.code, error.sent], ["http_response_timeout", "yes"]);
});

for (const stream of [true, "events", "lines"]) {
  Deno.test(`a response with stream: ${stream} that is silent from its head on is ended`, async () => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n",
      );
      await connection.peerClosed();
      connection.close();
    });
    await using service = startService({ ...LOOPBACK, STREAM_IDLE_MS: "30" });
    await using client = await connectV1(service.url);
    const request = { type: "request", id: 1, url: upstream.origin, stream, timeoutMs: 5000 };
    assertEquals((await client.ask(request)).stream, true);
    const { code, sent, message } = await client.next();
    assertEquals([code, sent, message], [
      "http_response_timeout",
      "yes",
      "The response did not go on within 30 ms",
    ]);
  });
}

Deno.test("a stream over MAX_STREAM_BYTES is cut off, either way", async () => {
  await using upstream = startHttp(async (request) => {
    if (request.method === "GET") return new Response(new Uint8Array(100_000));
    await request.arrayBuffer();
    return new Response();
  });
  await using service = startService({ ...LOOPBACK, MAX_STREAM_BYTES: "50000" });
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, stream: true });
  let down = await client.next();
  while (down.type !== "error") down = await client.next();
  assertEquals(down.code, "http_response_body_size");
  client.send({ type: "request", id: 2, url: upstream.origin, method: "PUT", bodyFollows: true });
  const up = await client.ask(encodeChunk({ id: 2, payload: new Uint8Array(50_001), fin: true }));
  assertEquals([up.id, up.code], [2, "request_too_large"]);
});

Deno.test("stream: true does not hold the head back for a short body that is slow, or breaks off", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    const isSlow = (await connection.readHead()).startsWith("GET /slow");
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab");
    if (isSlow) {
      await gate.promise;
      await connection.write("cdefghij");
    }
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, stream: true };
  const slow = await client.ask({ ...request, url: `${upstream.origin}/slow` });
  assertEquals([slow.status, slow.stream], [200, true]);
  assertEquals(text((await client.next()).payload), "ab");
  gate.resolve();
  assertEquals(text((await takeBody(client, 1)).body), "cdefghij");
  const cut = await client.ask({ ...request, url: `${upstream.origin}/cut` });
  assertEquals([cut.status, cut.stream], [200, true]);
  let frame = await client.next();
  while (frame.payload !== undefined) frame = await client.next();
  assertEquals([frame.code, frame.sent], ["http_response_incomplete", "yes"]);
});
