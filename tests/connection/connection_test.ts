import { assert, assertEquals } from "@std/assert";
import { type Connection, createConnection } from "../../src/connection/connection.ts";
import type { ExchangeContext, ExchangeResult } from "../../src/connection/exchange.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { Frame } from "../helpers/client.ts";
import { createLog, type Log } from "../helpers/log.ts";

/** One exchange as its runner sees it: to be ended by the test. */
interface Run extends PromiseWithResolvers<ExchangeResult> {
  readonly context: ExchangeContext;
}

interface Bench {
  readonly connection: Connection;
  readonly runs: readonly Run[];
  readonly sent: readonly Frame[];
  readonly closedWith: () => number | undefined;
  readonly log: Log;
  request(id: number): void;
}

const RESULT: ExchangeResult = {
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

/** A connection whose exchanges end when, and as, the test says. */
function createBench(): Bench {
  const runs: Run[] = [];
  const sent: Frame[] = [];
  let code: number | undefined;
  const log = createLog();
  const webSocket = {
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send: (text: unknown) => sent.push(JSON.parse(String(text))),
    close: (closeCode?: number) => void (code = closeCode),
  };
  const limits = {
    maxFrameBytes: 1000,
    maxInFlight: 2,
    maxRequestBytes: 1,
    maxResponseBytes: 1,
    maxTimeoutMs: 1,
  };
  const connection = createConnection({
    id: "c",
    server: "test",
    limits,
    socket: { highWaterBytes: 1, sendTimeoutMs: 1 },
  }, {
    webSocket,
    dialect: v1,
    telemetry: createLogger({ level: "info", format: "json", write: log.write }),
    runExchange(_request, context): Promise<ExchangeResult> {
      const run = { ...Promise.withResolvers<ExchangeResult>(), context };
      runs.push(run);
      return run.promise;
    },
  });
  return {
    connection,
    runs,
    sent,
    closedWith: () => code,
    log,
    request: (id) =>
      connection.receive(JSON.stringify({ type: "request", id, url: "http://a.example/" })),
  };
}

Deno.test("createConnection() sends nothing for an id that is cancelled just as it fails", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1);
  const timeout = new ProxyError("http_response_timeout", "too late");
  runs[0]?.context.controller.abort(timeout);
  runs[0]?.reject(timeout);
  connection.receive('{"type":"cancel","id":1}');
  const { outcome } = await log.logged("exchanged");
  assertEquals([outcome, sent.length], ["cancelled", 1], "hello is all that was sent");
});

Deno.test("createConnection() gives a reused id the answer of its own exchange only", async () => {
  const { connection, runs, sent, log, request } = createBench();
  request(1);
  connection.receive('{"type":"cancel","id":1}');
  request(1);
  runs[0]?.resolve(RESULT);
  await log.logged("exchanged", ({ exchange }) => exchange === 1);
  assertEquals(sent.length, 1);
  runs[1]?.resolve({ ...RESULT, response: { ...RESULT.response, status: 418 } });
  await log.logged("exchanged", ({ exchange }) => exchange === 2);
  assertEquals(sent.slice(1).map(({ id, status }) => [id, status]), [[1, 418]]);
});

Deno.test("createConnection() counts a cancelled exchange until its request has ended", async () => {
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

Deno.test("createConnection() hides what went wrong inside, and logs it", async () => {
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

Deno.test("createConnection() closes with 4509 for a malformed request whose id is in flight", () => {
  const { connection, closedWith, request } = createBench();
  request(1);
  connection.receive('{"type":"request","id":1}');
  assertEquals(closedWith(), 4509);
});

Deno.test("createConnection() takes nothing after it has closed, and reports its end once", async () => {
  const { connection, runs, log, request } = createBench();
  request(1);
  connection.closed(1006);
  connection.closed(1006);
  request(2);
  connection.drain(1);
  await connection.finished;
  runs[0]?.reject(new Error("aborted"));
  await log.logged("exchanged");
  assertEquals(log.lines.map(({ event }) => event), ["disconnected", "exchanged"]);
  assertEquals(runs.length, 1);
});
