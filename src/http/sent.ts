/**
 * What an error says about the request that failed: whether the destination may have acted on it.
 *
 * @module
 */
import { isIdempotent, ProxyError, type Sent } from "../protocol/mod.ts";

// From the least to the most.
const SENT: readonly Sent[] = ["no", "maybe", "yes"];

/** Returns the one of two values that says more. */
export function moreSent(one: Sent, other: Sent): Sent {
  return SENT.indexOf(one) > SENT.indexOf(other) ? one : other;
}

/** Returns the error with `sent` at least as given. If that raises it, only idempotent methods stay retryable. */
export function withSentOf(sent: Sent, error: ProxyError, method: string): ProxyError {
  if (moreSent(error.sent, sent) === error.sent) return error;
  const { code, message, retryAfterMs } = error;
  return new ProxyError(code, message, {
    cause: error,
    sent,
    retryable: error.retryable && isIdempotent(method),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
