/**
 * Frames that a connection cannot take: malformed, too large, or chunks of no upload. The exchange that a bad chunk
 * belongs to fails, and no other.
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Stage } from "../../src/exchange/stage.ts";
import { encodeChunk, type Sent } from "../../src/protocol/mod.ts";
import { type Bench, createBench } from "../helpers/connection.ts";
import { createFakeBody, settle } from "../helpers/exchange.ts";

const UPLOAD = { method: "PUT", bodyFollows: true };

const chunk = (id: number, length: number, fin = false): ArrayBuffer =>
  encodeChunk({ id, fin, payload: new Uint8Array(length) }).buffer;

/** Returns the codes of the errors that the client was sent, each with its id. */
const errorsOf = ({ frames }: Bench): readonly unknown[] =>
  frames().filter(({ type }) => type === "error").map(({ id, code }) => [id, code]);

Deno.test("receive() hands chunks to the upload of their own exchange, and grants it more", async () => {
  const { connection, request, run, frames, telemetry } = createBench();
  for (const id of [1, 2]) request(id, UPLOAD);
  for (const data of [chunk(2, 4), chunk(1, 5), chunk(2, 3, true)]) connection.receive(data);
  const [first, second] = [0, 1].map((index) => run(index).exchange.upload?.getReader());
  assertEquals((await first?.read())?.value?.byteLength, 5);
  assertEquals(frames().slice(1), [{ type: "grant", id: 1, bytes: 5 }]);
  assertEquals((await second?.read())?.value?.byteLength, 4);
  assertEquals((await second?.read())?.value?.byteLength, 3);
  assertEquals((await second?.read())?.done, true);
  run(1).respond();
  await run(1).done;
  const [record] = telemetry.of("exchanged");
  assertEquals([record?.id, record?.requestBytes, frames().length], [2, 7, 3]);
});

Deno.test("receive() restarts the time of a request as its upload is taken", async () => {
  const { connection, request, run, clock } = createBench();
  request(1, UPLOAD);
  clock.advance(9000);
  connection.receive(chunk(1, 1));
  await run(0).exchange.upload?.getReader().read();
  clock.advance(9000);
  assertEquals(run(0).exchange.signal.aborted, false);
  clock.advance(1008);
  assertEquals(run(0).exchange.signal.aborted, true);
});

Deno.test("receive() fails the exchange of a chunk that may not be sent, and no other", async () => {
  const bench = createBench();
  const { connection, request, run, frames } = bench;
  request(1, UPLOAD);
  request(2);
  connection.receive(chunk(1, 11));
  connection.receive(chunk(1, 11)); // the error is on its way
  await run(0).done;
  assertEquals(errorsOf(bench), [[1, "flow_control_error"]]);
  connection.receive(chunk(2, 0, true));
  await run(1).done;
  assertEquals(frames().at(-1).message, "A chunk arrived for a request without bodyFollows");
  assertEquals(run(0).exchange.record.requestBytes, 22, "all bytes that arrived");
});

Deno.test("receive() ignores chunks, grants and cancels of exchanges that are not in flight", async () => {
  const { connection, request, run, receive, frames } = createBench();
  request(1, UPLOAD);
  run(0).respond();
  await run(0).done;
  const late = [chunk(1, 1000 - 5), chunk(1, 0, true), chunk(0, 1), chunk(7, 1)];
  for (const data of late) connection.receive(data);
  for (const id of [1, 7]) {
    receive({ type: "grant", id, bytes: 1 });
    receive({ type: "cancel", id });
  }
  receive({ type: "ping" });
  assertEquals(frames().slice(2), [{ type: "pong" }]);
});

Deno.test("receive() grants nothing for an upload that is cancelled as it is read", async () => {
  const { connection, request, run, receive, frames } = createBench();
  request(1, UPLOAD);
  const reading = run(0).exchange.upload?.getReader().read();
  connection.receive(chunk(1, 10));
  receive({ type: "cancel", id: 1 });
  await assertRejects(async () => await reading, TypeError);
  await run(0).done;
  assertEquals(run(0).exchange.record.outcome, "cancelled");
  assertEquals(frames().length, 1, "hello is all that was sent");
});

for (const length of [0, 3]) {
  Deno.test(`receive() ties a binary frame of ${length} bytes to no exchange`, () => {
    const bench = createBench();
    const { connection, request, run, telemetry } = bench;
    request(1, UPLOAD);
    connection.receive(Uint8Array.of(0, 0, 0).slice(0, length).buffer);
    assertEquals(errorsOf(bench), [[undefined, "bad_frame"]]);
    assertEquals(run(0).exchange.signal.aborted, false);
    assertEquals(telemetry.events, [{ type: "malformed", connection: "c", code: "bad_frame" }]);
  });
}

Deno.test("receive() fails the exchange that a binary frame of 4 bytes names", async () => {
  const bench = createBench();
  const { connection, request, run, telemetry } = bench;
  for (const id of [1, 2]) request(id, UPLOAD);
  connection.receive(Uint8Array.of(0, 0, 0, 2).buffer);
  await run(1).done;
  assertEquals([errorsOf(bench), run(0).exchange.signal.aborted], [[[2, "bad_frame"]], false]);
  assertEquals(
    telemetry.events.map(({ type }) => type),
    ["exchanged"],
    "it is not malformed as well",
  );
});

Deno.test("receive() takes a binary frame of exactly maxFrameBytes", () => {
  for (const [length, code] of [[1000, "flow_control_error"], [1001, "frame_too_large"]] as const) {
    const { connection, request, run } = createBench();
    request(1, UPLOAD);
    connection.receive(chunk(1, length - 5));
    assertEquals(run(0).exchange.signal.reason?.code, code);
  }
});

Deno.test("receive() measures a text in UTF-8", () => {
  const cases = [
    ["x".repeat(1000), "bad_frame"],
    ["x".repeat(1001), "frame_too_large"],
    ["é".repeat(500), "bad_frame"],
    ["é".repeat(500) + "x", "frame_too_large"],
    ["€".repeat(333), "bad_frame"],
    ["€".repeat(334), "frame_too_large"],
  ] as const;
  for (const [text, code] of cases) {
    const bench = createBench();
    bench.connection.receive(text);
    assertEquals([errorsOf(bench), bench.webSocket.closes], [[[undefined, code]], []]);
    const [, { message }] = bench.frames();
    if (code === "frame_too_large") assertEquals(message, "The frame is larger than 1000 bytes");
  }
});

Deno.test("receive() closes with 4500 after 16 malformed frames, whatever stands between them", () => {
  const { connection, webSocket, receive, frames } = createBench();
  for (let count = 1; count < 16; count++) {
    connection.receive("{");
    receive({ type: "ping" });
    connection.receive("x".repeat(1001)); // too large, and not malformed
    receive({ type: "cancel", id: "x" }); // a bad request
  }
  assertEquals([webSocket.closes, frames().length], [[], 1 + 15 * 4]);
  connection.receive("{");
  assertEquals([webSocket.closes, frames().length], [[4500], 62], "the last one is answered too");
});

Deno.test("receive() counts malformed chunks of exchanges in flight as malformed frames", async () => {
  const { connection, request, run, webSocket } = createBench();
  for (let count = 1; count <= 16; count++) {
    request(1, UPLOAD);
    assertEquals(webSocket.closes, []);
    connection.receive(Uint8Array.of(0, 0, 0, 1).buffer);
    await run(count - 1).done;
  }
  assertEquals(webSocket.closes, [4500]);
});

Deno.test("receive() logs a malformed request that has an id as an exchange that has failed", () => {
  const { request, frames, telemetry, started } = createBench();
  request(1);
  request(5, { url: "/relative" });
  const { id, code, requestId, sent } = frames().at(-1);
  assertEquals([id, code, requestId, sent], [5, "bad_request", "c-2", "no"]);
  const [record] = telemetry.of("exchanged");
  assertEquals(telemetry.events, record === undefined ? [] : [record]);
  const { outcome, exchange, method, host } = record ?? {};
  assertEquals([outcome, exchange, method, host], ["error", 2, "", ""]);
  request(6);
  assertEquals([started(), frames().at(-1).type], [2, "error"]);
});

/** What the error of a bad chunk says of a request that is under way, by how far its exchange has come. */
const STAGES: readonly { readonly stage: Stage; readonly sent: Sent }[] = [
  { stage: "place", sent: "no" },
  { stage: "head", sent: "maybe" },
  { stage: "body", sent: "yes" },
  { stage: "stream", sent: "yes" },
];

for (const { stage, sent } of STAGES) {
  Deno.test(`receive() says sent: "${sent}" of an exchange whose chunk is bad in the stage ${stage}`, async () => {
    for (const code of ["frame_too_large", "bad_frame"] as const) {
      const bench = createBench();
      if (stage === "place") bench.occupy();
      bench.request(1, { ...UPLOAD, stream: stage === "stream" });
      const { exchange, respond, done } = bench.run(0);
      const failed = new Promise<never>((_, reject) => {
        exchange.signal.addEventListener("abort", () => reject(exchange.signal.reason));
      });
      failed.catch(() => {});
      if (sent === "yes") {
        const isWhole = stage === "body";
        const before = (index: number): void | Promise<void> =>
          index === (isWhole ? 0 : 1) ? failed : undefined;
        respond({ body: createFakeBody(["a", "b"], { isHere: false, before }) });
      }
      await settle();
      assertEquals(exchange.stage, stage);
      bench.connection.receive(
        code === "bad_frame" ? Uint8Array.of(0, 0, 0, 1).buffer : chunk(1, 996),
      );
      await done;
      const error = bench.frames().at(-1);
      assertEquals([error.code, error.sent, error.retryable], [code, sent, false]);
    }
  });
}
