/**
 * Runs of exchanges: their responses and errors, and the one record and span of each.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import type { ExchangedEvent } from "../../src/telemetry/telemetry.ts";
import type { Decision } from "../../src/policy/policy.ts";
import type { ExchangeSpan, TracedRequest, Tracing } from "../../src/telemetry/tracing.ts";
import {
  createBlankExchange,
  createFakeBody,
  createFakeOutlet,
  createFakeRegistry,
  createFakeUpstream,
  createRunnerBench,
  DRAINING,
  lastCall,
  recordTelemetry,
  type RunnerBench,
  type Running,
  settle,
} from "../helpers/exchange.ts";

Deno.test("run() makes the request, delivers its response and logs it", async () => {
  const bench = createRunnerBench();
  const { exchange, outlet, done } = bench.start({ method: "PUT", body: new Uint8Array(2) });
  bench.clock.advance(5);
  lastCall(bench).respond({ status: 201, body: createFakeBody(["created"]) });
  await done;
  assertEquals(outlet.parts.length, 1);
  const { response: { status, url, body }, timing } = outlet.last("whole");
  assertEquals([status, url], [201, "http://x/"]);
  assertEquals(body, new TextEncoder().encode("created"));
  assertEquals(timing, { queueMs: 0, waitMs: 5, transferMs: 0, totalMs: 5 });
  assertEquals(bench.telemetry.events, [exchange.record]);
  const { outcome, host, decision, reason, ...record } = exchange.record;
  assertEquals([outcome, host, decision, reason], ["response", "x", "allow", "test"]);
  assertEquals([record.status, record.code, record.waitMs, record.totalMs], [201, undefined, 5, 5]);
});

/** Ways in which an exchange ends, each with what its one record says. */
const ENDS: readonly {
  readonly name: string;
  readonly request?: Partial<ProxyRequest>;
  readonly end: (running: Running, bench: RunnerBench) => void;
  readonly expected: readonly unknown[];
}[] = [
  {
    name: "whole",
    end: (_, bench) => lastCall(bench).respond(),
    expected: ["response", undefined, 200],
  },
  {
    name: "streamed",
    request: { stream: "lines" },
    end: (_, bench) => lastCall(bench).respond({ body: createFakeBody(["a\nb"]) }),
    expected: ["response", undefined, 200],
  },
  {
    name: "refused",
    request: { method: "BREW" },
    end: () => {},
    expected: ["error", "unsupported_method", undefined],
  },
  {
    name: "failed by its destination",
    end: (_, bench) => lastCall(bench).fail(new ProxyError("connection_refused", "Refused")),
    expected: ["error", "connection_refused", undefined],
  },
  {
    name: "failed inside its body",
    end: (_, bench) =>
      lastCall(bench).respond({
        status: 206,
        body: createFakeBody(["a"], {
          isHere: false,
          before: () => Promise.reject(new ProxyError("http_response_incomplete", "Broken")),
        }),
      }),
    expected: ["error", "http_response_incomplete", 206],
  },
  {
    name: "failed by a bug",
    end: (_, bench) => lastCall(bench).fail(new RangeError("a bug")),
    expected: ["error", "proxy_internal_error", undefined],
  },
  {
    name: "failed by the server",
    end: ({ exchange }) => exchange.fail(DRAINING),
    expected: ["error", "draining", undefined],
  },
  {
    name: "out of time",
    end: (_, { clock }) => clock.advance(10_008),
    expected: ["error", "http_response_timeout", undefined],
  },
  {
    name: "cancelled",
    end: ({ exchange }) => exchange.cancel(),
    expected: ["cancelled", undefined, undefined],
  },
  {
    name: "cancelled while its response is handed over",
    end({ exchange }, bench): void {
      lastCall(bench).respond();
      exchange.cancel();
    },
    expected: ["cancelled", undefined, 200],
  },
];

for (const { name, request, end, expected } of ENDS) {
  Deno.test(`run() logs one record of an exchange that is ${name}, and ends its span`, async () => {
    const { tracing, ended } = createTracing();
    const bench = createRunnerBench({ tracing });
    const running = bench.start(request);
    end(running, bench);
    await running.done;
    const { record } = running.exchange;
    assertEquals(bench.telemetry.of("exchanged"), [record]);
    assertEquals([record.outcome, record.code, record.status], expected);
    assertEquals(ended.map(({ outcome, code }) => [outcome, code]), [expected.slice(0, 2)]);
    assertEquals(record.totalMs, bench.clock.now());
    const types = running.outlet.parts.map(({ type }) => type);
    assertEquals(
      types.filter((type) => type === "fail").length,
      record.outcome === "error" ? 1 : 0,
    );
    bench.clock.advance(100_000);
    assertEquals(bench.clock.delays, [], "no deadline is left");
  });
}

Deno.test("run() logs an exchange whose error cannot be sent, and whose log fails", async () => {
  let isFull = true;
  const telemetry = recordTelemetry({
    before(): void {
      if (!isFull) return;
      isFull = false;
      throw new Error("The log is full");
    },
  });
  const bench = createRunnerBench({ telemetry });
  const bug = bench.start();
  lastCall(bench).fail(new Error("a bug")); // which is logged first
  await assertRejects(() => bug.done, Error, "The log is full");
  const outlet = createFakeOutlet((method) =>
    method === "fail" ? Promise.reject(new Error("x")) : undefined
  );
  const unsent = bench.start({ method: "BREW" }, outlet);
  await assertRejects(() => unsent.done, Error, "x");
  const outcomes = telemetry.of("exchanged").map(({ outcome, exchange }) => [exchange, outcome]);
  assertEquals(outcomes, [[1, "error"], [2, "error"]]);
});

Deno.test("run() waits until the outlet has taken the error, and until then logs nothing", async () => {
  const taken = Promise.withResolvers<void>();
  const outlet = createFakeOutlet((method) => method === "fail" ? taken.promise : undefined);
  const bench = createRunnerBench();
  const { done, exchange } = bench.start({ method: "BREW" }, outlet);
  await settle();
  assertEquals([outlet.last("fail").error.code, bench.telemetry.events], [
    "unsupported_method",
    [],
  ]);
  bench.clock.advance(3);
  taken.resolve();
  await done;
  assertEquals([bench.telemetry.events.length, exchange.record.totalMs], [1, 3]);
});

Deno.test("run() hides what went wrong inside, and logs it", async () => {
  const bench = createRunnerBench();
  const { outlet, done } = bench.start();
  const bug = new RangeError("a bug, with s3cret details");
  lastCall(bench).fail(bug);
  await done;
  const { code, message, sent, retryable } = outlet.last("fail").error;
  assertEquals([code, sent, retryable], ["proxy_internal_error", "maybe", false]);
  assertEquals(message.includes("s3cret"), false);
  assertEquals(bench.telemetry.of("failed"), [{ type: "failed", connection: "c", error: bug }]);
});

Deno.test("run() sends the reason of the end, whatever the transport throws for it", async () => {
  for (const thrown of [new DOMException("aborted"), new TypeError("The stream was aborted")]) {
    const bench = createRunnerBench();
    const { exchange, outlet, done } = bench.start({ bodyFollows: true });
    const call = lastCall(bench);
    call.fail(thrown);
    exchange.fail(DRAINING);
    await done;
    assertEquals(outlet.last("fail").error.code, "draining");
    assertEquals(bench.telemetry.of("failed"), []);
  }
});

Deno.test("run() sends an error of the request, though the exchange was ended as well", async () => {
  const bench = createRunnerBench();
  const { exchange, outlet, done } = bench.start();
  lastCall(bench).fail(new ProxyError("connection_terminated", "Broken"));
  exchange.fail(DRAINING);
  await done;
  assertEquals(outlet.last("fail").error.code, "connection_terminated");
});

Deno.test("run() discards what is left of a body, however the exchange ends", async () => {
  for (const stream of [false, true, "lines"] as const) {
    for (const isBroken of [false, true]) {
      const body = createFakeBody(["a"], {
        isHere: false,
        before: () => isBroken ? Promise.reject(new Error("broken")) : undefined,
      });
      const bench = createRunnerBench();
      const { done } = bench.start({ stream });
      lastCall(bench).respond({ body });
      await done;
      assertEquals(body.discards(), 1);
    }
  }
});

Deno.test("run() takes its deadline back when the request has failed", async () => {
  const bench = createRunnerBench();
  const { exchange, done } = bench.start();
  const [delay] = bench.clock.delays;
  assertEquals(delay, 10_000);
  lastCall(bench).fail(new ProxyError("connection_refused", "Refused"));
  await done;
  bench.clock.advance(100_000);
  assertEquals(exchange.signal.aborted, false);
});

Deno.test("run() runs the exchange of an upstream within its place there", async () => {
  const steps: string[] = [];
  const upstream = createFakeUpstream({
    async within<T>(run: () => Promise<T>): Promise<T> {
      steps.push("enter");
      try {
        return await run();
      } finally {
        steps.push("leave");
      }
    },
  });
  const bench = createRunnerBench({ registry: createFakeRegistry(upstream) });
  const outlet = createFakeOutlet((method) => void steps.push(method));
  const { done } = bench.start({ target: { upstream: "shop", path: "/a" } }, outlet);
  const { request: { url, headers }, respond } = lastCall(bench);
  assertEquals([url.href, headers], ["http://upstream.test/a", [["x-key", "k"]]]);
  respond();
  await done;
  assertEquals(steps, ["enter", "ready", "whole", "leave"]);
});

Deno.test("run() fails an exchange for which the upstream has no place, and makes no request", async () => {
  const error = new ProxyError("too_many_in_flight", "Full");
  const upstream = createFakeUpstream({ within: () => Promise.reject(error) });
  const bench = createRunnerBench({ registry: createFakeRegistry(upstream) });
  const { outlet, done } = bench.start({ target: { upstream: "shop", path: "/" } });
  await done;
  assertEquals([outlet.last("fail").error, bench.calls.length], [error, 0]);
});

function createTracing(): {
  readonly tracing: Tracing;
  readonly started: TracedRequest[];
  readonly ended: ExchangedEvent[];
  /** Whether code runs within the span. */
  readonly isWithin: () => boolean;
} {
  const started: TracedRequest[] = [];
  const ended: ExchangedEvent[] = [];
  let isWithin = false;
  const tracing: Tracing = {
    exposesUrls: false,
    startHop: () => undefined,
    start(request): ExchangeSpan {
      started.push({ ...request });
      return {
        traceId: "trace",
        spanId: "span",
        run<T>(body: () => T): T {
          isWithin = true;
          const result = body();
          isWithin = false;
          return result;
        },
        end: (record) => void ended.push({ ...record }),
      };
    },
  };
  return { tracing, started, ended, isWithin: () => isWithin };
}

Deno.test("run() makes the request within its span, without the client's own trace fields", async () => {
  const { tracing, started, ended, isWithin } = createTracing();
  let wasWithin = false;
  const bench = createRunnerBench({
    tracing,
    policy: {
      decide(): Decision {
        wasWithin = isWithin();
        return { allow: true, reason: "test" };
      },
    },
  });
  const { exchange, done } = bench.start({ headers: [["traceparent", "00-a"], ["x", "1"]] });
  assertEquals([wasWithin, lastCall(bench).request.headers], [true, [["x", "1"]]]);
  assertEquals(started.map(({ traceparent, connection }) => [traceparent, connection]), [
    ["00-a", "c"],
  ]);
  lastCall(bench).respond({ status: 418 });
  await done;
  assertEquals(ended.map(({ outcome, status }) => [outcome, status]), [["response", 418]]);
  assertEquals(exchange.record.traceId, "trace");
});

Deno.test("run() sends the client's trace fields on where nothing is traced", () => {
  const bench = createRunnerBench();
  const headers = [["traceparent", "00-a"]] as const;
  bench.start({ headers });
  assertEquals(lastCall(bench).request.headers, headers);
});

Deno.test("refuse() logs and traces an exchange that is refused before it starts", () => {
  for (const isReadable of [true, false]) {
    const { tracing, started, ended } = createTracing();
    const { runner, telemetry } = createRunnerBench({ tracing });
    const { record, request } = createBlankExchange({ headers: [["traceparent", "00-a"]] });
    const error = new ProxyError("too_many_in_flight", "Wait");
    runner.refuse(record, error, isReadable ? request : undefined);
    assertEquals(telemetry.events, [record]);
    const { outcome, code, traceId } = record;
    assertEquals([outcome, code, traceId], ["error", "too_many_in_flight", "trace"]);
    assertEquals(started.map(({ traceparent }) => traceparent), [isReadable ? "00-a" : undefined]);
    assertEquals(ended.map(({ outcome, code }) => [outcome, code]), [[outcome, code]]);
  }
});

Deno.test("refuse() needs no tracing", () => {
  const { runner, telemetry } = createRunnerBench();
  const { record, request } = createBlankExchange();
  runner.refuse(record, new ProxyError("draining", "Gone"), request);
  assertEquals([telemetry.events, record.traceId], [[record], undefined]);
});
