import { assert, assertEquals } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { closeFrame, connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

/** The service still serves a newcomer. */
async function assertAlive(service: Service): Promise<void> {
  await using client = await connectV1(service.url);
  assertEquals((await client.ask({ type: "ping", data: "alive" })).data, "alive");
  assertEquals(service.log.filter(({ event }) => event === "failed"), []);
}

const CLOSED_4029 = closeFrame(4029, "The client does not read");

const MALFORMED: readonly { name: string; bytes: Uint8Array<ArrayBuffer> }[] = [
  { name: "invalid UTF-8", bytes: rawFrame(TEXT, new Uint8Array([0xff, 0xfe])) },
  { name: "reserved bits", bytes: rawFrame(0xf1, "x") },
  { name: "an unknown opcode", bytes: rawFrame(0x83, "x") },
  { name: "a close frame of one byte", bytes: rawFrame(0x88, new Uint8Array([3])) },
  { name: "a forbidden close code", bytes: rawFrame(0x88, new Uint8Array([3, 0xed])) },
  { name: "a ping of 126 bytes", bytes: rawFrame(0x89, new Uint8Array(126)) },
  { name: "a fragmented ping", bytes: rawFrame(0x09, "x") },
  { name: "a continuation of nothing", bytes: rawFrame(0x80, "x") },
];

for (const { name, bytes } of MALFORMED) {
  Deno.test(`a WebSocket frame with ${name} ends its connection and nothing else`, async () => {
    await using service = startService();
    using client = await connectRaw(service.port);
    await client.write(bytes);
    await client.readToEnd();
    await service.logged("disconnected");
    await assertAlive(service);
  });
}

Deno.test("a message over 64 MiB ends its connection and nothing else", async () => {
  await using service = startService();
  using client = await connectRaw(service.port);
  const head = rawFrame(TEXT, new Uint8Array(65536)).subarray(0, 14);
  head.set([0, 0, 0, 0, 0x04, 0x10, 0, 0], 2); // 65 MiB are announced
  await client.write(head);
  await client.readToEnd();
  await service.logged("disconnected");
  await assertAlive(service);
});

Deno.test("a frame over MAX_FRAME_BYTES is an error, and its connection goes on", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  const error = await client.ask("x".repeat(32 * 1024 * 1024));
  assertEquals([error.code, error.sent], ["frame_too_large", "no"]);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("a client that vanishes with 64 exchanges in flight aborts every upstream request", async () => {
  const allCame = Promise.withResolvers<void>();
  const allLeft = Promise.withResolvers<void>();
  let came = 0;
  let left = 0;
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    if (++came === 64) allCame.resolve();
    await connection.peerClosed();
    if (++left === 64) allLeft.resolve();
    connection.close();
  });
  await using service = startService();
  {
    using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
    for (let id = 1; id <= 64; id++) {
      const frame = JSON.stringify({ type: "request", id, url: upstream.origin });
      await client.write(rawFrame(TEXT, frame));
    }
    await allCame.promise;
  } // the socket is gone without a closing handshake
  const vanishedAt = performance.now();
  await allLeft.promise;
  const tookMs = performance.now() - vanishedAt;
  assert(tookMs < 1000, `every upstream request was aborted after ${tookMs} ms`);
  const line = await service.logged("disconnected");
  assertEquals(line.exchanges, 64);
  const outcomes = service.log.filter(({ event }) => event === "exchanged");
  assertEquals(outcomes.map(({ outcome }) => outcome), Array(64).fill("cancelled"));
  await assertAlive(service);
});

Deno.test("a client that never reads is closed with 4029, and its frames are dropped", async () => {
  const body = "x".repeat(1024 * 1024);
  await using upstream = startHttp(() => new Response(body));
  await using service = startService({
    ...LOOPBACK,
    SEND_BUFFER_BYTES: "65536",
    SEND_TIMEOUT_MS: "100",
  });
  using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
  for (let id = 1; id <= 64; id++) {
    const frame = JSON.stringify({ type: "request", id, url: upstream.origin });
    await client.write(rawFrame(TEXT, frame));
  }
  await service.logged("exchanged", ({ outcome }) => outcome === "cancelled");
  // Reading at last, the client finds what was handed over, and the close frame behind it.
  const received = await client.readToEnd(CLOSED_4029);
  assert(received.length < 32 * body.length, `${received.length} bytes had been handed over`);
  // The client neither answers the closing handshake nor closes its end.
  const { code, closedBy } = await service.logged("disconnected");
  assertEquals([code, closedBy], [4029, "server"]);
  await assertAlive(service);
});

Deno.test("a slow client that goes on reading gets everything", async () => {
  const body = "x".repeat(256 * 1024);
  await using upstream = startHttp(() => new Response(body));
  await using service = startService({
    ...LOOPBACK,
    SEND_BUFFER_BYTES: "1024",
    MAX_IN_FLIGHT: "100",
  });
  await using client = await connectV1(service.url);
  for (let id = 1; id <= 100; id++) client.send({ type: "request", id, url: upstream.origin });
  const frames = await client.take(100);
  assertEquals(new Set(frames.map(({ id }) => id)).size, 100);
  assert(frames.every(({ text }) => text === body));
});

Deno.test("a flood of pings that nobody reads the pongs of is closed with 4029", async () => {
  await using service = startService({ ...LOOPBACK, SEND_BUFFER_BYTES: "1024" });
  using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
  const ping = rawFrame(TEXT, JSON.stringify({ type: "ping", data: "x".repeat(125) }));
  const pings = new Uint8Array(ping.length * 1000);
  for (let i = 0; i < 1000; i++) pings.set(ping, i * ping.length);
  const flood = async (): Promise<void> => {
    for (let round = 0; round < 100; round++) await client.write(pings);
  };
  await flood().catch(() => {}); // the service need not take it all
  await client.readToEnd(CLOSED_4029);
  client[Symbol.dispose]();
  const { code, closedBy } = await service.logged("disconnected");
  assertEquals([code, closedBy], [4029, "server"]);
  await assertAlive(service);
});

Deno.test("a client that does not answer the closing handshake gives its place up all the same", async () => {
  await using service = startService({ ...LOOPBACK, MAX_CONNECTIONS: "1" });
  using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
  for (let count = 0; count < 16; count++) await client.write(rawFrame(TEXT, "{"));
  await client.readToEnd(closeFrame(4500, "Too many malformed or needless frames"));
  assertEquals((await service.logged("disconnected")).code, 4500);
  await client.readToEnd();
  for (let isFull = true; isFull;) {
    using next = await connectRaw(service.port); // the place is free once the service has seen the end of TCP, too
    isFull = next.answer.includes("too_many_connections");
  }
});

Deno.test("a client that never reads has no answers made for it", async () => {
  const body = "\x01".repeat(1024 * 1024); // six times as long in JSON
  await using upstream = startHttp(() => new Response(body));
  await using service = startService({ ...LOOPBACK, SEND_BUFFER_BYTES: "1024", DRAIN_MS: "0" });
  using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
  for (let id = 1; id <= 64; id++) {
    const frame = JSON.stringify({ type: "request", id, url: upstream.origin });
    await client.write(rawFrame(TEXT, frame));
  }
  // The upstream has been asked for all of them; what the service made of the answers is what it handed over.
  await service.logged("exchanged");
  await service.app.drain();
  const received = await client.readToEnd(closeFrame(1001, "Going away"));
  assert(received.length < 16 * body.length, `${received.length} bytes`);
});
