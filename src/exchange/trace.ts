/**
 * The trace that an exchange belongs to: its span, and the header fields that name its caller's (W3C Trace Context).
 *
 * @module
 */
import type { ProxyRequest } from "../protocol/mod.ts";
import type { ExchangeSpan, Tracing } from "../telemetry/tracing.ts";
import type { ExchangeRecord } from "./record.ts";

const TRACE_FIELDS: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/** Starts the span of an exchange and notes its trace in the record; `undefined` when nothing is traced. */
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

/** Leaves the trace's fields out: `fetch` writes those of the active span, and would only add to them. */
export function withoutTrace(request: ProxyRequest): ProxyRequest {
  const headers = request.headers.filter(([name]) => !TRACE_FIELDS.has(name.toLowerCase()));
  return { ...request, headers };
}

/** Returns what the client said of its trace; fields of one name are one, joined by commas (RFC 9110 §5.3). */
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
