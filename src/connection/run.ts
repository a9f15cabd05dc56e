/**
 * Runs an exchange of a connection: its response into frames, its failure into an error frame, its end into
 * the log.
 *
 * @module
 */
import { ProxyError, type ProxyRequest } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { ExchangeSpan, Tracing } from "../telemetry/tracing.ts";
import type { ExchangeContext, RunExchange } from "./exchange.ts";
import type { Exchange } from "./in_flight.ts";
import { elapsed } from "./times.ts";

/** What the runs of one connection work with. */
export interface RunDeps extends ExchangeContext {
  readonly runExchange: RunExchange;
  readonly telemetry: Telemetry;
  readonly tracing: Tracing | undefined;
  /** Called when an exchange has ended, before it is logged. */
  ended(exchange: Exchange): void;
}

const TRACE_FIELDS: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/** Runs an exchange to its end, which is when its last frame was handed over. */
export async function run(exchange: Exchange, deps: RunDeps): Promise<void> {
  const { record, times } = exchange;
  const { runExchange, pace, telemetry, tracing } = deps;
  const span = startSpan(exchange, tracing);
  try {
    if (span === undefined) {
      await runExchange(exchange, deps);
    } else {
      exchange.request = withoutTrace(exchange.request);
      await span.run(() => runExchange(exchange, deps));
    }
    record.outcome = "response";
  } catch (thrown) {
    const sending = sendError(thrown, exchange, deps);
    if (sending !== undefined) await sending;
  } finally {
    pace.leave(exchange);
    deps.ended(exchange);
  }
  record.totalMs = elapsed(times.startedAt);
  if (exchange.cancelled) record.outcome = "cancelled";
  span?.end(record);
  telemetry.emit(record);
}

function sendError(
  thrown: unknown,
  exchange: Exchange,
  { socket, dialect, telemetry }: RunDeps,
): void | Promise<void> {
  if (exchange.cancelled) return;
  const { id, record } = exchange;
  const error = toProxyError(thrown, telemetry, record.connection);
  record.outcome = "error";
  record.code = error.code;
  return socket.send(() =>
    exchange.cancelled ? undefined : dialect.encodeError(id, error, record.requestId)
  );
}

/** Starts the span of an exchange and notes its trace; `undefined`: nothing is traced. */
export function startSpan(
  { record, request }: Pick<Exchange, "record"> & { readonly request?: ProxyRequest },
  tracing: Tracing | undefined,
): ExchangeSpan | undefined {
  if (tracing === undefined) return undefined;
  const span = tracing.start({ ...record, ...(request !== undefined && traceOf(request)) });
  record.traceId = span.traceId;
  return span;
}

/** What the client said of the trace that its request belongs to; fields of one name are one (RFC 9110 §5.3). */
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

/** fetch tells the destination of the span that is active, and would only add to what is there. */
function withoutTrace(request: ProxyRequest): ProxyRequest {
  const headers = request.headers.filter(([name]) => !TRACE_FIELDS.has(name.toLowerCase()));
  return { ...request, headers };
}

/** Gives what a client may see of something thrown; what it may not see is reported. */
export function toProxyError(
  thrown: unknown,
  telemetry: Telemetry,
  connection: string,
): ProxyError {
  if (thrown instanceof ProxyError && thrown.code !== "proxy_internal_error") return thrown;
  telemetry.emit({ type: "failed", connection, error: thrown });
  return new ProxyError("proxy_internal_error", "The proxy failed; its log says why");
}
