/**
 * Counts events, and renders the counts in the Prometheus text format. The number of values of each label is
 * bounded, regardless of the data that clients send.
 *
 * @module
 */
import { Counter, type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import { type Clock, systemClock } from "../clock.ts";
import { createCounter, createCounterBy } from "./counter.ts";
import { createEventLoopMeter, type EventLoopMeter } from "./event_loop.ts";
import { createExchangeMetrics } from "./exchange_metrics.ts";
import { createGauges, type KeptMemory, type MemoryUsage } from "./gauges.ts";
import { createKnownLabel, createNamedLabel } from "./labels.ts";
import type { Telemetry, TelemetryEvent } from "./telemetry.ts";

/** The metrics of one isolate. Disposing of them stops their timer. */
export interface Metrics extends Disposable {
  /** Counts the events that it receives. */
  readonly telemetry: Telemetry;
  /** Returns all metrics in the Prometheus text format. */
  render(): Promise<string>;
  /** The media type of the rendered text. */
  readonly contentType: string;
  /** Returns all metrics as data, to be added to those of other isolates. */
  snapshot(): Promise<MetricsSnapshot>;
}

/** Metrics as plain objects, which can be sent to other isolates. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** The state that metrics are read from when they are rendered. */
export interface MetricsDeps {
  /** Returns how many connections are open. */
  readonly connections: () => number;
  /** Returns how many exchanges have begun and not ended. */
  readonly inFlight: () => number;
  /** The memory that is kept for clients. Default: none. */
  readonly budget?: KeptMemory;
  /** Returns how many lines of the log were dropped. Default: none. */
  readonly droppedLines?: () => number;
  /** Default: the memory of the process. */
  readonly memory?: () => MemoryUsage;
  /** Disposed of with the metrics. Default: a new one. */
  readonly meter?: EventLoopMeter;
  readonly clock?: Clock;
}

// RFC 6455 §7.4.1, those of PROTOCOL.md, and 0 for a connection that broke.
const CLOSE_CODES = "0 1000 1001 1002 1003 1005 1006 1007 1008 1009 1011 1013 4029 4500 4501 4509";
const MAX_CODES = 64;

// The limits that cause a refusal, by its code.
const HANDSHAKE_LIMITS: ReadonlyMap<string | undefined, string> = new Map([
  ["too_many_connections", "service_connections"],
  ["rate_limited", "identity_connections"],
]);
const EXCHANGE_LIMITS: ReadonlyMap<string | undefined, string> = new Map([
  ["too_many_in_flight", "connection_in_flight"],
  ["rate_limited", "identity_requests"],
  ["proxy_overloaded", "memory"],
]);
const NO_MEMORY: KeptMemory = { keptBytes: 0, maxBytes: 0 };

/**
 * Creates {@linkcode Metrics} in a registry of their own.
 *
 * @param options `version` is the version of the service, `upstreams` names the upstreams that are defined.
 */
export function createMetrics(
  { version, upstreams = [] }: {
    readonly version: string;
    readonly upstreams?: readonly string[];
  },
  {
    connections,
    inFlight,
    budget = NO_MEMORY,
    droppedLines = () => 0,
    memory = Deno.memoryUsage,
    clock = systemClock,
    meter = createEventLoopMeter(clock),
  }: MetricsDeps,
): Metrics {
  const registry = new Registry();
  const startedAt = clock.epochMs();
  createGauges(registry, { connections, inFlight, budget, memory, meter }, { version, startedAt });
  const exchanges = createExchangeMetrics(registry);
  exchanges.addUpstreams(upstreams);
  const opened = createCounter({
    name: "wsfetch_connections_total",
    help: "Connections that were opened",
  }, registry).cell({});
  const pauses = createCounter({
    name: "wsfetch_connection_pauses_total",
    help: "Times that the frames to a client began to queue because the client reads too slowly",
  }, registry).cell({});
  const failures = createCounter({
    name: "wsfetch_failures_total",
    help: "Unexpected errors; the log has their details",
  }, registry).cell({});
  new Counter({
    name: "wsfetch_log_lines_dropped_total",
    help: "Lines of the log that were dropped because standard output takes no more",
    registers: [registry],
    collect(): void {
      this.reset();
      this.inc(droppedLines());
    },
  });
  const countClose = createCounterBy({
    name: "wsfetch_disconnects_total",
    help: "Connections that have ended, by close code; 0: the connection broke",
    label: "code",
  }, registry);
  const countRefusal = createCounterBy({
    name: "wsfetch_handshakes_refused_total",
    help: "Handshakes that were refused, by code",
    label: "code",
  }, registry);
  const countMalformed = createCounterBy({
    name: "wsfetch_malformed_frames_total",
    help: "Frames that were refused before they became an exchange, by code",
    label: "code",
  }, registry);
  const countCredential = createCounterBy({
    name: "wsfetch_credential_renewals_total",
    help: "Credentials that arrived on an open connection, by outcome: renewed or refused",
    label: "outcome",
  }, registry);
  const countDenial = createCounterBy({
    name: "wsfetch_policy_denials_total",
    help: "Hops that the policy denied, by reason",
    label: "reason",
  }, registry);
  const countLimit = createCounterBy({
    name: "wsfetch_limit_refusals_total",
    help: "Handshakes and exchanges that were refused, by the limit that was reached",
    label: "limit",
  }, registry);
  const toCloseCode = createKnownLabel(CLOSE_CODES.split(" "));
  const toRefusalCode = createNamedLabel(MAX_CODES);
  const toFrameCode = createNamedLabel(MAX_CODES);
  const toReason = createNamedLabel(MAX_CODES);
  const toOutcome = createKnownLabel(["renewed", "refused"]);

  function countReached(limit: string | undefined): void {
    if (limit !== undefined) countLimit(limit);
  }

  function count(event: TelemetryEvent): void {
    switch (event.type) {
      case "exchanged":
        exchanges.count(event);
        if (event.outcome === "error") countReached(EXCHANGE_LIMITS.get(event.code));
        return;
      case "connected":
        opened.count++;
        return;
      case "disconnected":
        return countClose(toCloseCode(String(event.code)));
      case "refused":
        countRefusal(toRefusalCode(event.code));
        return countReached(HANDSHAKE_LIMITS.get(event.code));
      case "authenticated":
        return countCredential(toOutcome(event.outcome));
      case "malformed":
        return countMalformed(toFrameCode(event.code));
      case "paused":
        pauses.count++;
        return;
      case "decided":
        if (!event.allow) countDenial(toReason(event.reason));
        return;
      case "failed":
        failures.count++;
        return;
      case "reloaded":
        return exchanges.addUpstreams(event.upstreams);
      case "started":
      case "draining":
      case "stopped":
        return;
      default:
        return event satisfies never;
    }
  }

  return {
    telemetry: { wantsAllowedHops: false, emit: count },
    render: () => registry.metrics(),
    contentType: registry.contentType,
    snapshot: () => registry.getMetricsAsJSON(),
    [Symbol.dispose]: () => meter[Symbol.dispose](),
  };
}
