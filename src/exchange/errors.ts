/**
 * The errors of exchanges: a time that ran out, and what a client may see of a failure.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type Stage, STAGES } from "./stage.ts";

/** Returns the error of an exchange whose time ran out in a stage. */
export function timedOut(stage: Stage, timeoutMs: number, method: string): ProxyError {
  const { code, late, sent } = STAGES[stage];
  return new ProxyError(code, `${late} within ${timeoutMs} ms`, { sent, method });
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
