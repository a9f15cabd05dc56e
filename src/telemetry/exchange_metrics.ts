/**
 * Metrics of exchanges: their number, duration and size, by named upstream.
 *
 * @module
 */
import type { Registry } from "prom-client";
import { type CounterCell, createCounter } from "./counter.ts";
import { createDurationHistogram, type ObserveSeconds } from "./histogram.ts";
import { createKnownLabel, createNamedLabel } from "./labels.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** Counts exchanges. */
export interface ExchangeMetrics {
  count(event: ExchangedEvent): void;
  /** Adds the names of upstreams that are defined, so that each gets a label value of its own. */
  addUpstreams(names: readonly string[]): void;
}

/** The counters and histograms of one upstream. */
interface UpstreamSeries {
  readonly upstream: string;
  readonly requestBytes: CounterCell;
  readonly responseBytes: CounterCell;
  readonly observeConnect: ObserveSeconds;
  readonly observeTls: ObserveSeconds;
  readonly observeHead: ObserveSeconds;
  readonly observeWhole: ObserveSeconds;
  /** By method, then by error code or outcome. */
  readonly exchanges: Map<string, Map<string, CounterCell>>;
  /** By the first digit of the status. */
  readonly responses: Map<number, CounterCell>;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const MAX_CODES = 64;
// Upstreams beyond these share the label value "other".
const MAX_UPSTREAMS = 100;
const OTHER = "other";
/** The label value of exchanges without a named upstream, or with one that is not defined. */
const NO_UPSTREAM = "";

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Creates {@linkcode ExchangeMetrics} that are shown in a registry. */
export function createExchangeMetrics(registry: Registry): ExchangeMetrics {
  const exchanges = createCounter({
    name: "wsfetch_exchanges_total",
    help: "Exchanges that have ended, by error code, or response, or cancelled",
    labelNames: ["code", "method", "upstream"],
  }, registry);
  const responses = createCounter({
    name: "wsfetch_responses_total",
    help: "Response heads that arrived, by class of status",
    labelNames: ["status", "upstream"],
  }, registry);
  const requestBytes = createCounter({
    name: "wsfetch_request_bytes_total",
    help: "Bytes of request bodies",
    labelNames: ["upstream"],
  }, registry);
  const responseBytes = createCounter({
    name: "wsfetch_response_bytes_total",
    help: "Bytes of response bodies",
    labelNames: ["upstream"],
  }, registry);
  const connect = createDurationHistogram<"upstream">({
    name: "wsfetch_connect_seconds",
    help:
      "Time until an exchange had its connections, without TLS handshakes, where no idle ones were used",
    buckets: BUCKETS,
  }, registry);
  const tls = createDurationHistogram<"upstream">({
    name: "wsfetch_tls_handshake_seconds",
    help: "Time of the TLS handshakes of an exchange, where there were any",
    buckets: BUCKETS,
  }, registry);
  const head = createDurationHistogram<"upstream">({
    name: "wsfetch_exchange_head_seconds",
    help: "Time from the request to the head of its response",
    buckets: BUCKETS,
  }, registry);
  const whole = createDurationHistogram<"upstream">({
    name: "wsfetch_exchange_duration_seconds",
    help: "Time from the request to the end of its response, or to the error",
    buckets: BUCKETS,
  }, registry);
  const toMethod = createKnownLabel(METHODS);
  const toCode = createNamedLabel(MAX_CODES);
  const toName = createNamedLabel(MAX_UPSTREAMS);
  const known = new Set<string>();
  const all = new Map<string, UpstreamSeries>();

  function addUpstream(upstream: string): string {
    const name = toName(upstream);
    if (name === upstream) known.add(name);
    return name;
  }

  /** A client may send any name. The policy decides only on upstreams that are defined. */
  function toUpstream({ upstream, decision }: ExchangedEvent): string {
    if (upstream === undefined) return NO_UPSTREAM;
    if (known.has(upstream)) return upstream;
    return decision === "none" ? NO_UPSTREAM : addUpstream(upstream);
  }

  function findSeries(upstream: string): UpstreamSeries {
    let series = all.get(upstream);
    if (series !== undefined) return series;
    series = {
      upstream,
      requestBytes: requestBytes.cell({ upstream }),
      responseBytes: responseBytes.cell({ upstream }),
      observeConnect: connect.series({ upstream }),
      observeTls: tls.series({ upstream }),
      observeHead: head.series({ upstream }),
      observeWhole: whole.series({ upstream }),
      exchanges: new Map(),
      responses: new Map(),
    };
    all.set(upstream, series);
    return series;
  }

  function findExchanges(
    { upstream, exchanges: byMethod }: UpstreamSeries,
    { outcome, method, code }: ExchangedEvent,
  ): CounterCell {
    const methodLabel = toMethod(method);
    const codeLabel = outcome === "error" ? toCode(code) : outcome;
    let byCode = byMethod.get(methodLabel);
    if (byCode === undefined) byMethod.set(methodLabel, byCode = new Map());
    let cell = byCode.get(codeLabel);
    if (cell === undefined) {
      cell = exchanges.cell({ code: codeLabel, method: methodLabel, upstream });
      byCode.set(codeLabel, cell);
    }
    return cell;
  }

  function findResponses(
    { upstream, responses: byClass }: UpstreamSeries,
    status: number,
  ): CounterCell {
    const statusClass = Math.floor(status / 100);
    let cell = byClass.get(statusClass);
    if (cell === undefined) {
      const label = statusClass >= 1 && statusClass <= 5 ? `${statusClass}xx` : OTHER;
      byClass.set(statusClass, cell = responses.cell({ status: label, upstream }));
    }
    return cell;
  }

  return {
    count(event): void {
      const series = findSeries(toUpstream(event));
      const { status, connectMs, tlsMs, waitMs, totalMs } = event;
      series.requestBytes.count += event.requestBytes;
      series.responseBytes.count += event.responseBytes;
      findExchanges(series, event).count++;
      if (status !== undefined) findResponses(series, status).count++;
      if (connectMs !== undefined) series.observeConnect(connectMs / 1000);
      if (tlsMs !== undefined) series.observeTls(tlsMs / 1000);
      if (waitMs !== undefined) series.observeHead(waitMs / 1000);
      // The duration of an exchange that was refused before it began means nothing.
      if (totalMs > 0) series.observeWhole(totalMs / 1000);
    },
    addUpstreams: (names) => names.forEach(addUpstream),
  };
}
