/**
 * Streams whose client breaks the rules, or changes its mind at the worst moment.
 */
import { assertEquals } from "@std/assert";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const chunk = (size: number, fin = false): Uint8Array<ArrayBuffer> =>
  encodeChunk({ id: 1, payload: new Uint8Array(size), fin });

/** Begins a download that has no credit. */
async function startPaused(client: TestClient, url: string): Promise<void> {
  const request = { type: "request", id: 1, url, stream: true, windowBytes: 0 };
  assertEquals((await client.ask(request)).stream, true);
}

/** Gives every frame up to the answer to a ping. */
async function framesToPong(client: TestClient): Promise<Frame[]> {
  client.send({ type: "ping" });
  const frames: Frame[] = [];
  for (;;) {
    const frame = await client.next();
    if (frame.type === "pong") return frames;
    frames.push(frame);
  }
}

Deno.test("a chunk for a download that waits for credit ends it with one error", async () => {
  await using upstream = startHttp(() => new Response(new Uint8Array(200_000)));
  await using service = startService();
  await using client = await connectV1(service.url);
  await startPaused(client, upstream.origin);
  const error = await client.ask(chunk(1));
  assertEquals([error.id, error.code], [1, "flow_control_error"]);
  assertEquals(await framesToPong(client), []);
});

Deno.test("a download that waits for credit when the grace of a drain ends is told so once", async () => {
  await using upstream = startHttp(() => new Response(new Uint8Array(200_000)));
  await using service = startService({ ...LOOPBACK, DRAIN_MS: "20" });
  await using client = await connectV1(service.url);
  await startPaused(client, upstream.origin);
  await service.app.drain();
  const [goaway, error] = await client.take(2);
  assertEquals([goaway.type, error.id, error.code], ["goaway", 1, "draining"]);
  assertEquals((await client.closed).code, 1001);
});

for (
  const [name, bad] of [
    ["too large", chunk(1_100_000)],
    ["of 4 bytes", Uint8Array.of(0, 0, 0, 1)],
    ["with unknown flags", Uint8Array.of(0, 0, 0, 1, 2, 65)],
  ] as const
) {
  Deno.test(`a chunk ${name} fails its exchange, whose body would have a hole`, async () => {
    await using upstream = startRaw(async (connection) => {
      await connection.peerClosed();
      connection.close();
    });
    await using service = startService();
    await using client = await connectV1(service.url);
    const request = { type: "request", id: 1, url: upstream.origin, method: "PUT" };
    client.send({ ...request, bodyFollows: true });
    client.send(bad);
    client.send(chunk(7, true));
    const frame = await client.next();
    assertEquals([frame.type, frame.id], ["error", 1]);
    assertEquals(await framesToPong(client), []);
  });
}

Deno.test("a cancelled upload grants nothing to the next exchange of its id", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.peerClosed();
    connection.close();
  });
  await using service = startService({ ...LOOPBACK, WINDOW_BYTES: "65536" });
  await using client = await connectV1(service.url);
  const request = {
    type: "request",
    id: 1,
    url: upstream.origin,
    method: "PUT",
    bodyFollows: true,
  };
  for (let round = 0; round < 20; round++) {
    client.send(request);
    for (let count = 0; count < 8; count++) client.send(chunk(8192));
    client.send({ type: "cancel", id: 1 });
    client.send(request);
    await framesToPong(client); // behind this nothing is for the first of the two
    assertEquals(await framesToPong(client), []);
    client.send({ type: "cancel", id: 1 });
  }
});

Deno.test("an early answer to an upload lets go of the destination's connection", async () => {
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    await connection.peerClosed();
    left.resolve();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, method: "PUT", bodyFollows: true });
  assertEquals((await client.ask(chunk(1))).text, "ok");
  await left.promise;
});

Deno.test("empty chunks are no progress of an upload", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.peerClosed();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, url: upstream.origin, method: "PUT", timeoutMs: 100 };
  client.send({ ...request, bodyFollows: true });
  const beat = setInterval(() => client.send(chunk(0)), 20);
  const error = await client.next();
  clearInterval(beat);
  assertEquals([error.code, error.sent], ["http_response_timeout", "maybe"]);
});
