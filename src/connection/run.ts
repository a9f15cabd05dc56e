/**
 * Runs an exchange of a connection: its response into frames, its failure into an error frame, its end into
 * the log.
 *
 * @module
 */
import type { Dialect } from "../dialect/dialect.ts";
import type { Limiter } from "../limits/limiter.ts";
import { ProxyError, type ProxyRequest } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { ExchangeSpan, Tracing } from "../telemetry/tracing.ts";
import type { Decided } from "./check.ts";
import { type Caller, elapsed, type ExchangeContext, type RunExchange } from "./exchange.ts";
import { type Exchange, type ExchangeRecord, failExchange, recordDecision } from "./in_flight.ts";
import { createOutlet } from "./outlet.ts";
import type { FrameSocket } from "./socket.ts";

/** What a run works with. */
export interface RunDeps {
  /** How long a client may give no credit, in milliseconds. */
  readonly creditIdleMs: number;
  readonly caller: Caller;
  readonly limiter: Limiter;
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
  readonly runExchange: RunExchange;
  readonly telemetry: Telemetry;
  readonly tracing?: Tracing | undefined;
  /** Called when the exchange has ended, before it is logged. */
  readonly ended: (exchange: Exchange) => void;
}

const TRACE_FIELDS: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/** Runs an exchange to its end, which is when its last frame was handed over. */
export async function run(
  exchange: Exchange,
  { creditIdleMs, caller, limiter, dialect, socket, runExchange, telemetry, tracing, ended }:
    RunDeps,
): Promise<void> {
  const { id, request, controller, credit, record, upload } = exchange;
  const isWanted = (): boolean => !exchange.cancelled;
  const startedAt = performance.now();
  const failed = (error: unknown): void =>
    telemetry.failed({ connection: record.connection, error });
  const context: ExchangeContext = {
    startedAt,
    caller,
    controller,
    ...(upload !== undefined && { upload: upload.body }),
    outlet: createOutlet(id, {
      requestId: record.requestId,
      dialect,
      socket,
      credit,
      creditIdleMs,
      fail: (error) => failExchange(exchange, error),
      isWanted,
      count(bytes): void {
        record.responseBytes += bytes;
        const counting = limiter.count(caller.key, bytes);
        if (counting !== undefined) counting.catch(failed);
      },
      spend(bytes): void | Promise<void> {
        const spending = limiter.spend(caller.key, bytes, controller.signal);
        const spent = (): void => void (record.responseBytes += bytes);
        return spending === undefined ? spent() : spending.then(spent);
      },
    }),
    decided: noteDecisions(record, telemetry),
    answered: (waitMs, status) => Object.assign(record, { waitMs, status }),
  };
  exchange.uploaded = () => context.onUploaded?.();
  const span = startSpan(exchange, tracing);
  try {
    if (span === undefined) await runExchange(request, context);
    else await span.run(() => runExchange(withoutTrace(request), context));
    record.outcome = "response";
  } catch (thrown) {
    if (isWanted()) {
      const error = toProxyError(thrown, telemetry, record.connection);
      record.outcome = "error";
      record.code = error.code;
      const waiting = socket.send(() =>
        isWanted() ? dialect.encodeError(id, error, record.requestId) : undefined
      );
      if (waiting !== undefined) await waiting;
    }
  }
  ended(exchange);
  record.totalMs = elapsed(startedAt);
  if (!isWanted()) record.outcome = "cancelled";
  span?.end(record);
  telemetry.exchanged(record);
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
  telemetry.failed({ connection, error: thrown });
  return new ProxyError("proxy_internal_error", "The proxy failed; its log says why");
}

function noteDecisions(record: ExchangeRecord, telemetry: Telemetry): Decided {
  return (url, { allow, reason }) => {
    recordDecision(record, url, { allow, reason });
    if (allow && !telemetry.hearsAllowed) return;
    const { connection, exchange, host } = record;
    telemetry.decided({ connection, exchange, host, allow, reason });
  };
}
