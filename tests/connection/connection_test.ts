import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Connection, createConnect } from "../../src/connection/connection.ts";
import type { ExchangeContext } from "../../src/connection/exchange.ts";
import type { Exchange } from "../../src/connection/in_flight.ts";
import { createOutlet, sendWhole } from "../../src/connection/outlet.ts";
import { createPace, type Pace, type Paced } from "../../src/connection/pace.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import {
  decodeChunk,
  encodeChunk,
  ProxyError,
  type WholeResponse,
} from "../../src/protocol/mod.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { Frame } from "../helpers/client.ts";
import { NO_LIMITS } from "../helpers/limits.ts";
import { createLog, type Log } from "../helpers/log.ts";

/** One exchange as its runner sees it: to be ended by the test. */
interface Run extends PromiseWithResolvers<void> {
  readonly exchange: Exchange;
  readonly context: ExchangeContext;
}

interface Bench {
  readonly connection: Connection;
  readonly runs: readonly Run[];
  readonly sent: readonly Frame[];
  readonly closedWith: () => number | undefined;
  readonly log: Log;
  request(id: number, members?: object): void;
}

const WHOLE: WholeResponse = {
  response: {
    status: 200,
    statusText: "OK",
    url: "http://a.example/",
    redirected: false,
    headers: [],
    body: null,
  },
  timing: { waitMs: 1, totalMs: 1 },
};

const UPLOAD = { method: "PUT", bodyFollows: true };
const DOWNLOAD = { stream: true, windowBytes: 0 };

function noRun(): never {
  throw new Error("No exchange has begun");
}

/** A connection whose exchanges end when, and as, the test says. */
function createBench(
  { write = (_text: string): void => {}, hearsAllowed = false, pace = createPace() } = {},
): Bench {
  const runs: Run[] = [];
  const sent: Frame[] = [];
  let code: number | undefined;
  const log = createLog();
  const writeBoth = (text: string): void => {
    write(text);
    log.write(text);
  };
  const webSocket = {
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send: (data: unknown) =>
      sent.push(
        data instanceof Uint8Array ? decodeChunk(data.slice().buffer) : JSON.parse(String(data)),
      ),
    close: (closeCode?: number) => void (code = closeCode),
  };
  const limits = {
    maxFrameBytes: 1000,
    maxInFlight: 2,
    maxRequestBytes: 1,
    maxResponseBytes: 1,
    maxTimeoutMs: 1,
    windowBytes: 10,
  };
  const connect = createConnect({
    server: "test",
    limits,
    authGraceMs: 1,
    creditIdleMs: 60_000,
    maxStreamBytes: 100,
    socket: { highWaterBytes: 1, sendTimeoutMs: 1 },
  }, {
    authenticator: undefined,
    pace,
    limiter: createLimiter(NO_LIMITS, createMemoryStore),
    telemetry: {
      ...createLogger({ level: "debug", format: "json", write: writeBoth }),
      hearsAllowed,
    },
    async runExchange(exchange, context): Promise<void> {
      const entering = context.pace.enter(exchange);
      if (entering !== undefined) {
        await entering;
        exchange.controller.signal.throwIfAborted();
      }
      const run = { ...Promise.withResolvers<void>(), exchange, context };
      runs.push(run);
      await run.promise;
    },
  });
  const connection = connect({
    webSocket,
    dialect: v1,
    id: "c",
    identity: undefined,
    key: "address:127.0.0.1",
    upstreams: [],
  });
  return {
    connection,
    runs,
    sent,
    closedWith: () => code,
    log,
    request(id, members): void {
      const frame = { type: "request", id, url: "http://a.example/", ...members };
      connection.receive(JSON.stringify(frame));
    },
  };
}

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
