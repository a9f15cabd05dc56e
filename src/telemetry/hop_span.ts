/**
 * The spans of the requests that an exchange makes without `fetch`, by OpenTelemetry's semantic conventions for HTTP clients,
 * but without URLs.
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import { toInteger, toMethodAttributes, toSpanName } from "./span_values.ts";

/** A request to a server. */
export interface TracedHop {
  readonly method: string;
  readonly url: URL;
}

/** The span of a request to a server. */
export interface HopSpan {
  /** The header fields that tell the server about the span (W3C Trace Context). */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Ends the span with the status of the response, or with what ended the request; to be called once. */
  end(outcome: { readonly status: number } | { readonly errorType: string }): void;
}

/** What the spans of an exchange's requests need of it. */
export interface RunningExchange {
  /** With the span of the exchange as the parent. */
  readonly parent: Context;
  readonly traceState: SpanContext["traceState"];
  /** The requests that were made. */
  requests: number;
}

const FIRST_ERROR_STATUS = 400; // for a client's span

const EXCHANGE_KEY = createContextKey("wsfetch exchange");

/** Returns a context with an exchange; unlike `setValue`, it keeps what the context itself does when values are set. */
export function withExchange(outer: Context, exchange: RunningExchange): Context {
  return {
    getValue: (key) => key === EXCHANGE_KEY ? exchange : outer.getValue(key),
    setValue: (key, value) => outer.setValue(key, value),
    deleteValue: (key) => outer.deleteValue(key),
  };
}

/** Starts the span of a request; returns `undefined` when no exchange is running. */
export function startHop(tracer: Tracer, request: TracedHop): HopSpan | undefined {
  // Nothing else sets this key.
  const running = context.active().getValue(EXCHANGE_KEY) as RunningExchange | undefined;
  if (running === undefined) return undefined;
  const span = tracer.startSpan(toSpanName(request.method), {
    kind: SpanKind.CLIENT,
    attributes: toHopAttributes(request, running.requests++),
  }, running.parent);
  return { fields: toFields(span, running), end: (outcome) => endHop(span, outcome) };
}

function toFields(span: Span, { traceState }: RunningExchange): HopSpan["fields"] {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const flags = traceFlags.toString(16).padStart(2, "0");
  const state = traceState?.serialize() ?? "";
  return [
    ["traceparent", `00-${traceId}-${spanId}-${flags}`],
    ...(state === "" ? [] : [["tracestate", state] as const]),
  ];
}

/** OpenTelemetry semantic conventions, "HTTP client span", without `url.full`. */
function toHopAttributes({ method, url }: TracedHop, resends: number): Attributes {
  const { protocol, hostname, port } = url;
  const defaultPort = protocol === "https:" ? 443 : 80;
  return {
    ...toMethodAttributes(method),
    "server.address": hostname.replace(/^\[(.+)\]$/, "$1"),
    "server.port": toInteger(port === "" ? defaultPort : Number(port)),
    "url.scheme": protocol.slice(0, -1),
    "network.protocol.version": "1.1",
    ...(resends > 0 && { "http.request.resend_count": toInteger(resends) }),
  };
}

function endHop(span: Span, outcome: Parameters<HopSpan["end"]>[0]): void {
  const status = "status" in outcome ? outcome.status : undefined;
  let errorType = "status" in outcome ? undefined : outcome.errorType;
  if (status !== undefined && status >= FIRST_ERROR_STATUS) errorType = String(status);
  span.setAttributes({
    ...(status !== undefined && { "http.response.status_code": toInteger(status) }),
    ...(errorType !== undefined && { "error.type": errorType }),
  });
  if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
