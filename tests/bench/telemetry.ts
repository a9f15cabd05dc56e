/**
 * What telemetry costs an exchange: the time of its `exchanged` event and the garbage that it leaves, by who
 * listens. Cases take turns, and each event is told of a record of its own. Lines are written to standard output,
 * and results to standard error. With OpenTelemetry on, the span of an exchange as well.
 *
 * Here the code does nothing else, and is in the processor's caches. Between other work of an exchange it takes
 * about twice as long: `telemetry_cpu.ts` measures that.
 *
 * Run: `deno run --allow-all --v8-flags=--min-semi-space-size=16,--max-semi-space-size=16
 * tests/bench/telemetry.ts > /dev/null`; with less of a young generation garbage is collected before it is
 * counted.
 */
import { setImmediate } from "node:timers/promises";
import { combine } from "../../src/telemetry/combine.ts";
import { createLogger, type LoggerOptions } from "../../src/telemetry/logger.ts";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import type { ExchangedEvent, Telemetry } from "../../src/telemetry/telemetry.ts";
import { createTracing } from "../../src/telemetry/tracing.ts";
import { createRedactor } from "../../src/upstream/redact.ts";
import { median, quantile } from "./statistics.ts";

const EVENTS = 1000;
const ROUNDS = 200;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CONNECTIONS = Array.from({ length: 16 }, () => crypto.randomUUID());
const UPSTREAMS = ["billing", "users"] as const;

interface Case {
  readonly name: string;
  readonly telemetry: Telemetry;
  /** Called behind the last event of a round. */
  readonly flush: () => void;
  /** Microseconds of one event, by round. */
  readonly times: number[];
  /** Bytes of one event, by round. */
  readonly garbage: number[];
}

let sequence = 0;

/** As in the service: filled in on its way, with texts that were never seen before. */
function createRecord(): ExchangedEvent {
  sequence++;
  const connection = CONNECTIONS[sequence % CONNECTIONS.length] ?? "";
  const upstream = UPSTREAMS[sequence % UPSTREAMS.length] ?? "";
  const waitMs = Math.round(Math.random() * 100_000) / 1000;
  return {
    type: "exchanged",
    connection,
    exchange: sequence,
    requestId: `${connection}-${sequence}`,
    id: sequence,
    identity: "alice@example.com",
    method: "GET",
    host: new URL(`https://${upstream}.example.com/`).host,
    decision: "allow",
    outcome: "response",
    requestBytes: 0,
    responseBytes: 1024 + sequence,
    totalMs: Math.round((waitMs + 0.321) * 1000) / 1000,
    upstream,
    reason: `upstream:${upstream}`,
    waitMs,
    status: 200,
  };
}

function createCases(): readonly Case[] {
  const secrets = createRedactor(["correct-horse-battery", "sk_live_0123456789abcdef"]);
  const redaction = secrets && { redaction: { version: 0, redact: secrets } };
  const toCase = (name: string, options: Partial<LoggerOptions>): Case => {
    const logger = createLogger({ level: "info", format: "json", ...options });
    return { name, telemetry: logger, flush: logger.flush, times: [], garbage: [] };
  };
  const whole = toCase("log, with two secrets, and metrics", { ...redaction });
  return [
    { ...toCase("nothing", {}), telemetry: combine() },
    toCase("log, off", { level: "off" }),
    toCase("log", {}),
    toCase("log, with two secrets to look for", { ...redaction }),
    toCase("log, for people", { format: "pretty" }),
    { ...toCase("metrics", {}), telemetry: startMetrics().telemetry },
    { ...whole, telemetry: combine(whole.telemetry, startMetrics().telemetry) },
  ];
}

function startMetrics(): Metrics {
  const metrics = createMetrics({ version: "0.1.0", upstreams: UPSTREAMS }, {
    connections: () => 0,
    inFlight: () => 0,
  });
  metrics[Symbol.dispose](); // which ends its timers and no more
  return metrics;
}

function measure({ telemetry, flush, times, garbage }: Case): void {
  const records = Array.from({ length: EVENTS }, createRecord);
  const before = Deno.memoryUsage().heapUsed;
  const startedAt = performance.now();
  for (const record of records) telemetry.emit(record);
  flush();
  times.push((performance.now() - startedAt) * 1000 / EVENTS);
  garbage.push((Deno.memoryUsage().heapUsed - before) / EVENTS);
}

/** Microseconds of one span; `undefined` when OpenTelemetry is off. */
function measureSpans(): number | undefined {
  const tracing = createTracing();
  if (tracing === undefined) return undefined;
  const records = Array.from({ length: EVENTS }, createRecord);
  const startedAt = performance.now();
  for (const record of records) {
    const span = tracing.start({ ...record, traceparent: TRACEPARENT });
    span.run(() => {});
    span.end(record);
  }
  return (performance.now() - startedAt) * 1000 / EVENTS;
}

function report(name: string, times: readonly number[], garbage: readonly number[] = []): void {
  const left = garbage.length === 0 ? "" : `, ${median(garbage).toFixed(0)} bytes of garbage`;
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.error(
    `${name.padEnd(36)} ${median(times).toFixed(3)} µs an event, a tenth below ` +
      `${quantile(times, 0.1).toFixed(3)}${left}`,
  );
}

const cases = createCases();
const spans: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const each of round % 2 === 0 ? cases : cases.toReversed()) measure(each);
  spans.push(...[measureSpans()].filter((time) => time !== undefined));
  await setImmediate();
}
for (const { name, times, garbage } of cases) report(name, times, garbage);
if (spans.length > 0) report("span", spans);
