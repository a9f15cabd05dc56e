/**
 * Takes the memory that an exchange needs before its request is made.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { MemoryHold } from "../limits/memory_account.ts";
import { ProxyError, type ProxyRequest } from "../protocol/mod.ts";
import type { Exchange } from "./exchange.ts";

/** Limits of what an exchange keeps. */
export interface MemoryLimits {
  /** Payload bytes of an upload that may wait for the destination. */
  readonly windowBytes: number;
}

// The buffers of a connection to a destination, and the exchange itself.
const EXCHANGE_BYTES = 24_576;
// What a streamed body is read through in addition.
const STREAM_BYTES = 65_536;
// How long an exchange waits for memory, and when the client may try again.
const MAX_WAIT_MS = 5000;
const RETRY_AFTER_MS = 1000;

/**
 * Takes the memory of an exchange, which keeps it until {@linkcode Exchange.memory} is released. Returns nothing when
 * there is enough of it, else a promise that fulfils when there is.
 *
 * @throws {ProxyError} `proxy_overloaded`, as a rejection, when there is too little for five seconds; or the reason of
 * the exchange's signal.
 */
export function admit(
  exchange: Exchange,
  limits: MemoryLimits,
  clock: Clock,
): void | Promise<void> {
  const { memory, request, signal } = exchange;
  if (memory === undefined) return;
  const bytes = toNeededBytes(request, limits);
  if (memory.tryTake(bytes)) return;
  return waitForMemory(memory, bytes, { signal, clock });
}

/** Returns the error of an exchange for which there is too little memory. */
export function overloaded(): ProxyError {
  const message = "The service is short of memory; try again later";
  return new ProxyError("proxy_overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
}

async function waitForMemory(
  memory: MemoryHold,
  bytes: number,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<void> {
  const cancel = clock.after(MAX_WAIT_MS, () => memory.abort(overloaded()));
  try {
    await memory.take(bytes);
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  } finally {
    cancel();
  }
}

function toNeededBytes(
  { stream, bodyFollows }: ProxyRequest,
  { windowBytes }: MemoryLimits,
): number {
  return EXCHANGE_BYTES + (stream === false ? 0 : STREAM_BYTES) +
    (bodyFollows ? windowBytes : 0);
}
