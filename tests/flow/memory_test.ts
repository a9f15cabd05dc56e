/**
 * Clients that make the service keep much in memory, in a process whose memory is small.
 */
import { assert, assertEquals, AssertionError } from "@std/assert";
import { zstdCompressSync } from "node:zlib";
import { connect, connectV1, type TestClient } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const MIB = 1024 * 1024;
// 80 MiB may be kept for clients, and a third of that for a connection.
const SMALL = { ...LOOPBACK, MEMORY_BYTES: String(256 * MIB) };
const BODY_BYTES = 8 * MIB;
const CONNECTIONS = 5;

for (const workers of ["1", "2"]) {
  Deno.test(`responses that are held back are failed when memory is used up, with ${workers} of WORKERS`, async () => {
    const memory = workers === "1" ? 256 : 512;
    await using held = startRaw(async (connection) => {
      if (await connection.readHead() === "") return;
      await connection.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY_BYTES}\r\n\r\nbeginning`);
      await connection.peerClosed();
    });
    await using quick = startHttp(() => new Response("quick"));
    await using service = await startProcess({
      ...SMALL,
      MEMORY_BYTES: String(memory * MIB),
      WORKERS: workers,
    });
    await using stack = new AsyncDisposableStack();
    const clients = await Promise.all(
      Array.from(
        { length: CONNECTIONS * Number(workers) },
        async () => stack.use(await connectV1(service.url)),
      ),
    );
    for (const client of clients) {
      for (let id = 1; id <= 4; id++) client.send({ type: "request", id, url: held.origin });
    }
    const errors = await Promise.race(clients.map((client) => client.next()));
    assertEquals([errors.code, errors.sent, errors.retryAfterMs], [
      "proxy_overloaded",
      "yes",
      1000,
    ]);

    await using other = await connectV1(service.url);
    const response = await other.ask({ type: "request", id: 1, url: quick.origin });
    assertEquals([response.status, response.text], [200, "quick"]);
    const ready = await fetch(`${service.origin}/readyz`);
    if (workers === "1") {
      assertEquals([ready.status, (await ready.json()).error.code], [503, "overloaded"]);
    } else await ready.body?.cancel();
  });
}

Deno.test("hello tells how much the service keeps for a connection", async () => {
  await using service = await startProcess(SMALL);
  await using client = await connect(service.url, ["wsfetch.v1"]);
  const { limits } = await client.next();
  assertEquals(limits, { ...Object(limits), maxKeptBytes: Math.floor(80 * MIB / 3) });
});

Deno.test("coded bodies on one connection do not wait for each other, however large their windows are", async () => {
  const coded = new Uint8Array(zstdCompressSync(new Uint8Array(BODY_BYTES + 1)));
  await using server = startHttp(() =>
    new Response(coded, { headers: { "content-encoding": "zstd" } })
  );
  await using service = await startProcess({ ...LOOPBACK, MEMORY_BYTES: String(512 * MIB) });
  await using client = await connectV1(service.url);
  for (let id = 1; id <= 12; id++) client.send({ type: "request", id, url: server.origin });
  for (let count = 1; count <= 12; count++) {
    assertEquals((await client.next()).code, "http_response_body_size");
  }
});

Deno.test("a message of endless fragments is ended, and its memory is given back", async () => {
  await using service = await startProcess({ ...LOOPBACK, MEMORY_BYTES: String(512 * MIB) });
  await using busy = await connectV1(service.url);
  using attacker = await connectRaw(service.port, {
    "sec-websocket-protocol": "wsfetch.v1",
  });
  const fragment = new Uint8Array(65_536 + 14);
  fragment.set([0x01, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // the first, with 64 KiB
  let sent = 0;
  try {
    for (; sent < 1024 * MIB; sent += fragment.length) {
      await attacker.write(fragment);
      fragment[0] = 0; // it continues the message
      assertEquals((await busy.ask({ type: "ping" })).type, "pong");
    }
  } catch (error) {
    assert(!(error instanceof AssertionError), String(error)); // else the service has ended it
  }
  assert(sent < 1024 * MIB, "the message was never ended");
  assertEquals((await busy.ask({ type: "ping" })).type, "pong");
});

Deno.test("whole responses of 1 MiB to many connections end no connection, idle or busy", async () => {
  const body = "x".repeat(MIB);
  await using destination = startHttp(() => new Response(body));
  await using service = await startProcess({ ...LOOPBACK, MEMORY_BYTES: String(512 * MIB) });
  const open = (count: number): Promise<TestClient[]> =>
    Promise.all(Array.from({ length: count }, () => connectV1(service.url)));
  const codes: number[] = [];
  const all = [...await open(50), ...await open(100)];
  for (const { closed } of all) closed.then(({ code }) => codes.push(code));
  const outcomes = await Promise.allSettled(
    all.slice(50).map(async (client) => {
      const frame = { type: "request", url: destination.origin, timeoutMs: 60_000 };
      for (const id of [1, 2]) await client.ask({ ...frame, id });
    }),
  );
  const ended = [...codes]; // before the clients close
  await Promise.all(all.map((client) => client[Symbol.asyncDispose]()));
  assertEquals([ended, outcomes.filter(({ status }) => status === "rejected").length], [[], 0]);
});
