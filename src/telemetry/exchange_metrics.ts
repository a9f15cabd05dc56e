/**
 * Metrics of exchanges: how many, how long and how large, by the named upstream that they were for.
 *
 * @module
 */
import type { Registry } from "prom-client";
import { createDurations, type Observe } from "./durations.ts";
import { createKnownLabel, createNamedLabel } from "./labels.ts";
import { type Cell, createTally } from "./tally.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** Counts exchanges. */
export interface ExchangeMetrics {
  exchanged(event: ExchangedEvent): void;
  /** Takes the names of upstreams that there are. */
  know(upstreams: readonly string[]): void;
}

/** Everything that is counted for one upstream, found once. */
interface Series {
  readonly upstream: string;
  readonly requestBytes: Cell;
  readonly responseBytes: Cell;
  readonly observeHead: Observe;
  readonly observeWhole: Observe;
  /** By method, then by code. */
  readonly exchanges: Map<string, Map<string, Cell>>;
  /** By the first digit of the status. */
  readonly responses: Map<number, Cell>;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const MAX_CODES = 64;
// Upstreams that have a label of their own; the others share one.
const MAX_UPSTREAMS = 100;
const OTHER = "other";
/** Of what was for no upstream by name, or for one that nobody has seen. */
const NO_UPSTREAM = "";

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Creates {@linkcode ExchangeMetrics} that are shown in a registry. */
export function createExchangeMetrics(registry: Registry): ExchangeMetrics {
  const exchanges = createTally({
    name: "wsfetch_exchanges_total",
    help: "Exchanges that have ended, by error code, or response, or cancelled",
    labelNames: ["code", "method", "upstream"],
  }, registry);
  const responses = createTally({
    name: "wsfetch_responses_total",
    help: "Response heads that came, by class of status",
    labelNames: ["status", "upstream"],
  }, registry);
  const requestBytes = createTally({
    name: "wsfetch_request_bytes_total",
    help: "Bytes of request bodies",
    labelNames: ["upstream"],
  }, registry);
  const responseBytes = createTally({
    name: "wsfetch_response_bytes_total",
    help: "Bytes of response bodies",
    labelNames: ["upstream"],
  }, registry);
  const head = createDurations<"upstream">({
    name: "wsfetch_exchange_head_seconds",
    help: "From the request to the head of its response",
    buckets: BUCKETS,
  }, registry);
  const whole = createDurations<"upstream">({
    name: "wsfetch_exchange_duration_seconds",
    help: "From the request to the end of its response, or to the error",
    buckets: BUCKETS,
  }, registry);
  const toMethod = createKnownLabel(METHODS);
  const toCode = createNamedLabel(MAX_CODES);
  const toName = createNamedLabel(MAX_UPSTREAMS);
  const known = new Set<string>();
  const all = new Map<string, Series>();

  function know(upstream: string): string {
    const name = toName(upstream);
    if (name === upstream) known.add(name);
    return name;
  }

  /** A client may send any name. Only one that was found has been decided on. */
  function toUpstream({ upstream, decision }: ExchangedEvent): string {
    if (upstream === undefined) return NO_UPSTREAM;
    if (known.has(upstream)) return upstream;
    return decision === "none" ? NO_UPSTREAM : know(upstream);
  }

  function findSeries(upstream: string): Series {
    let series = all.get(upstream);
    if (series !== undefined) return series;
    series = {
      upstream,
      requestBytes: requestBytes.cell({ upstream }),
      responseBytes: responseBytes.cell({ upstream }),
      observeHead: head.series({ upstream }),
      observeWhole: whole.series({ upstream }),
      exchanges: new Map(),
      responses: new Map(),
    };
    all.set(upstream, series);
    return series;
  }

  function findExchanges(
    { upstream, exchanges: byMethod }: Series,
    { outcome, method, code }: ExchangedEvent,
  ): Cell {
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

  function findResponses({ upstream, responses: byClass }: Series, status: number): Cell {
    const statusClass = Math.floor(status / 100);
    let cell = byClass.get(statusClass);
    if (cell === undefined) {
      const label = statusClass >= 1 && statusClass <= 5 ? `${statusClass}xx` : OTHER;
      byClass.set(statusClass, cell = responses.cell({ status: label, upstream }));
    }
    return cell;
  }

  return {
    exchanged(event): void {
      const series = findSeries(toUpstream(event));
      const { status, waitMs, totalMs } = event;
      series.requestBytes.count += event.requestBytes;
      series.responseBytes.count += event.responseBytes;
      findExchanges(series, event).count++;
      if (status !== undefined) findResponses(series, status).count++;
      if (waitMs !== undefined) series.observeHead(waitMs / 1000);
      // What was refused before it began took no time that says anything.
      if (totalMs > 0) series.observeWhole(totalMs / 1000);
    },
    know: (upstreams) => upstreams.forEach(know),
  };
}
