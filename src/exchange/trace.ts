/**
 * The trace that an exchange belongs to: its span, and the header fields by which the client names its own trace (W3C
 * Trace Context).
 *
 * @module
 */
import type { ProxyRequest } from "../protocol/mod.ts";
import type { ExchangeSpan, Tracing } from "../telemetry/tracing.ts";
import type { ExchangeRecord } from "./record.ts";

const TRACE_FIELDS: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/** Starts the span of an exchange and records its trace; returns `undefined` when nothing is traced. */
export function startSpan(
  record: ExchangeRecord,
  request: ProxyRequest | undefined,
  tracing: Tracing | undefined,
): ExchangeSpan | undefined {
  if (tracing === undefined) return undefined;
  const span = tracing.start({ ...record, ...(request !== undefined && traceOf(request)) });
  record.traceId = span.traceId;
  return span;
}

/** Returns the request without the client's trace fields: `fetch` adds those of the active span, and replaces none. */
export function withoutTrace(request: ProxyRequest): ProxyRequest {
  const headers = request.headers.filter(([name]) => !TRACE_FIELDS.has(name.toLowerCase()));
  return { ...request, headers };
}

/** Returns the trace fields of a request; fields of the same name are joined by commas (RFC 9110 §5.3). */
function traceOf({ headers }: ProxyRequest): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (!TRACE_FIELDS.has(key)) continue;
    const before = fields[key];
    fields[key] = before === undefined ? value : `${before},${value}`;
  }
  return fields;
}
