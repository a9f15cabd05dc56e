/**
 * What telemetry costs an exchange: the time of its `exchanged` event, by who listens. Lines are built and
 * written nowhere, but for the last two cases, which write them to standard output; results are on standard
 * error. With OpenTelemetry on, the span of an exchange as well.
 *
 * Run: `deno run --allow-all tests/bench/telemetry.ts > /tmp/lines`
 */
import { setImmediate } from "node:timers/promises";
import { combine } from "../../src/telemetry/combine.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createTracing } from "../../src/telemetry/tracing.ts";
import type { ExchangedEvent, Telemetry } from "../../src/telemetry/telemetry.ts";
import { createRedactor } from "../../src/upstream/redact.ts";

const EVENTS = 10_000;
const ROUNDS = 15;
const PER_TURN = 10;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** As in the service: a record of its own for each exchange. */
function createEvents(): readonly ExchangedEvent[] {
  return Array.from({ length: EVENTS }, (_, index) => ({
    connection: "3f0c2f0e-6f0b-4c0e-9a55-0d7f6c6f9f10",
    exchange: index,
    requestId: `3f0c2f0e-${index}`,
    id: index,
    identity: "alice@example.com",
    method: "GET",
    upstream: index % 2 === 0 ? "billing" : "users",
    host: "api.example.com",
    decision: "allow",
    reason: "upstream:billing",
    outcome: "response",
    status: 200,
    requestBytes: 0,
    responseBytes: 1024 + index,
    waitMs: 12.345,
    totalMs: 23.456,
  }));
}

const write = (): void => {};
const json = { format: "json", write } as const;
const secrets = createRedactor(["correct-horse-battery", "sk_live_0123456789abcdef"]);
using metrics = createMetrics({ version: "0.1.0" }, { connections: () => 0, inFlight: () => 0 });
const logger = createLogger({ ...json, level: "info" });
const toOutput = createLogger({ level: "info", format: "json" });

const CASES: readonly {
  readonly name: string;
  readonly telemetry: Telemetry;
  readonly perTurn?: number;
}[] = [
  { name: "nothing", telemetry: combine() },
  { name: "log, off", telemetry: createLogger({ ...json, level: "off" }) },
  { name: "log, JSON", telemetry: logger },
  {
    name: "log, JSON, with two secrets to look for",
    telemetry: createLogger({ ...json, level: "info", ...(secrets && { redact: secrets }) }),
  },
  {
    name: "log, for people",
    telemetry: createLogger({ ...json, level: "info", format: "pretty" }),
  },
  { name: "metrics", telemetry: metrics.telemetry },
  { name: "log and metrics", telemetry: combine(logger, metrics.telemetry) },
  { name: "nothing, one event a turn", telemetry: combine(), perTurn: 1 },
  { name: "log to standard output, one event a turn", telemetry: toOutput, perTurn: 1 },
  {
    name: `log to standard output, ${PER_TURN} events a turn`,
    telemetry: toOutput,
    perTurn: PER_TURN,
  },
];

/** Microseconds of one event. */
async function measure(
  telemetry: Telemetry,
  events: readonly ExchangedEvent[],
  perTurn = Infinity,
): Promise<number> {
  const startedAt = performance.now();
  let turn = 0;
  for (const event of events) {
    telemetry.exchanged(event);
    if (++turn % perTurn === 0) await setImmediate();
  }
  return (performance.now() - startedAt) * 1000 / events.length;
}

/** Microseconds of one span; `undefined` when OpenTelemetry is off. */
function measureSpans(events: readonly ExchangedEvent[]): number | undefined {
  const tracing = createTracing();
  if (tracing === undefined) return undefined;
  const startedAt = performance.now();
  for (const event of events) {
    const span = tracing.start({ ...event, traceparent: TRACEPARENT });
    span.run(() => {});
    span.end(event);
  }
  return (performance.now() - startedAt) * 1000 / events.length;
}

function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const [fastest = NaN] = sorted;
  const median = sorted[(ROUNDS - 1) / 2] ?? NaN;
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.error(`${name}: ${median.toFixed(3)} µs an event, at best ${fastest.toFixed(3)}`);
}

const events = createEvents();
for (const { telemetry } of CASES) await measure(telemetry, events); // warms up

for (const { name, telemetry, perTurn } of CASES) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    times.push(await measure(telemetry, events, perTurn));
  }
  report(name, times);
}

const spans: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  spans.push(...[measureSpans(events)].filter((time) => time !== undefined));
  await setImmediate();
}
if (spans.length > 0) report("span", spans);
