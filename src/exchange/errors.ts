/**
 * The errors of exchanges: what they say of the request, and what of a failure a client may see.
 *
 * @module
 */
import { isIdempotent, ProxyError, type Sent } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type Stage, STAGES } from "./stage.ts";

// From the least to the most.
const SENT: readonly Sent[] = ["no", "maybe", "yes"];

/** Returns the error of an exchange whose time ran out in a stage. */
export function timedOut(stage: Stage, timeoutMs: number, method: string): ProxyError {
  const { code, late, sent } = STAGES[stage];
  return new ProxyError(code, `${late} within ${timeoutMs} ms`, { sent, method });
}

/** Returns the error with `sent` at least as given. If that raises it, only idempotent methods stay retryable. */
export function withSentOf(sent: Sent, error: ProxyError, method: string): ProxyError {
  if (SENT.indexOf(error.sent) >= SENT.indexOf(sent)) return error;
  const { code, message, retryAfterMs } = error;
  return new ProxyError(code, message, {
    cause: error,
    sent,
    retryable: error.retryable && isIdempotent(method),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** Returns a {@linkcode ProxyError} as it is. Anything else is logged, and a general error returned in its place. */
export function toProxyError(
  thrown: unknown,
  telemetry: Telemetry,
  connection: string,
): ProxyError {
  if (thrown instanceof ProxyError && thrown.code !== "proxy_internal_error") return thrown;
  telemetry.emit({ type: "failed", connection, error: thrown });
  return new ProxyError("proxy_internal_error", "The proxy failed; its log says why");
}
