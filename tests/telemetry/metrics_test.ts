import { assert, assertEquals, assertMatch } from "@std/assert";
import { createMetrics, type Metrics, type MetricsDeps } from "../../src/telemetry/metrics.ts";
import type { ExchangedEvent, Telemetry } from "../../src/telemetry/telemetry.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { ALL, emitUnchecked, EVENTS, EXCHANGED } from "./events.ts";
import { type Family, parseExposition } from "./exposition.ts";

const ROOT = new URL("../../", import.meta.url);

function create(
  deps: Partial<MetricsDeps> = {},
  upstreams: readonly string[] = ["billing"],
): Metrics {
  return createMetrics({ version: "1.2.3", upstreams }, {
    connections: () => 0,
    inFlight: () => 0,
    ...deps,
  });
}

async function read(metrics: Metrics): Promise<ReadonlyMap<string, Family>> {
  return parseExposition(await metrics.render());
}

/** Returns the values of the samples of one name, by the values of their labels. */
async function samplesOf(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const [family, samples] = [...await read(metrics)]
    .map(([family, { samples }]) =>
      [family, samples.filter((sample) => sample.name === name)] as const
    )
    .find(([, samples]) => samples.length > 0) ?? ["", []];
  assert(samples.length === 0 || name.startsWith(family));
  return Object.fromEntries(
    samples.map(({ labels, value }) => [Object.values(labels).join(" "), value]),
  );
}

const exchanged = (changes: Partial<ExchangedEvent>): ExchangedEvent => ({
  ...EXCHANGED,
  ...changes,
});

interface Case {
  readonly name: string;
  readonly emit: (telemetry: Telemetry) => void;
  readonly metric: string;
  /** Values of the sample by the values of its labels, joined by spaces. */
  readonly expected: Record<string, number>;
}

const CASES: readonly Case[] = [
  {
    name: "opened connections",
    emit: (telemetry) => telemetry.emit(EVENTS.connected),
    metric: "wsfetch_connections_total",
    expected: { "": 1 },
  },
  {
    name: "ended connections by close code",
    emit(telemetry): void {
      for (const code of [1000, 4029, 4029, 0, 3999, 4600]) {
        telemetry.emit({ ...EVENTS.disconnected, code });
      }
    },
    metric: "wsfetch_disconnects_total",
    expected: { 1000: 1, 4029: 2, 0: 1, other: 2 },
  },
  {
    name: "refused handshakes by code",
    emit(telemetry): void {
      for (const code of ["unauthorized", "draining", "unauthorized"]) {
        telemetry.emit({ ...EVENTS.refused, code });
      }
    },
    metric: "wsfetch_handshakes_refused_total",
    expected: { unauthorized: 2, draining: 1 },
  },
  {
    name: "malformed frames by code",
    emit: (telemetry) => telemetry.emit({ type: "malformed", connection: "c1", code: "bad_frame" }),
    metric: "wsfetch_malformed_frames_total",
    expected: { bad_frame: 1 },
  },
  {
    name: "renewed credentials by outcome",
    emit(telemetry): void {
      telemetry.emit({
        type: "authenticated",
        connection: "c1",
        identity: "a",
        outcome: "renewed",
      });
      telemetry.emit({
        type: "authenticated",
        connection: "c1",
        identity: "a",
        outcome: "refused",
      });
    },
    metric: "wsfetch_credential_renewals_total",
    expected: { renewed: 1, refused: 1 },
  },
  {
    name: "denied hops by reason, and no allowed hops",
    emit(telemetry): void {
      telemetry.emit({ ...EVENTS.decided, allow: false, reason: "private" });
      telemetry.emit({ ...EVENTS.decided, allow: false, reason: "deny-list" });
      telemetry.emit({ ...EVENTS.decided, allow: true, reason: "*.example.com" });
    },
    metric: "wsfetch_policy_denials_total",
    expected: { private: 1, "deny-list": 1 },
  },
  {
    name: "refusals by limit, before and after the upgrade",
    emit(telemetry): void {
      for (const code of ["rate_limited", "too_many_connections", "unauthorized"]) {
        telemetry.emit({ ...EVENTS.refused, code });
      }
      for (const code of ["rate_limited", "too_many_in_flight", "dns_error"]) {
        telemetry.emit(exchanged({ outcome: "error", code }));
      }
      telemetry.emit(exchanged({ outcome: "cancelled", code: "rate_limited" }));
    },
    metric: "wsfetch_limit_refusals_total",
    expected: {
      identity_connections: 1,
      service_connections: 1,
      identity_requests: 1,
      connection_in_flight: 1,
    },
  },
  {
    name: "pauses",
    emit: (telemetry) => telemetry.emit({ type: "paused", connection: "c1" }),
    metric: "wsfetch_connection_pauses_total",
    expected: { "": 1 },
  },
  {
    name: "failures",
    emit: (telemetry) => telemetry.emit({ type: "failed", error: new Error() }),
    metric: "wsfetch_failures_total",
    expected: { "": 1 },
  },
  {
    name: "exchanges by code, method and upstream",
    emit(telemetry): void {
      telemetry.emit(EXCHANGED);
      telemetry.emit(exchanged({ outcome: "error", code: "dns_error" }));
      telemetry.emit(exchanged({ outcome: "cancelled", code: "dns_error" }));
      telemetry.emit(exchanged({ method: "POST", upstream: "billing" }));
      telemetry.emit(exchanged({ method: "POST", upstream: "billing" }));
      telemetry.emit(exchanged({ method: "PURGE" }));
      telemetry.emit(exchanged({ method: "", outcome: "error", code: "bad_request" }));
    },
    metric: "wsfetch_exchanges_total",
    expected: {
      "response GET ": 1,
      "dns_error GET ": 1,
      "cancelled GET ": 1,
      "response POST billing": 2,
      "response other ": 1,
      "bad_request other ": 1,
    },
  },
  {
    name: "responses by class of status",
    emit(telemetry): void {
      for (const status of [200, 204, 302, 404, 503, 700]) {
        telemetry.emit(exchanged({ status }));
      }
      telemetry.emit({ ...EXCHANGED, outcome: "error", code: "http_response_timeout" });
    },
    metric: "wsfetch_responses_total",
    expected: { "2xx ": 3, "3xx ": 1, "4xx ": 1, "5xx ": 1, "other ": 1 },
  },
  {
    name: "bytes of requests",
    emit(telemetry): void {
      telemetry.emit(EXCHANGED);
      telemetry.emit(exchanged({ requestBytes: 5, upstream: "billing" }));
      telemetry.emit(EXCHANGED);
    },
    metric: "wsfetch_request_bytes_total",
    expected: { "": 20, billing: 5 },
  },
  {
    name: "bytes of responses",
    emit: (telemetry) => telemetry.emit(EXCHANGED),
    metric: "wsfetch_response_bytes_total",
    expected: { "": 100 },
  },
  {
    name: "seconds to the response head, if there was one",
    emit(telemetry): void {
      telemetry.emit(EXCHANGED);
      const { waitMs: _, ...headless } = EXCHANGED;
      telemetry.emit(headless);
    },
    metric: "wsfetch_exchange_head_seconds_sum",
    expected: { "": 0.02 },
  },
  {
    name: "seconds until there was a connection, if none was there",
    emit(telemetry): void {
      telemetry.emit(EXCHANGED);
      telemetry.emit(exchanged({ connectMs: 4 }));
    },
    metric: "wsfetch_connect_seconds_sum",
    expected: { "": 0.004 },
  },
  {
    name: "seconds of TLS handshakes, if there were any",
    emit(telemetry): void {
      telemetry.emit(exchanged({ connectMs: 4 }));
      telemetry.emit(exchanged({ connectMs: 4, tlsMs: 6 }));
    },
    metric: "wsfetch_tls_handshake_seconds_sum",
    expected: { "": 0.006 },
  },
  {
    name: "seconds of exchanges that were not refused at once",
    emit(telemetry): void {
      telemetry.emit(EXCHANGED);
      telemetry.emit(exchanged({ totalMs: 0, outcome: "error", code: "draining" }));
    },
    metric: "wsfetch_exchange_duration_seconds_count",
    expected: { "": 1 },
  },
  {
    name: "an exchange with an undefined upstream as one without an upstream",
    emit(telemetry): void {
      for (const code of ["unknown_upstream", "rate_limited", "draining"]) {
        const decision = "none";
        telemetry.emit(exchanged({ outcome: "error", code, decision, upstream: "guess" }));
      }
    },
    metric: "wsfetch_request_bytes_total",
    expected: { "": 30 },
  },
  {
    name: "an upstream that was added by a reload, or that the policy decided on, by its name",
    emit(telemetry): void {
      telemetry.emit({ type: "reloaded", upstreams: ["new"] });
      telemetry.emit(exchanged({ decision: "none", upstream: "new" }));
      telemetry.emit(exchanged({ decision: "allow", upstream: "seen" }));
    },
    metric: "wsfetch_request_bytes_total",
    expected: { new: 10, seen: 10 },
  },
];

for (const { name, emit, metric, expected } of CASES) {
  Deno.test(`createMetrics() counts ${name}`, async () => {
    using metrics = create();
    emit(metrics.telemetry);
    assertEquals(await samplesOf(metrics, metric), expected);
    assertEquals(await samplesOf(metrics, metric), expected, "rendering does not count");
  });
}

Deno.test("createMetrics() sorts durations into buckets from 1 ms to 60 s", async () => {
  using metrics = create();
  for (const totalMs of [0.5, 1, 30, 59_999, 60_001]) {
    metrics.telemetry.emit(exchanged({ totalMs }));
  }
  const buckets = await samplesOf(metrics, "wsfetch_exchange_duration_seconds_bucket");
  const picked = ["0.001 ", "0.025 ", "0.05 ", "60 ", "+Inf "].map((name) => buckets[name]);
  assertEquals(picked, [2, 2, 3, 4, 5]);
});

Deno.test("render() returns current values", async () => {
  let connections = 1;
  let inFlight = 2;
  using metrics = create({ connections: () => connections, inFlight: () => inFlight });
  const now = async (): Promise<unknown[]> => [
    await samplesOf(metrics, "wsfetch_open_connections"),
    await samplesOf(metrics, "wsfetch_exchanges_in_flight"),
  ];
  assertEquals(await now(), [{ "": 1 }, { "": 2 }]);
  [connections, inFlight] = [5, 0];
  assertEquals(await now(), [{ "": 5 }, { "": 0 }]);
});

Deno.test("render() returns the versions, the start time, the memory and the event loop lag", async () => {
  let disposed = false;
  {
    using metrics = create({
      clock: createFakeClock(1_767_323_045_678),
      memory: () => ({ rss: 4, heapTotal: 3, heapUsed: 2, external: 1 }),
      meter: {
        lag: (quantiles) => quantiles.map((quantile) => quantile / 10),
        [Symbol.dispose]: () => disposed = true,
      },
    });
    const { deno, v8 } = Deno.version;
    assertEquals(await samplesOf(metrics, "wsfetch_build_info"), { [`1.2.3 ${deno} ${v8}`]: 1 });
    assertEquals(await samplesOf(metrics, "wsfetch_start_time_seconds"), { "": 1767323045.678 });
    assertEquals(await samplesOf(metrics, "wsfetch_memory_bytes"), {
      resident: 4,
      heap_total: 3,
      heap_used: 2,
      external: 1,
    });
    assertEquals(await samplesOf(metrics, "wsfetch_event_loop_lag_seconds"), {
      0.5: 0.05,
      0.99: 0.099,
      1: 0.1,
    });
  }
  assertEquals(disposed, true);
});

Deno.test("render() follows the conventions of Prometheus", async () => {
  using metrics = create();
  for (const event of ALL) metrics.telemetry.emit(event);
  metrics.telemetry.emit(exchanged({ connectMs: 4, tlsMs: 6 }));
  assertEquals(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
  for (const [name, { help, type, samples }] of await read(metrics)) {
    assertMatch(name, /^wsfetch_[a-z_]+$/);
    assertEquals(type === "counter", name.endsWith("_total"), `${name} is a ${type}`);
    if (type === "histogram") assert(name.endsWith("_seconds"), name);
    assert(help.length > 10 && !help.endsWith("."), name);
    assert(samples.length > 0, `${name} was counted`);
    for (const { value } of samples) assert(Number.isFinite(value), name);
  }
});

Deno.test("createMetrics() has its own counts for each call", async () => {
  using first = create();
  using second = create();
  first.telemetry.emit(EVENTS.connected);
  assertEquals(await samplesOf(second, "wsfetch_connections_total"), { "": 0 });
});

const HOSTILE = 5000;

/** Generates texts of every kind that a client may send. */
function* hostileTexts(): Generator<string> {
  const odd = [
    "",
    "__proto__",
    "constructor",
    "toString",
    '"',
    "\\",
    "\n",
    "a,b:c",
    "\0",
    "é",
    "x".repeat(1e5),
  ];
  yield* odd;
  for (let i = 0; i < HOSTILE; i++) yield `name-${i.toString(36)}`;
}

Deno.test("createMetrics() bounds the number of values of each label, for any data of clients", async () => {
  using metrics = create();
  const { telemetry } = metrics;
  let totalMs = 0;
  for (const text of hostileTexts()) {
    totalMs++;
    telemetry.emit(exchanged({ method: text, totalMs }));
    telemetry.emit(exchanged({ outcome: "error", code: text, host: text, reason: text }));
    telemetry.emit(exchanged({ upstream: text }));
    telemetry.emit(exchanged({ upstream: text, decision: "none" }));
    telemetry.emit(exchanged({ status: totalMs, identity: text, requestId: text }));
    telemetry.emit({ type: "reloaded", upstreams: [text] });
    telemetry.emit({ type: "refused", client: text, status: totalMs, code: text, reason: text });
    telemetry.emit({ type: "malformed", connection: text, code: text });
    telemetry.emit({ ...EVENTS.decided, host: text, allow: false, reason: text });
    telemetry.emit({ ...EVENTS.disconnected, code: totalMs });
    telemetry.emit({
      type: "connected",
      connection: text,
      dialect: text,
      client: text,
      identity: text,
    });
    // The type of the outcome does not allow the value.
    emitUnchecked(telemetry, { type: "authenticated", connection: text, outcome: text });
  }
  const families = await read(metrics);
  const values = new Map<string, Set<string>>();
  let series = 0;
  for (const [name, { samples }] of families) {
    series += samples.length;
    for (const { labels } of samples) {
      for (const [label, value] of Object.entries(labels)) {
        const key = `${name} ${label}`;
        values.set(key, (values.get(key) ?? new Set()).add(value));
        assert(value.length <= 100, key);
      }
    }
  }
  for (const [key, { size }] of values) assert(size <= 102, `${key} has ${size} values`);
  assert(series < 5000, `${series} series`);
  assertEquals(values.get("wsfetch_exchanges_total method"), new Set(["other", "GET"]));
  assertEquals((await samplesOf(metrics, "wsfetch_exchanges_total"))["response other "], 5011);
});

Deno.test("createMetrics() needs only the permission to use the network", async () => {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "tests/telemetry/metered.ts"],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const families = parseExposition(new TextDecoder().decode(stdout));
  const memory = families.get("wsfetch_memory_bytes")?.samples ?? [];
  assertEquals(memory.length, 4);
  assert(memory.every(({ value }) => value > 0));
  assertEquals(families.get("wsfetch_open_connections")?.samples[0]?.value, 1);
});
