import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type CollectedSpan, type OtlpValue, startCollector } from "./collector.ts";
import { EXCHANGED } from "./events.ts";
import type { Traced, TracedExchange } from "./traced.ts";

const ROOT = new URL("../../", import.meta.url);
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${CALLER_ID}-01`;

// With this sampler Deno samples a span if its parent is sampled; without it, always.
const PARENT_BASED = { OTEL_TRACES_SAMPLER: "parentbased_always_on" };

const connection = "c1";
const END = {
  ...EXCHANGED,
  host: "api.test:8443",
  outcome: "response",
  status: 200,
  requestBytes: 12,
  responseBytes: 345,
} as const;

// The variables that every process needs, without the OTEL_ ones of this environment.
const KEPT = Object.fromEntries(
  ["PATH", "HOME", "DENO_DIR", "DENO_COVERAGE_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }),
);

interface Run {
  readonly traced: Traced;
  readonly spans: readonly CollectedSpan[];
  /** The headers that the destination received, by the number of the exchange. */
  readonly sent: ReadonlyMap<number, Headers>;
}

/** Traces exchanges in a process that has only the permission to use the network. */
async function run(
  exchanges: readonly Omit<TracedExchange["request"], "connection" | "exchange">[],
  env: Record<string, string> = PARENT_BASED,
  ends: readonly TracedExchange["end"][] = [],
): Promise<Run> {
  await using collector = startCollector();
  const sent = new Map<number, Headers>();
  await using destination = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    ({ url, headers }) => {
      sent.set(Number(new URL(url).pathname.slice(1)), headers);
      return new Response();
    },
  );
  const all: readonly TracedExchange[] = exchanges.map((request, index) => ({
    request: { ...request, connection, exchange: index + 1 },
    end: ends[index] ?? END,
  }));
  const url = `http://127.0.0.1:${destination.addr.port}`;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net",
      "tests/telemetry/traced.ts",
      url,
      JSON.stringify(all),
    ],
    cwd: ROOT,
    clearEnv: true,
    env: { ...KEPT, ...collector.env, ...env },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return { traced: JSON.parse(new TextDecoder().decode(stdout)), spans: collector.spans, sent };
}

/** Returns the span of an exchange, of which there must be one. */
function spanOf({ traced, spans }: Run, index: number): CollectedSpan {
  const found = spans.filter(({ spanId }) => spanId === traced.spans[index]?.spanId);
  const [span] = found;
  if (span === undefined || found.length > 1) {
    throw new Error(`Exchange ${index} has ${found.length} spans`);
  }
  return span;
}

Deno.test("createTracing() returns undefined when OpenTelemetry is off", async () => {
  const { traced, spans } = await run([{ method: "GET" }], { OTEL_DENO: "false" });
  assertEquals([traced, spans], [{ spans: [] }, []]);
});

Deno.test("start() creates a child of the client's span, and the destination receives its ids", async () => {
  const tracestate = "vendor=1,other=2";
  const result = await run([
    { method: "GET", traceparent: TRACEPARENT, tracestate },
    { method: "GET" },
  ]);
  const [called, alone] = [spanOf(result, 0), spanOf(result, 1)];
  assertEquals([called.traceId, called.parentSpanId], [TRACE_ID, CALLER_ID]);
  assertEquals(alone.parentSpanId, "");
  assertNotEquals(alone.traceId, TRACE_ID);
  assertEquals([called.scope, called.kind], ["wsfetch", 2]);

  const [toCalled, toAlone] = [result.sent.get(1), result.sent.get(2)];
  assertEquals(toCalled?.get("traceparent"), `00-${TRACE_ID}-${called.spanId}-01`);
  assertEquals(toCalled?.get("tracestate"), tracestate);
  assertEquals(toAlone?.get("traceparent"), `00-${alone.traceId}-${alone.spanId}-01`);
  assertEquals(toAlone?.get("tracestate"), null);
});

Deno.test("start() starts a new trace when the client's is not valid", async () => {
  const invalid = [
    "",
    "x",
    TRACEPARENT.toUpperCase(),
    `${TRACEPARENT}, ${TRACEPARENT}`,
    `00-${"0".repeat(32)}-${CALLER_ID}-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `ff-${TRACE_ID}-${CALLER_ID}-01`,
    "a".repeat(10_000),
  ];
  const result = await run(
    invalid.map((traceparent) => ({ method: "GET", traceparent, tracestate: "a=1" })),
  );
  const parents = invalid.map((_, index) => spanOf(result, index).parentSpanId);
  assertEquals(parents, invalid.map(() => ""));
});

Deno.test("start() does not sample a trace that the client does not sample", async () => {
  const result = await run([{ method: "GET", traceparent: TRACEPARENT.replace(/1$/, "0") }]);
  assertEquals(result.spans, []);
  const spanId = result.traced.spans[0]?.spanId;
  assertEquals(result.sent.get(1)?.get("traceparent"), `00-${TRACE_ID}-${spanId}-00`);
});

Deno.test("with a parent-based sampler, no span contains a path or a query", async () => {
  const result = await run([{ method: "GET" }, { method: "GET", traceparent: TRACEPARENT }]);
  assertEquals(result.traced.exposesUrls, false);
  assertEquals(result.spans.map(({ scope }) => scope), ["wsfetch", "wsfetch"]);
  assertEquals(JSON.stringify(result.spans).includes("secret"), false);
});

for (const sampler of [undefined, "always_on", "traceidratio"]) {
  Deno.test(`with the sampler ${sampler}, the spans of fetch are children and expose URLs`, async () => {
    const env = sampler === undefined ? {} : { OTEL_TRACES_SAMPLER: sampler };
    const tracestate = "vendor=1";
    const result = await run([{ method: "GET", traceparent: TRACEPARENT, tracestate }], env);
    assertEquals(result.traced.exposesUrls, true);
    assertEquals(result.sent.get(1)?.get("tracestate"), tracestate);
    const span = spanOf(result, 0);
    const [own] = result.spans.filter(({ kind }) => kind === 3);
    assertEquals([own?.scope, own?.parentSpanId], ["deno", span.spanId]);
    assertEquals(
      result.sent.get(1)?.get("traceparent"),
      `00-${TRACE_ID}-${own?.spanId}-01`,
    );
  });
}

const text = (stringValue: string): OtlpValue => ({ stringValue });
const integer = (value: number): OtlpValue => ({ intValue: String(value) });

Deno.test("a span has the attributes of its exchange, and no others", async () => {
  const result = await run([{ method: "POST", upstream: "billing", identity: "alice" }]);
  const { name, status, attributes } = spanOf(result, 0);
  assertEquals([name, status], ["POST", 0]);
  assertEquals(attributes, {
    "http.request.method": text("POST"),
    "enduser.id": text("alice"),
    "wsfetch.upstream": text("billing"),
    "wsfetch.connection": text("c1"),
    "wsfetch.exchange": integer(1),
    "server.address": text("api.test"),
    "server.port": integer(8443),
    "http.response.status_code": integer(200),
    "http.request.body.size": integer(12),
    "http.response.body.size": integer(345),
    "wsfetch.outcome": text("response"),
  });
});

Deno.test("a span has the name HTTP and the method _OTHER when its method is not a standard one", async () => {
  const result = await run([{ method: "PURGE" }]);
  const { name, attributes } = spanOf(result, 0);
  assertEquals(name, "HTTP");
  assertEquals(attributes["http.request.method"], text("_OTHER"));
  assertEquals(attributes["http.request.method_original"], text("PURGE"));
});

Deno.test("a span of a request that could not be parsed has the method _OTHER and no original method", async () => {
  const { name, attributes } = spanOf(await run([{ method: "" }]), 0);
  assertEquals(name, "HTTP");
  assertEquals(attributes["http.request.method"], text("_OTHER"));
  assertEquals("http.request.method_original" in attributes, false);
});

const ENDS = [
  { name: "a response", end: END, status: 0, type: undefined },
  { name: "a status for an error of the client", end: { ...END, status: 404 }, status: 0 },
  { name: "a status of 500", end: { ...END, status: 500 }, status: 2, type: "500" },
  {
    name: "an error",
    end: { ...END, outcome: "error", code: "dns_error" },
    status: 2,
    type: "dns_error",
  },
  { name: "an error without a code", end: { ...END, outcome: "error" }, status: 2, type: "_OTHER" },
  { name: "a cancelled exchange", end: { ...END, outcome: "cancelled" }, status: 0 },
] as const;

Deno.test("a span is an error when its exchange failed on the server", async () => {
  const method = "GET";
  const result = await run(ENDS.map(() => ({ method })), PARENT_BASED, ENDS.map(({ end }) => end));
  for (const [index, { name, status, ...rest }] of ENDS.entries()) {
    const span = spanOf(result, index);
    const type = "type" in rest ? rest.type : undefined;
    assertEquals(span.status, status, name);
    assertEquals(span.attributes["error.type"], type === undefined ? undefined : text(type), name);
  }
});

const HOSTS = [
  { host: "a.test", address: "a.test", port: undefined },
  { host: "[::1]:8080", address: "::1", port: 8080 },
  { host: "[2001:db8::1]", address: "2001:db8::1", port: undefined },
  { host: "192.0.2.1:81", address: "192.0.2.1", port: 81 },
  { host: "", address: undefined, port: undefined },
] as const;

Deno.test("a span has the address of its destination without brackets, and the port separately", async () => {
  const ends = HOSTS.map(({ host }) => ({ ...END, host }));
  const result = await run(HOSTS.map(() => ({ method: "GET" })), PARENT_BASED, ends);
  for (const [index, { host, address, port }] of HOSTS.entries()) {
    const { attributes } = spanOf(result, index);
    const expected = [address && text(address), port && integer(port)];
    assertEquals([attributes["server.address"], attributes["server.port"]], expected, host);
  }
});
