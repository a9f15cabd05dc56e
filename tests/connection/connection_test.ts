import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { SUBPROTOCOL } from "../../src/protocol/mod.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { createBench, EMPTY, type Run, TIMING } from "../helpers/connection.ts";
import { createFakeBody, settle } from "../helpers/exchange.ts";

const DOWNLOAD = { stream: true, windowBytes: 0 };

/** Sends a body of one byte through the outlet of an exchange. */
function download({ outlet }: Run, byte: number): void | Promise<void> {
  return outlet.bytes(Uint8Array.of(byte), true);
}

Deno.test("a connection greets its client with what it may do", () => {
  const expiresAt = Date.UTC(2030, 0, 1);
  const { frames } = createBench({ identity: { subject: "alice", expiresAt } });
  assertEquals(frames(), [{
    type: "hello",
    protocol: SUBPROTOCOL,
    server: "test",
    connection: "c",
    identity: "alice",
    expiresAt: "2030-01-01T00:00:00.000Z",
    upstreams: ["shop"],
    limits: {
      maxFrameBytes: 1000,
      maxInFlight: 2,
      maxRequestBytes: 1,
      maxResponseBytes: 1,
      maxTimeoutMs: 1,
      windowBytes: 10,
      maxKeptBytes: Math.floor(2 ** 40 / 3),
    },
  }]);
});

Deno.test("receive() runs the exchange of a request, on behalf of the client", async () => {
  const { request, run, frames, telemetry, clock } = createBench({
    identity: { subject: "alice" },
  });
  clock.advance(5);
  request(7);
  const { exchange, respond, done } = run(0);
  assertEquals(exchange.caller, {
    connection: "c",
    subject: "alice",
    key: "address:127.0.0.1",
    queue: { round: 0 },
  });
  assertEquals(exchange.startedAt, 5);
  respond({ status: 418 });
  await done;
  const { type, id, status, requestId } = frames().at(-1);
  assertEquals([type, id, status, requestId], ["response", 7, 418, "c-1"]);
  const [record] = telemetry.of("exchanged");
  assertEquals([record?.id, record?.exchange, record?.identity], [7, 1, "alice"]);
});

Deno.test("receive() sends nothing for an id that is cancelled just as it fails", async () => {
  const { request, run, receive, frames, telemetry, clock } = createBench();
  request(1);
  clock.advance(10_008); // the time-out of the request
  assertEquals(run(0).exchange.signal.aborted, true);
  receive({ type: "cancel", id: 1 });
  const { outcome } = await telemetry.first("exchanged");
  assertEquals([outcome, frames().length], ["cancelled", 1], "hello is all that was sent");
});

Deno.test("receive() gives a reused id the response of its own exchange only", async () => {
  const { request, receive, run, frames } = createBench({ obeysSignal: false });
  request(1);
  receive({ type: "cancel", id: 1 });
  request(1);
  await run(0).outlet.whole(EMPTY, TIMING);
  run(0).respond();
  await run(0).done;
  assertEquals(frames().length, 1);
  run(1).respond({ status: 418 });
  await run(1).done;
  assertEquals(frames().slice(1).map(({ id, status }) => [id, status]), [[1, 418]]);
});

Deno.test("receive() counts a cancelled exchange until its request has ended", async () => {
  const { connection, request, receive, run, frames, started } = createBench({
    obeysSignal: false,
  });
  for (const id of [1, 2]) {
    request(id);
    receive({ type: "cancel", id });
  }
  request(3);
  assertEquals([frames().at(-1).code, connection.inFlight.size], ["too_many_in_flight", 2]);
  run(0).fail(new Error("aborted"));
  await run(0).done;
  assertEquals(connection.inFlight.size, 1);
  request(3);
  assertEquals(started(), 3);
});

Deno.test("receive() refuses an exchange too many, and logs it", () => {
  const { request, started, frames, telemetry } = createBench();
  for (const id of [1, 2, 3]) request(id);
  const { id, code, sent, retryable, message, requestId } = frames().at(-1);
  assertEquals([id, code, sent, retryable], [3, "too_many_in_flight", "no", true]);
  assertEquals([message, requestId], ["2 exchanges are in flight; wait for one to end", "c-3"]);
  assertEquals(started(), 2);
  const records = telemetry.of("exchanged").map(({ exchange, code }) => [exchange, code]);
  assertEquals(records, [[3, "too_many_in_flight"]]);
});

Deno.test("receive() ends an exchange at once that is cancelled while it waits for a place", async () => {
  const { connection, request, receive, run, frames, occupy } = createBench();
  occupy();
  request(1);
  receive({ type: "cancel", id: 1 });
  assertEquals(connection.inFlight.size, 1);
  await run(0).done;
  assertEquals([run(0).isMade(), run(0).exchange.record.outcome], [false, "cancelled"]);
  assertEquals([connection.inFlight.size, frames().length], [0, 1], "hello is all that was sent");
});

Deno.test("closed() and expire() end the exchanges that wait for a place; nothing of them was sent", async () => {
  for (const end of ["closed", "expire"] as const) {
    const { connection, request, run, frames, occupy } = createBench();
    occupy();
    request(1, { method: "POST" });
    if (end === "closed") connection.closed(1006);
    else {
      connection.drain(1);
      connection.endGrace();
    }
    await run(0).done;
    assertEquals([connection.inFlight.size, run(0).isMade()], [0, false]);
    if (end === "closed") {
      assertEquals(run(0).exchange.record.outcome, "cancelled");
      continue;
    }
    const { type, code, sent, retryable } = frames().at(-1);
    assertEquals([type, code, sent, retryable], ["error", "draining", "no", true]);
  }
});

Deno.test("a connection survives a log that cannot be written", async () => {
  const full = new Error("no space left");
  const { connection, request, run, telemetry } = createBench({
    before({ type }): void {
      if (type === "exchanged") throw full;
    },
  });
  request(1);
  run(0).respond();
  assertEquals((await telemetry.first("failed")).error, full);
  await settle();
  assertEquals(connection.inFlight.size, 0);
});

Deno.test("receive() closes with 4509 for a request whose id is in flight, well-formed or not", () => {
  for (const members of [{}, { url: undefined }, { url: 1 }]) {
    const { request, webSocket, started } = createBench();
    request(1);
    request(1, members);
    assertEquals([webSocket.closes, started()], [[4509], 1]);
  }
});

Deno.test("closed() ends the connection once: nothing is taken after it", async () => {
  const clock = createFakeClock();
  clock.advance(100);
  const { connection, request, run, telemetry, started, closings } = createBench({ clock });
  request(1);
  clock.advance(2.5);
  connection.closed(1006);
  connection.closed(1005);
  request(2);
  connection.drain(1);
  await connection.gone;
  await run(0).done;
  assertEquals(telemetry.events.map(({ type }) => type), ["disconnected", "exchanged"]);
  assertEquals(telemetry.of("disconnected"), [{
    type: "disconnected",
    connection: "c",
    code: 1006,
    closedBy: "client",
    exchanges: 1,
    durationMs: 2.5,
  }]);
  assertEquals([started(), closings()], [1, 0]);
});

Deno.test("gone fulfils when the connection has ended, whenever it is asked for", async () => {
  const { connection } = createBench();
  let isGone = false;
  const gone = connection.gone.then(() => isGone = true);
  await settle();
  assertEquals(isGone, false);
  connection.closed(1005);
  await gone;
  const late = createBench();
  late.connection.closed(1005);
  await late.connection.gone;
});

Deno.test("receive() takes no frame after the server has closed", async () => {
  const { connection, request, run, receive, frames, telemetry, started, webSocket, closings } =
    createBench();
  for (let times = 0; times < 2; times++) request(1);
  assertEquals([webSocket.closes, closings()], [[4509], 1]);
  request(2);
  request(3, { url: "/relative" });
  connection.receive("{");
  for (const frame of [{ type: "ping" }, { type: "cancel", id: 0 }]) receive(frame);
  connection.receive(new ArrayBuffer(6));
  connection.closed(1006);
  await run(0).done;
  const [disconnected] = telemetry.of("disconnected");
  assertEquals([disconnected?.exchanges, disconnected?.code, disconnected?.closedBy], [
    1,
    4509,
    "server",
  ]);
  assertEquals([started(), frames().length], [1, 1]);
  assertEquals(telemetry.events.map(({ type }) => type), ["disconnected", "exchanged"]);
});

Deno.test("receive() hands a grant to the exchange that it names", async () => {
  const { request, run, receive, frames } = createBench();
  for (const id of [1, 2]) request(id, DOWNLOAD);
  const sending = [0, 1].map((index) => download(run(index), index));
  receive({ type: "grant", id: 2, bytes: 1 });
  await sending[1];
  assertEquals(frames().slice(1), [{ id: 2, fin: true, payload: Uint8Array.of(1) }]);
  receive({ type: "cancel", id: 1 });
  await sending[0];
  receive({ type: "grant", id: 1, bytes: 2 });
  await settle();
  assertEquals(frames().length, 2);
});

Deno.test("receive() gives a grant that follows a cancel to no exchange, nor to the next of its id", async () => {
  const { request, run, receive, frames } = createBench();
  request(1, DOWNLOAD);
  const first = download(run(0), 1);
  receive({ type: "cancel", id: 1 });
  receive({ type: "grant", id: 1, bytes: 1 });
  await first;
  request(1, DOWNLOAD);
  const second = download(run(1), 2);
  await settle();
  assertEquals(frames().length, 1, "the first grant was for no exchange");
  receive({ type: "grant", id: 1, bytes: 1 });
  await second;
  assertEquals(frames().slice(1), [{ id: 1, fin: true, payload: Uint8Array.of(2) }]);
});

Deno.test("closed() ends a download that waits for credit", async () => {
  const { connection, request, run, frames, telemetry } = createBench();
  request(1, DOWNLOAD);
  const sending = download(run(0), 1);
  connection.closed(1006);
  await sending;
  assertEquals(run(0).exchange.signal.aborted, true);
  await run(0).done;
  assertEquals(telemetry.of("exchanged").map(({ outcome }) => outcome), ["cancelled"]);
  assertStrictEquals(frames().length, 1);
});

Deno.test("a download for which no credit is granted fails, though all of its body has arrived", async () => {
  const { request, run, frames, clock, connection } = createBench();
  request(1, { stream: true, windowBytes: 20_000 });
  run(0).respond({ body: createFakeBody(["x".repeat(30_000)]) });
  await settle();
  clock.advance(60_000);
  await run(0).done;
  const [, head, chunk, error, ...rest] = frames();
  assertEquals([head.stream, chunk.payload.byteLength, chunk.fin], [true, 20_000, false]);
  assertEquals([error.code, error.sent, rest], ["flow_control_error", "yes", []]);
  await assertRejects(async () => await run(0).outlet.bytes(Uint8Array.of(1), true));
  assertEquals(connection.inFlight.size, 0);
});

Deno.test("receive() answers a ping with its data", () => {
  const { receive, frames } = createBench();
  receive({ type: "ping" });
  receive({ type: "ping", data: "d" });
  assertEquals(frames().slice(1), [{ type: "pong" }, { type: "pong", data: "d" }]);
});

Deno.test("a connection lets 1,000 frames wait beside those of its exchanges, and no more", () => {
  const { receive, webSocket, telemetry } = createBench();
  webSocket.buffered = 2;
  for (let count = 0; count < 2 + 1000; count++) receive({ type: "ping" });
  assertEquals(webSocket.closes, []);
  receive({ type: "ping" });
  assertEquals(webSocket.closes, [4029]);
  assertEquals(telemetry.of("paused"), [{ type: "paused", connection: "c" }]);
});
