/**
 * A span for each exchange, through the OpenTelemetry that Deno has built in. Never a path, a query, a
 * header or a body.
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
import type { ExchangedEvent } from "./telemetry.ts";

/** Starts spans. */
export interface Tracing {
  /**
   * Whether Deno exports a span of its own for every `fetch`, with the whole URL in it. It does unless
   * `OTEL_TRACES_SAMPLER` is one of the `parentbased_…`: then its spans are kept back.
   */
  readonly exposesUrls: boolean;
  /** Starts the span of an exchange: a child of the caller's, where it names one that is valid. */
  start(request: TracedRequest): ExchangeSpan;
}

/** What is known of an exchange when it begins. */
export interface TracedRequest {
  /** Empty: it could not be read. */
  readonly method: string;
  /** The caller's span, as a W3C `traceparent`. */
  readonly traceparent?: string;
  /** What belongs to it, as a W3C `tracestate`. */
  readonly tracestate?: string;
  readonly upstream?: string | undefined;
  readonly identity?: string | undefined;
  readonly connection: string;
  readonly exchange: number;
}

/** The span of one exchange. */
export interface ExchangeSpan {
  /** In hexadecimal. */
  readonly traceId: string;
  /** In hexadecimal. */
  readonly spanId: string;
  /** Runs something with the span as the active one: what it fetches tells its destination of the span. */
  run<T>(body: () => T): T;
  /** Ends the span; to be called once. */
  end(record: TracedEnd): void;
}

/** What is known of an exchange when it has ended. */
export type TracedEnd = Pick<
  ExchangedEvent,
  "host" | "outcome" | "status" | "code" | "requestBytes" | "responseBytes"
>;

// OpenTelemetry semantic conventions, "http.request.method".
const METHODS: ReadonlySet<string> = new Set([
  ..."CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" "),
]);
const FIRST_ERROR_STATUS = 500; // below it is the client's doing, for a span of a server

// The API has functions for this key, and no name.
const SPAN_KEY = createContextKey("OpenTelemetry Context Key SPAN");

// Smaller than any share of traces that is sampled, so that only its flags can keep it from being sampled.
const UNSAMPLED: SpanContext = {
  traceId: "1".padStart(32, "0"),
  spanId: "1".padStart(16, "0"),
  traceFlags: TraceFlags.NONE,
  isRemote: true,
};

/** Creates a {@linkcode Tracing}; `undefined` when Deno's OpenTelemetry is off (`OTEL_DENO=true` turns it on). */
export function createTracing(version?: string): Tracing | undefined {
  const tracer = trace.getTracer("wsfetch", version);
  // Never ended, so that it is not exported. Without a tracer behind the API it is its parent over again.
  const probe = tracer.startSpan("probe", {}, trace.setSpanContext(ROOT_CONTEXT, UNSAMPLED))
    .spanContext();
  if (probe.spanId === UNSAMPLED.spanId) return undefined;
  const exposesUrls = probe.traceFlags !== TraceFlags.NONE;

  return {
    exposesUrls,
    start(request): ExchangeSpan {
      const caller = propagation.extract(ROOT_CONTEXT, toCarrier(request));
      const span = tracer.startSpan(METHODS.has(request.method) ? request.method : "HTTP", {
        kind: SpanKind.SERVER,
        attributes: toAttributes(request),
      }, caller);
      const own = toSpanContext(span, caller);
      const outgoing = exposesUrls ? handOn(trace.setSpan(caller, span), own) : conceal(own);
      return {
        traceId: own.traceId,
        spanId: own.spanId,
        run: (body) => context.with(outgoing, body),
        end: (record) => end(span, record),
      };
    },
  };
}

function toCarrier({ traceparent, tracestate }: TracedRequest): Record<string, string> {
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

/** Deno's spans forget their caller's state, which has to be handed on (W3C Trace Context §3.5). */
function toSpanContext(span: Span, caller: Context): SpanContext {
  const traceState = trace.getSpanContext(caller)?.traceState;
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceId, spanId, traceFlags, ...(traceState !== undefined && { traceState }) };
}

/** Gives a context in which fetch tells its destination of the caller's state, beside the span that it starts. */
function handOn(outgoing: Context, { traceState }: SpanContext): Context {
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
 * Gives a context in which the span that fetch starts is not sampled, so that the URL in it is not exported,
 * and in which fetch tells its destination of the exchange's span instead of its own.
 */
function conceal(own: SpanContext): Context {
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
  const isKnown = METHODS.has(method);
  return {
    "http.request.method": isKnown ? method : "_OTHER",
    ...(!isKnown && method !== "" && { "http.request.method_original": method }),
    ...(identity !== undefined && { "enduser.id": identity }),
    ...(upstream !== undefined && { "wsfetch.upstream": upstream }),
    "wsfetch.connection": connection,
    "wsfetch.exchange": toInteger(exchange),
  };
}

/** Every attribute is set once: Deno keeps the first of two as well as the second. */
function end(span: Span, { host, outcome, status, code, ...bytes }: TracedEnd): void {
  const errorType = findErrorType({ outcome, status, code });
  span.setAttributes({
    ...toServer(host),
    ...(status !== undefined && { "http.response.status_code": toInteger(status) }),
    ...(errorType !== undefined && { "error.type": errorType }),
    "http.request.body.size": toInteger(bytes.requestBytes),
    "http.response.body.size": toInteger(bytes.responseBytes),
    "wsfetch.outcome": outcome,
  });
  if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function findErrorType(
  { outcome, status, code }: {
    readonly outcome: TracedEnd["outcome"];
    readonly status: number | undefined;
    readonly code: string | undefined;
  },
): string | undefined {
  if (outcome === "error") return code ?? "_OTHER";
  return status !== undefined && status >= FIRST_ERROR_STATUS ? String(status) : undefined;
}

/** The host as a URL has it, without a default port. */
function toServer(host: string): Attributes {
  const [, address, port] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(host) ?? [];
  return {
    ...(address !== undefined && { "server.address": address }),
    ...(port !== undefined && { "server.port": toInteger(Number(port)) }),
  };
}

/** The API's types know no bigint, but Deno exports an integer for it and a double for every number. */
function toInteger(value: number): number {
  return (Number.isSafeInteger(value) ? BigInt(value) : value) as number;
}
