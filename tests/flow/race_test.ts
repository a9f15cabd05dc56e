/**
 * Races of the two ends, in both orders, where other tests do not hold them yet.
 */
import { assertEquals } from "@std/assert";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

/** Takes frames to the chunk with FIN; gives the payload bytes. */
async function bytesToFin(client: TestClient): Promise<number> {
  let bytes = 0;
  for (;;) {
    const frame: Frame = await client.next();
    assertEquals(frame.type, undefined);
    bytes += frame.payload.byteLength;
    if (frame.fin) return bytes;
  }
}

Deno.test("a cancel behind the error of a timeout is ignored, and the id may be used again", async () => {
  await using hanging = startRaw(async (connection) => {
    await connection.peerClosed();
    connection.close();
  });
  await using upstream = startHttp(() => new Response("again"));
  await using service = startService();
  await using client = await connectV1(service.url);
  const error = await client.ask({ type: "request", id: 1, url: hanging.origin, timeoutMs: 20 });
  assertEquals(error.code, "http_response_timeout");
  client.send({ type: "cancel", id: 1 });
  assertEquals((await client.ask({ type: "request", id: 1, url: upstream.origin })).text, "again");
});

Deno.test("a cancel before the time runs out leaves nothing to time out", async () => {
  const left = Promise.withResolvers<void>();
  await using hanging = startRaw(async (connection) => {
    await connection.peerClosed();
    left.resolve();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: hanging.origin, timeoutMs: 60_000 });
  await service.logged("decided");
  client.send({ type: "cancel", id: 1 });
  const { outcome, code } = await service.logged("exchanged");
  assertEquals([outcome, code], ["cancelled", undefined]);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("a grant behind the last chunk is ignored, and says nothing of the next exchange of its id", async () => {
  await using upstream = startHttp(() => new Response(new Uint8Array(40_000)));
  await using service = startService();
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 1, url: upstream.origin, stream: true };
  assertEquals((await client.ask({ ...request, windowBytes: 40_000 })).stream, true);
  assertEquals(await bytesToFin(client), 40_000);
  client.send({ type: "grant", id: 1, bytes: 40_000 });
  assertEquals((await client.ask({ ...request, windowBytes: 10_000 })).stream, true);
  let received = 0;
  while (received < 10_000) received += (await client.next()).payload.byteLength;
  assertEquals([received, await client.ask({ type: "ping" })], [10_000, { type: "pong" }]);
  client.send({ type: "grant", id: 1, bytes: 30_000 });
  assertEquals(await bytesToFin(client), 30_000);
});

Deno.test("a drain lets an open stream come to its end, and takes no other", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(() =>
    new Response(ReadableStream.from((async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield new Uint8Array(1);
      await gate.promise;
      yield new Uint8Array(100_000);
    })()))
  );
  await using service = startService({ ...LOOPBACK, DRAIN_MS: "60000" });
  await using client = await connectV1(service.url);
  const request = { type: "request", url: upstream.origin, stream: true };
  assertEquals((await client.ask({ ...request, id: 1 })).stream, true);
  assertEquals((await client.next()).payload.byteLength, 1);
  const drained = service.app.drain();
  assertEquals((await client.next()).type, "goaway");
  const refused = await client.ask({ ...request, id: 2 });
  assertEquals([refused.id, refused.code, refused.sent], [2, "draining", "no"]);
  gate.resolve();
  assertEquals(await bytesToFin(client), 100_000);
  assertEquals((await client.closed).code, 1001);
  await drained;
});

Deno.test("a chunk in front of its request is ignored, and no part of the body", async () => {
  await using upstream = startHttp(async (request) => new Response(await request.text()));
  await using service = startService();
  await using client = await connectV1(service.url);
  const piece = (text: string, fin: boolean): Uint8Array<ArrayBuffer> =>
    encodeChunk({ id: 1, payload: new TextEncoder().encode(text), fin });
  client.send(piece("stray", true));
  client.send({ type: "request", id: 1, url: upstream.origin, method: "PUT", bodyFollows: true });
  assertEquals((await client.ask(piece("body", true))).text, "body");
});

Deno.test("a client that vanishes with 64 streams open aborts every upstream request", async () => {
  const allLeft = Promise.withResolvers<void>();
  let left = 0;
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc");
    await connection.peerClosed();
    if (++left === 64) allLeft.resolve();
    connection.close();
  });
  await using service = startService();
  {
    await using client = await connectV1(service.url);
    for (let id = 1; id <= 64; id++) {
      client.send({ type: "request", id, url: upstream.origin, stream: true });
    }
    for (let chunks = 0; chunks < 64;) {
      chunks += (await client.next()).payload === undefined ? 0 : 1;
    }
  }
  await allLeft.promise;
  await service.logged("exchanged", ({ exchange }) => exchange === 64);
  const outcomes = service.log.filter(({ event }) => event === "exchanged");
  assertEquals(outcomes.map(({ outcome }) => outcome), Array(64).fill("cancelled"));
});
