import { assertEquals, assertStrictEquals } from "@std/assert";
import { startSpan, withoutTrace } from "../../src/exchange/trace.ts";
import type { ExchangeSpan, TracedRequest, Tracing } from "../../src/telemetry/tracing.ts";
import { BLANK_REQUEST, createBlankExchange } from "../helpers/exchange.ts";

function createTracing(): { readonly tracing: Tracing; readonly started: TracedRequest[] } {
  const started: TracedRequest[] = [];
  const span: ExchangeSpan = {
    traceId: "trace",
    spanId: "span",
    run: (body) => body(),
    end: () => {},
  };
  const tracing: Tracing = {
    exposesUrls: false,
    startHop: () => undefined,
    start(request): ExchangeSpan {
      started.push(request);
      return span;
    },
  };
  return { tracing, started };
}

Deno.test("startSpan() starts nothing where nothing is traced", () => {
  const { record, request } = createBlankExchange();
  assertEquals(startSpan(record, request, undefined), undefined);
  assertEquals(record.traceId, undefined);
});

Deno.test("startSpan() starts the span of an exchange and notes its trace", () => {
  const { tracing, started } = createTracing();
  const { record, request } = createBlankExchange({ method: "PUT" }, { subject: "alice" });
  assertEquals(startSpan(record, request, tracing)?.spanId, "span");
  assertEquals(record.traceId, "trace");
  const [{ method, identity, connection, exchange, ...rest } = record] = started;
  assertEquals([method, identity, connection, exchange], ["PUT", "alice", "c", 1]);
  assertEquals(["traceparent" in rest, "tracestate" in rest], [false, false]);
});

Deno.test("startSpan() starts the span of a request that could not be read", () => {
  const { tracing, started } = createTracing();
  const { record } = createBlankExchange();
  startSpan(record, undefined, tracing);
  assertEquals([record.traceId, started.length], ["trace", 1]);
});

Deno.test("startSpan() joins the fields of the client's trace, whatever their letters", () => {
  const { tracing, started } = createTracing();
  const { record, request } = createBlankExchange({
    headers: [
      ["TraceParent", "00-a"],
      ["tracestate", "x=1"],
      ["accept", "*/*"],
      ["TRACESTATE", "y=2"],
      ["traceState", ""],
    ],
  });
  startSpan(record, request, tracing);
  const [{ traceparent, tracestate, ...rest } = { traceparent: "", tracestate: "" }] = started;
  assertEquals([traceparent, tracestate, "accept" in rest], ["00-a", "x=1,y=2,", false]);
});

Deno.test("withoutTrace() leaves out the fields of the trace, whatever their letters, and nothing else", () => {
  const request = {
    ...BLANK_REQUEST,
    headers: [["Traceparent", "a"], ["x", "1"], ["TRACESTATE", "b"], ["trace", "2"]] as const,
  };
  const { headers, ...rest } = withoutTrace(request);
  assertEquals(headers, [["x", "1"], ["trace", "2"]]);
  const { headers: before, ...same } = request;
  assertEquals([rest, before.length], [same, 4]);
  assertStrictEquals(rest.target, request.target);
});
