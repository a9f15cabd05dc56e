import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createOutlet, sendWhole } from "../../src/connection/outlet.ts";
import type { Pace, Paced } from "../../src/connection/pace.ts";
import { encodeChunk, ProxyError } from "../../src/protocol/mod.ts";
import { createBench, noRun, type Run, WHOLE } from "../helpers/connection.ts";

const UPLOAD = { method: "PUT", bodyFollows: true };
const DOWNLOAD = { stream: true, windowBytes: 0 };

Deno.test("createConnect() sends nothing for an id that is cancelled just as it fails", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1);
  const timeout = new ProxyError("http_response_timeout", "too late");
  runs[0]?.exchange.controller.abort(timeout);
  runs[0]?.reject(timeout);
  connection.receive('{"type":"cancel","id":1}');
  const { outcome } = await log.logged("exchanged");
  assertEquals([outcome, sent.length], ["cancelled", 1], "hello is all that was sent");
});

for (const hearsAllowed of [true, false]) {
  Deno.test(`createConnect() ${hearsAllowed ? "tells" : "does not tell"} of an allowed hop, and always of a denied one`, async () => {
    const { runs, log, request } = createBench({ hearsAllowed });
    request(1);
    const [run = noRun()] = runs;
    const { exchange, context } = run;
    context.decided(exchange, new URL("http://a.example/"), { allow: true, reason: "public" });
    context.decided(exchange, new URL("http://b.example/"), { allow: false, reason: "private" });
    run.resolve();
    await log.logged("exchanged");
    const told = log.lines.filter(({ event }) => event === "decided").map(({ host }) => host);
    assertEquals(told, hearsAllowed ? ["a.example", "b.example"] : ["b.example"]);
  });
}

Deno.test("createConnect() gives a reused id the answer of its own exchange only", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1);
  connection.receive('{"type":"cancel","id":1}');
  request(1);
  const [first = noRun(), second = noRun()] = runs;
  await sendWhole(first.exchange, WHOLE, first.context);
  first.resolve();
  await log.logged("exchanged", ({ exchange }) => exchange === 1);
  assertEquals(sent.length, 1);
  const teapot = { ...WHOLE, response: { ...WHOLE.response, status: 418 } };
  await sendWhole(second.exchange, teapot, second.context);
  second.resolve();
  await log.logged("exchanged", ({ exchange }) => exchange === 2);
  assertEquals(sent.slice(1).map(({ id, status }) => [id, status]), [[1, 418]]);
});

Deno.test("createConnect() counts a cancelled exchange until its request has ended", async () => {
  const { connection, runs, sent, log, request } = createBench();
  for (const id of [1, 2]) {
    request(id);
    connection.receive(`{"type":"cancel","id":${id}}`);
  }
  request(3);
  assertEquals(sent.at(-1)?.code, "too_many_in_flight");
  runs[0]?.reject(new Error("aborted"));
  await log.logged("exchanged", ({ exchange }) => exchange === 1);
  request(3);
  assertEquals(runs.length, 3);
});

/** A pace at which each exchange has to wait. */
function createGate(): {
  readonly pace: Pace;
  readonly open: () => void;
  readonly calls: string[];
} {
  const calls: string[] = [];
  const waiting: (() => void)[] = [];
  const pace = {
    enter(paced: Paced): Promise<void> {
      calls.push("enter");
      return new Promise((begin) => {
        paced.begin = begin;
        waiting.push(begin);
      });
    },
    leave: () => void calls.push("leave"),
  };
  return { pace, open: () => waiting.forEach((begin) => begin()), calls };
}

Deno.test("createConnect() ends an exchange at once that was cancelled while it waited", async () => {
  const { pace, calls } = createGate();
  const { connection, runs, sent, log, request } = createBench({ pace });
  request(1);
  connection.receive('{"type":"cancel","id":1}');
  assertEquals([connection.inFlight, calls], [1, ["enter"]]);
  const { outcome } = await log.logged("exchanged");
  assertEquals([outcome, runs.length, sent.length], ["cancelled", 0, 1], "hello is all");
  assertEquals([connection.inFlight, calls], [0, ["enter", "leave"]]);
});

Deno.test("createConnect() ends exchanges that wait when it has closed or goes away, as not sent", async () => {
  for (const end of ["closed", "expire"] as const) {
    const { pace } = createGate();
    const { connection, runs, sent, log, request } = createBench({ pace });
    request(1, { method: "POST" });
    if (end === "closed") connection.closed(1006);
    else {
      connection.drain(1);
      connection.expire();
    }
    const { outcome } = await log.logged("exchanged");
    assertEquals([connection.inFlight, runs.length], [0, 0]);
    if (end === "closed") {
      assertEquals(outcome, "cancelled");
      continue;
    }
    const { type, code, sent: wasSent, retryable } = sent.at(-1) ?? {};
    assertEquals([type, code, wasSent, retryable], ["error", "draining", "no", true]);
  }
});

Deno.test("createConnect() gives the place back though the log fails", async () => {
  const { pace, open, calls } = createGate();
  let isFull = true;
  const write = (): void => {
    if (isFull) {
      isFull = false;
      throw new Error("The log is full");
    }
  };
  const { runs, request } = createBench({ pace, write });
  request(1);
  open();
  await Promise.resolve();
  const [{ reject } = noRun()] = runs;
  reject(new Error("a bug"));
  while (calls.length < 2) await Promise.resolve();
  assertEquals(calls, ["enter", "leave"]);
});

Deno.test("createConnect() lets the next begin when an exchange streams, and when it has ended", async () => {
  const { pace, open, calls } = createGate();
  const { runs, log, request } = createBench({ pace });
  request(1, DOWNLOAD);
  assertEquals([runs.length, calls], [0, ["enter"]]);
  open();
  await Promise.resolve();
  const [{ exchange, context, resolve } = noRun()] = runs;
  await createOutlet(exchange, context).head(WHOLE.response, WHOLE.timing);
  assertEquals(calls, ["enter", "leave"]);
  resolve();
  await log.logged("exchanged");
  assertEquals(calls, ["enter", "leave", "leave"], "which does nothing the second time");
});

Deno.test("createConnect() hides what went wrong inside, and logs it", async () => {
  const { runs, sent, log, request } = createBench();
  request(1);
  runs[0]?.reject(new RangeError("a bug, with s3cret details"));
  const { error } = await log.logged("failed");
  assert(String(error).includes("RangeError: a bug"));
  await log.logged("exchanged");
  const { code, message, retryable, sent: reached } = sent.at(-1);
  assertEquals([code, reached, retryable], ["proxy_internal_error", "maybe", false]);
  assertEquals(String(message).includes("s3cret"), false);
});

Deno.test("createConnect() survives a log that cannot be written", async () => {
  const { runs, log, request } = createBench({
    write(text): void {
      if (text.includes('"exchanged"')) throw new Error("no space left");
    },
  });
  request(1);
  runs[0]?.resolve();
  assert(String((await log.logged("failed")).error).includes("no space left"));
});

Deno.test("createConnect() closes with 4509 for a malformed request whose id is in flight", () => {
  const { connection, closedWith, request } = createBench();
  request(1);
  connection.receive('{"type":"request","id":1}');
  assertEquals(closedWith(), 4509);
});

Deno.test("createConnect() takes nothing after it has closed, and reports its end once", async () => {
  const { connection, runs, log, request } = createBench();
  request(1);
  connection.closed(1006);
  connection.closed(1006);
  request(2);
  connection.drain(1);
  await connection.gone;
  runs[0]?.reject(new Error("aborted"));
  await log.logged("exchanged");
  assertEquals(log.lines.map(({ event }) => event), ["disconnected", "exchanged"]);
  assertEquals(runs.length, 1);
});

const chunk = (id: number, length: number, fin = false): ArrayBuffer =>
  encodeChunk({ id, fin, payload: new Uint8Array(length) }).buffer;

Deno.test("createConnect() hands chunks to the upload of their own exchange, and grants it more", async () => {
  const { connection, runs, sent, log, request } = createBench();
  for (const id of [1, 2]) request(id, UPLOAD);
  for (const data of [chunk(2, 4), chunk(1, 5), chunk(2, 3, true)]) connection.receive(data);
  const [first, second] = runs.map(({ exchange }) => exchange.upload?.body.getReader());
  assertEquals((await first?.read())?.value?.byteLength, 5);
  assertEquals(sent.slice(1), [{ type: "grant", id: 1, bytes: 5 }]);
  assertEquals((await second?.read())?.value?.byteLength, 4);
  assertEquals((await second?.read())?.value?.byteLength, 3);
  assertEquals((await second?.read())?.done, true);
  runs[1]?.resolve();
  const { id, requestBytes } = await log.logged("exchanged");
  assertEquals([id, requestBytes, sent.length], [2, 7, 2]);
});

Deno.test("createConnect() tells an exchange when some of its upload has been taken", async () => {
  const { connection, runs, request } = createBench();
  request(1, UPLOAD);
  const taken = Promise.withResolvers<void>();
  Object.assign(runs[0]?.exchange ?? {}, { uploaded: taken.resolve });
  connection.receive(chunk(1, 1));
  await runs[0]?.exchange.upload?.body.getReader().read();
  await taken.promise;
});

Deno.test("createConnect() fails the exchange of a chunk that may not come, and no other", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1, UPLOAD);
  request(2);
  for (const run of runs) {
    const { signal } = run.exchange.controller;
    signal.addEventListener("abort", () => run.reject(signal.reason));
  }
  connection.receive(chunk(1, 11));
  connection.receive(chunk(1, 11)); // the error is on its way
  await log.logged("exchanged", ({ id }) => id === 1);
  assertEquals(sent.slice(1).map(({ id, code }) => [id, code]), [[1, "flow_control_error"]]);
  connection.receive(chunk(2, 0, true));
  await log.logged("exchanged", ({ id }) => id === 2);
  assertEquals(sent.at(-1).message, "A chunk came for a request without bodyFollows");
});

Deno.test("createConnect() ignores chunks, grants and cancels of what is not in flight", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1, UPLOAD);
  runs[0]?.resolve();
  await log.logged("exchanged");
  const late = [chunk(1, 1000 - 5), chunk(1, 0, true), chunk(0, 1), chunk(7, 1)];
  for (const data of late) connection.receive(data);
  for (const id of [1, 7]) {
    connection.receive(`{"type":"grant","id":${id},"bytes":1}`);
    connection.receive(`{"type":"cancel","id":${id}}`);
  }
  connection.receive('{"type":"ping"}');
  assertEquals(sent.slice(1), [{ type: "pong" }]);
});

Deno.test("createConnect() gives grants to the exchange that they name", async () => {
  const { connection, runs, sent, request } = createBench();
  for (const id of [1, 2]) request(id, DOWNLOAD);
  const sending = runs.map(({ exchange, context }, at) =>
    createOutlet(exchange, context).bytes(Uint8Array.of(at, at), true)
  );
  connection.receive('{"type":"grant","id":2,"bytes":2}');
  await sending[1];
  assertEquals(sent.slice(1), [{ id: 2, fin: true, payload: Uint8Array.of(1, 1) }]);
  connection.receive('{"type":"cancel","id":1}');
  await sending[0];
  connection.receive('{"type":"grant","id":1,"bytes":2}');
  assertEquals(sent.length, 2);
});

Deno.test("createConnect() lets go of a download that waits for credit when it closes", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1, DOWNLOAD);
  const [run = noRun()] = runs;
  const sending = createOutlet(run.exchange, run.context).bytes(new Uint8Array(5), true);
  connection.closed(1006);
  await sending;
  assertEquals(run.exchange.controller.signal.aborted, true);
  run.resolve();
  assertEquals((await log.logged("exchanged")).outcome, "cancelled");
  assertStrictEquals(sent.length, 1);
});

Deno.test("createConnect() takes no frame after the server has closed", async () => {
  const { connection, runs, sent, closedWith, log, request } = createBench();
  for (let times = 0; times < 2; times++) request(1);
  assertEquals(closedWith(), 4509);
  request(2);
  request(3, { url: "/relative" });
  for (const data of ["{", '{"type":"ping"}', '{"type":"cancel","id":0}', chunk(1, 1)]) {
    connection.receive(data);
  }
  connection.closed(1006);
  runs[0]?.reject(new Error("aborted"));
  const { exchanges, code } = await log.logged("disconnected");
  await log.logged("exchanged");
  assertEquals([runs.length, sent.length, exchanges, code], [1, 1, 1, 4509]);
  assertEquals(log.lines.map(({ event }) => event), ["disconnected", "exchanged"]);
});

for (const length of [0, 3]) {
  Deno.test(`createConnect() ties a binary frame of ${length} bytes to no exchange`, () => {
    const { connection, runs, sent, request } = createBench();
    request(1, UPLOAD);
    connection.receive(Uint8Array.of(0, 0, 0).slice(0, length).buffer);
    const { type, id, code } = sent.at(-1);
    assertEquals([sent.length, type, id, code], [2, "error", undefined, "bad_frame"]);
    assertEquals(runs[0]?.exchange.controller.signal.aborted, false);
    connection.closed(1006);
  });
}

Deno.test("createConnect() fails the exchange that a binary frame of 4 bytes names", () => {
  const { connection, runs, sent, request } = createBench();
  for (const id of [1, 2]) request(id, UPLOAD);
  connection.receive(Uint8Array.of(0, 0, 0, 2).buffer);
  const reasons = runs.map(({ exchange }) => exchange.controller.signal.reason?.code);
  assertEquals([...reasons, sent.length], [undefined, "bad_frame", 1]);
  connection.closed(1006);
});

Deno.test("createConnect() takes a binary frame of exactly maxFrameBytes", () => {
  for (const [length, code] of [[1000, "flow_control_error"], [1001, "frame_too_large"]] as const) {
    const { connection, runs, request } = createBench();
    request(1, UPLOAD);
    connection.receive(chunk(1, length - 5));
    assertEquals(runs[0]?.exchange.controller.signal.reason?.code, code);
    connection.closed(1006);
  }
});

Deno.test("createConnect() grants nothing for an upload that is cancelled as it is read", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1, UPLOAD);
  const [{ exchange, reject } = noRun()] = runs;
  const reading = exchange.upload?.body.getReader().read();
  connection.receive(chunk(1, 10));
  connection.receive('{"type":"cancel","id":1}');
  await assertRejects(async () => await reading, TypeError);
  reject(new Error("aborted"));
  assertEquals((await log.logged("exchanged")).outcome, "cancelled");
  assertEquals(sent.length, 1, "hello is all");
});

Deno.test("createConnect() gives a grant that follows a cancel to no exchange, also not the next of its id", async () => {
  const { connection, runs, sent, request } = createBench();
  const download = (run: Run = noRun()): void | Promise<void> =>
    createOutlet(run.exchange, run.context).bytes(Uint8Array.of(runs.length), true);
  request(1, DOWNLOAD);
  const first = download(runs[0]);
  connection.receive('{"type":"cancel","id":1}');
  connection.receive('{"type":"grant","id":1,"bytes":1}');
  await first;
  request(1, DOWNLOAD);
  const second = download(runs[1]);
  assertEquals(sent.length, 1, "the first grant was for no exchange");
  connection.receive('{"type":"grant","id":1,"bytes":1}');
  await second;
  assertEquals(sent.slice(1), [{ id: 1, fin: true, payload: Uint8Array.of(2) }]);
});

Deno.test("createConnect() lets 1,000 answers beside those of exchanges wait, and no more", () => {
  const { connection, buffer, closedWith } = createBench();
  buffer.amount = 2;
  for (let count = 0; count < 2 + 1000; count++) connection.receive('{"type":"ping"}');
  assertEquals(closedWith(), undefined);
  connection.receive('{"type":"ping"}');
  assertEquals(closedWith(), 4029);
  connection.closed(1006);
});
