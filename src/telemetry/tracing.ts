/**
 * Creates an OpenTelemetry span for each exchange, and for each request that it makes without `fetch`, with Deno's
 * built-in support. A span never contains a path, a query, a header or a body.
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { type HopSpan, startHop, type TracedHop, withExchange } from "./hop_span.ts";
import { toInteger, toMethodAttributes, toSpanName } from "./span_values.ts";
import type { ExchangedEvent } from "./telemetry.ts";

/** Starts spans. */
export interface Tracing {
  /**
   * Whether Deno exports a span of its own for every `fetch`, with the whole URL in it. This is prevented only if
   * `OTEL_TRACES_SAMPLER` is one of the `parentbased_…` samplers.
   */
  readonly exposesUrls: boolean;
  /** Starts the span of an exchange, as a child of the client's span if `traceparent` is valid. */
  start(request: TracedRequest): ExchangeSpan;
  /**
   * Starts the span of a request to a server over HTTP/1.1, below that of the exchange which is running; returns
   * `undefined` when none is.
   */
  startHop(request: TracedHop): HopSpan | undefined;
}

/** The attributes of an exchange that are known when it begins. */
export interface TracedRequest {
  /** Empty when the request could not be parsed. */
  readonly method: string;
  /** The client's span, as a W3C `traceparent`. */
  readonly traceparent?: string;
  /** Vendor data of the client's trace, as a W3C `tracestate`. */
  readonly tracestate?: string;
  readonly upstream?: string | undefined;
  readonly identity?: string | undefined;
  readonly connection: string;
  readonly exchange: number;
}

/** The span of one exchange. */
export interface ExchangeSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Calls a function with the span as the active one: requests in it, by `fetch` or not, belong to the span. */
  run<T>(body: () => T): T;
  /** Ends the span; to be called once. */
  end(event: ExchangedEvent): void;
}

const FIRST_ERROR_STATUS = 500; // for a server's span, lower statuses are errors of the client

// The API does not export this key, only functions that use it.
const SPAN_KEY = createContextKey("OpenTelemetry Context Key SPAN");

// Samplers by ratio accept the lowest ids first, so that only the flags can prevent the sampling of this trace.
const UNSAMPLED: SpanContext = {
  traceId: "1".padStart(32, "0"),
  spanId: "1".padStart(16, "0"),
  traceFlags: TraceFlags.NONE,
  isRemote: true,
};

/** Creates a {@linkcode Tracing}, or returns `undefined` if Deno's OpenTelemetry is off (`OTEL_DENO=true` turns it on). */
export function createTracing(version?: string): Tracing | undefined {
  const tracer = trace.getTracer("wsfetch", version);
  // Never ended, so that the span is not exported. Without an implementation the API returns the parent itself.
  const probe = tracer.startSpan("probe", {}, trace.setSpanContext(ROOT_CONTEXT, UNSAMPLED))
    .spanContext();
  if (probe.spanId === UNSAMPLED.spanId) return undefined;
  const exposesUrls = probe.traceFlags !== TraceFlags.NONE;

  return {
    exposesUrls,
    start(request): ExchangeSpan {
      const caller = propagation.extract(ROOT_CONTEXT, toCarrier(request));
      const span = tracer.startSpan(toSpanName(request.method), {
        kind: SpanKind.SERVER,
        attributes: toAttributes(request),
      }, caller);
      const own = toSpanContext(span, caller);
      const outgoing = exposesUrls
        ? withTraceState(trace.setSpan(caller, span), own)
        : withoutFetchSpan(own);
      return {
        traceId: own.traceId,
        spanId: own.spanId,
        run: (body) => {
          const parent = trace.setSpan(caller, span);
          const running = { parent, traceState: own.traceState, requests: 0 };
          return context.with(withExchange(outgoing, running), body);
        },
        end: (event) => end(span, event),
      };
    },
    startHop: (request) => startHop(tracer, request),
  };
}

function toCarrier({ traceparent, tracestate }: TracedRequest): Record<string, string> {
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

/**
 * Returns the context of a span with the client's trace state, which must be forwarded (W3C Trace Context §3.5) and
 * which Deno's spans lack.
 */
function toSpanContext(span: Span, caller: Context): SpanContext {
  const traceState = trace.getSpanContext(caller)?.traceState;
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceId, spanId, traceFlags, ...(traceState !== undefined && { traceState }) };
}

/** Returns a context in which `fetch` sends the client's trace state along with the span that it starts. */
function withTraceState(outgoing: Context, { traceState }: SpanContext): Context {
  if (traceState === undefined) return outgoing;
  return {
    getValue: (key) => outgoing.getValue(key),
    setValue(key, value): Context {
      const inner = outgoing.setValue(key, value);
      const started = key === SPAN_KEY ? trace.getSpanContext(inner) : undefined;
      return started === undefined
        ? inner
        : trace.setSpanContext(inner, { ...started, traceState });
    },
    deleteValue: (key) => outgoing.deleteValue(key),
  };
}

/**
 * Returns a context in which the span that `fetch` starts is not sampled, so that its URL is not exported, and in
 * which `fetch` sends the destination the span of the exchange instead.
 */
function withoutFetchSpan(own: SpanContext): Context {
  const outgoing = trace.setSpanContext(ROOT_CONTEXT, own);
  const parent = trace.wrapSpanContext({ ...own, traceFlags: TraceFlags.NONE });
  return {
    getValue: (key) => key === SPAN_KEY ? parent : outgoing.getValue(key),
    setValue: (key, value) => key === SPAN_KEY ? outgoing : outgoing.setValue(key, value),
    deleteValue: (key) => outgoing.deleteValue(key),
  };
}

function toAttributes(
  { method, upstream, identity, connection, exchange }: TracedRequest,
): Attributes {
  return {
    ...toMethodAttributes(method),
    ...(identity !== undefined && { "enduser.id": identity }),
    ...(upstream !== undefined && { "wsfetch.upstream": upstream }),
    "wsfetch.connection": connection,
    "wsfetch.exchange": toInteger(exchange),
  };
}

/** Sets every attribute once: Deno exports both values of an attribute that is set twice. */
function end(span: Span, event: ExchangedEvent): void {
  const { host, outcome, status, requestBytes, responseBytes } = event;
  const errorType = findErrorType(event);
  span.setAttributes({
    ...toServer(host),
    ...(status !== undefined && { "http.response.status_code": toInteger(status) }),
    ...(errorType !== undefined && { "error.type": errorType }),
    "http.request.body.size": toInteger(requestBytes),
    "http.response.body.size": toInteger(responseBytes),
    "wsfetch.outcome": outcome,
  });
  if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function findErrorType({ outcome, status, code }: ExchangedEvent): string | undefined {
  if (outcome === "error") return code ?? "_OTHER";
  return status !== undefined && status >= FIRST_ERROR_STATUS ? String(status) : undefined;
}

/** Splits the host of a URL, which has no port if that is the default port. */
function toServer(host: string): Attributes {
  const [, address, port] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(host) ?? [];
  return {
    ...(address !== undefined && { "server.address": address }),
    ...(port !== undefined && { "server.port": toInteger(Number(port)) }),
  };
}
