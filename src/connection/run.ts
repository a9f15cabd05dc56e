/**
 * Runs an exchange of a connection: its response into frames, its failure into an error frame, its end into
 * the log.
 *
 * @module
 */
import type { Dialect } from "../dialect/dialect.ts";
import type { Decision } from "../policy/policy.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { elapsed, type ExchangeContext, type RunExchange } from "./exchange.ts";
import { type Exchange, type ExchangeRecord, recordDecision } from "./in_flight.ts";
import { createOutlet } from "./outlet.ts";
import type { FrameSocket } from "./socket.ts";

/** What a run works with. */
export interface RunDeps {
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
  readonly runExchange: RunExchange;
  readonly telemetry: Telemetry;
  /** Called when the exchange has ended, before it is logged. */
  readonly ended: (exchange: Exchange) => void;
}

/** Runs an exchange to its end, which is when its last frame was handed over. */
export async function run(
  exchange: Exchange,
  { dialect, socket, runExchange, telemetry, ended }: RunDeps,
): Promise<void> {
  const { id, request, controller, credit, record, upload } = exchange;
  const isWanted = (): boolean => !exchange.cancelled;
  const startedAt = performance.now();
  const context: ExchangeContext = {
    controller,
    ...(upload !== undefined && { upload: upload.body }),
    outlet: createOutlet(id, {
      dialect,
      socket,
      credit,
      isWanted,
      sent: (bytes) => record.responseBytes += bytes,
    }),
    decided: (url, decision) => noteDecision(record, { url, decision, telemetry }),
    answered: (waitMs, status) => Object.assign(record, { waitMs, status }),
  };
  exchange.uploaded = () => context.onUploaded?.();
  try {
    await runExchange(request, context);
    record.outcome = "response";
  } catch (thrown) {
    if (isWanted()) {
      const error = toProxyError(thrown, telemetry, record.connection);
      record.outcome = "error";
      record.code = error.code;
      const waiting = socket.send(() => isWanted() ? dialect.encodeError(id, error) : undefined);
      if (waiting !== undefined) await waiting;
    }
  }
  ended(exchange);
  record.totalMs = elapsed(startedAt);
  if (!isWanted()) record.outcome = "cancelled";
  telemetry.exchanged(record);
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

function noteDecision(
  record: ExchangeRecord,
  { url, decision, telemetry }: { url: URL; decision: Decision; telemetry: Telemetry },
): void {
  recordDecision(record, url, decision);
  const { connection, exchange, host } = record;
  const { allow, reason } = decision;
  telemetry.decided({ connection, exchange, host, allow, reason });
}
