/**
 * Counts events, and shows the counts in the text format of Prometheus. A label never takes more than a
 * bounded number of values, whatever clients send.
 *
 * @module
 */
import { type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import { createEventLoopMeter, type EventLoopMeter } from "./event_loop.ts";
import { createExchangeMetrics } from "./exchange_metrics.ts";
import { createGauges, type Memory } from "./gauges.ts";
import { createKnownLabel, createNamedLabel } from "./labels.ts";
import { createCountBy, createTally } from "./tally.ts";
import type { Telemetry, TelemetryEvent } from "./telemetry.ts";

/** Metrics of one service. */
export interface Metrics extends Disposable {
  /** Counts what it is told. */
  readonly telemetry: Telemetry;
  /** Gives all metrics as text, in the form that `contentType` names. */
  render(): Promise<string>;
  /** The media type of that text. */
  readonly contentType: string;
  /** Gives all metrics as data, to be added to those of other isolates. */
  snapshot(): Promise<Snapshot>;
}

/** Metrics as data: plain objects. */
export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What never changes. */
export interface MetricsOptions {
  /** Of this service. */
  readonly version: string;
  /** Named upstreams that there are at the start. */
  readonly upstreams?: readonly string[];
}

/** Where metrics look when they are asked for. */
export interface MetricsDeps {
  /** Open connections. */
  readonly connections: () => number;
  /** Exchanges that have begun and not ended. */
  readonly inFlight: () => number;
  /** What the process holds, in bytes. */
  readonly memory?: () => Memory;
  /** Measures the event loop; disposed of with the metrics. */
  readonly meter?: EventLoopMeter;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

// RFC 6455 §7.4.1, our own (PROTOCOL.md), and 0: the connection broke.
const CLOSE_CODES = "0 1000 1001 1002 1003 1005 1006 1007 1008 1009 1011 4029 4500 4501 4509";
const MAX_CODES = 64;

// Which limit a refusal is due to.
const HANDSHAKE_LIMITS: ReadonlyMap<string | undefined, string> = new Map([
  ["too_many_connections", "service_connections"],
  ["rate_limited", "identity_connections"],
]);
const EXCHANGE_LIMITS: ReadonlyMap<string | undefined, string> = new Map([
  ["too_many_in_flight", "connection_in_flight"],
  ["rate_limited", "identity_requests"],
]);

/** Creates {@linkcode Metrics} in a registry of their own. */
export function createMetrics(
  { version, upstreams = [] }: MetricsOptions,
  {
    connections,
    inFlight,
    memory = Deno.memoryUsage,
    meter = createEventLoopMeter(),
    now = Date.now,
  }: MetricsDeps,
): Metrics {
  const registry = new Registry();
  createGauges(
    { version, startedAt: now() },
    { connections, inFlight, memory, meter },
    registry,
  );
  const exchanges = createExchangeMetrics(registry);
  exchanges.know(upstreams);
  const opened = createTally({
    name: "wsfetch_connections_total",
    help: "Connections that were opened",
    labelNames: [],
  }, registry).cell({});
  const pauses = createTally({
    name: "wsfetch_connection_pauses_total",
    help: "Times that the frames of a connection began to wait for its client to read",
    labelNames: [],
  }, registry).cell({});
  const failures = createTally({
    name: "wsfetch_failures_total",
    help: "Things that went wrong and never should: bugs; the log says more",
    labelNames: [],
  }, registry).cell({});
  const countClose = createCountBy({
    name: "wsfetch_disconnects_total",
    help: "Connections that have ended, by the code of the close; 0: the connection broke",
    label: "code",
  }, registry);
  const countRefusal = createCountBy({
    name: "wsfetch_handshakes_refused_total",
    help: "Handshakes that were refused, by code",
    label: "code",
  }, registry);
  const countMalformed = createCountBy({
    name: "wsfetch_malformed_frames_total",
    help: "Frames that were answered with an error before they became an exchange, by code",
    label: "code",
  }, registry);
  const countCredential = createCountBy({
    name: "wsfetch_credential_renewals_total",
    help: "Credentials that came on an open connection: renewed or refused",
    label: "outcome",
  }, registry);
  const countDenial = createCountBy({
    name: "wsfetch_policy_denials_total",
    help: "Hops that were denied, by the class of the reason",
    label: "reason",
  }, registry);
  const countLimit = createCountBy({
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
        exchanges.exchanged(event);
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
        return exchanges.know(event.upstreams);
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
