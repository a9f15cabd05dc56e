/**
 * An OpenTelemetry collector that accepts spans as JSON (OTLP over HTTP).
 *
 * @module
 */

/** A value in OTLP: `{ stringValue: "GET" }`, `{ intValue: "200" }`. */
export type OtlpValue = Readonly<Record<string, unknown>>;

/** A span that was exported. */
export interface CollectedSpan {
  /** The name of the tracer. */
  readonly scope: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  /** 0 unset, 2 error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, OtlpValue>>;
}

/** A running collector. */
export interface Collector extends AsyncDisposable {
  /** The value for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  /** The spans received so far. */
  readonly spans: readonly CollectedSpan[];
  /** The environment variables that make Deno export only its spans, to this collector. */
  readonly env: Readonly<Record<string, string>>;
}

interface OtlpSpan extends Omit<CollectedSpan, "scope" | "status" | "attributes"> {
  readonly status: { readonly code: number };
  readonly attributes: readonly { readonly key: string; readonly value: OtlpValue }[];
}

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly OtlpSpan[];
    }[];
  }[];
}

/** Starts a collector on a free port of the loopback interface. */
export function startCollector(): Collector {
  const spans: CollectedSpan[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (req) => {
    if (new URL(req.url).pathname === "/v1/traces") spans.push(...toSpans(await req.json()));
    else await req.body?.cancel();
    return Response.json({});
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    spans,
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_DENO_METRICS: "false",
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function toSpans({ resourceSpans }: OtlpTraces): CollectedSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map(({ name, kind, traceId, spanId, parentSpanId, status, attributes }) => ({
        scope: scope.name,
        name,
        kind,
        traceId,
        spanId,
        parentSpanId,
        status: status.code,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])),
      }))
    )
  );
}
