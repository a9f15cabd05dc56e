import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type RequestSpan, type RequestTracing, traceTransport } from "../../src/http/traced.ts";
import { refused } from "../../src/http/failures.ts";
import type { Transport, TransportRequest } from "../../src/http/transport.ts";
import { fakeBody } from "./fake_body.ts";

const REQUEST: TransportRequest = {
  method: "GET",
  url: new URL("http://a.invalid/"),
  headers: [["x", "1"]],
  body: null,
};
const { signal } = new AbortController();

/** A tracing with a span for each request, unless it is idle; and what it was told. */
function startTracing(isIdle = false): { tracing: RequestTracing; told: unknown[] } {
  const told: unknown[] = [];
  const tracing: RequestTracing = {
    startHop(request): RequestSpan | undefined {
      told.push(request.method);
      if (isIdle) return undefined;
      return { fields: [["traceparent", "t"]], end: (outcome) => told.push(outcome) };
    },
  };
  return { tracing, told };
}

function respond(requests: TransportRequest[]): Transport {
  return (request) => {
    requests.push(request);
    const { body } = fakeBody([]);
    return Promise.resolve({ status: 404, statusText: "", headers: [], decoded: false, body });
  };
}

Deno.test("traceTransport() adds the fields of the span, and ends it with the status", async () => {
  const requests: TransportRequest[] = [];
  const { tracing, told } = startTracing();
  const { status } = await traceTransport(respond(requests), tracing)(REQUEST, signal);
  const headers = [["x", "1"], ["traceparent", "t"]] as const;
  assertEquals([status, requests], [404, [{ ...REQUEST, headers }]]);
  assertEquals(told, ["GET", { status: 404 }]);
});

Deno.test("traceTransport() ends the span with the code of an error, and throws the error", async () => {
  for (
    const [error, errorType] of [[refused(), "connection_refused"], [
      new Error(),
      "_OTHER",
    ]] as const
  ) {
    const { tracing, told } = startTracing();
    const transport = traceTransport(() => Promise.reject(error), tracing);
    assertStrictEquals(await assertRejects(() => transport(REQUEST, signal)), error);
    assertEquals(told, ["GET", { errorType }]);
  }
});

Deno.test("traceTransport() changes nothing without tracing, or outside of an exchange", async () => {
  const requests: TransportRequest[] = [];
  const transport = respond(requests);
  assertStrictEquals(traceTransport(transport, undefined), transport);
  const { tracing, told } = startTracing(true);
  await traceTransport(transport, tracing)(REQUEST, signal);
  assertStrictEquals(requests[0], REQUEST);
  assertEquals(told, ["GET"]);
});
