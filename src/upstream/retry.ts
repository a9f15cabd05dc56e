/**
 * Sends an idempotent request again if its failure may be temporary, after a random wait that is at least as
 * long as the upstream asks for.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { ExponentialBackoff, fullJitterGenerator, isBrokenCircuitError } from "cockatiel";
import { type Clock, wait } from "../clock.ts";
import { moreSent, withSentOf } from "../http/sent.ts";
import { isIdempotent, ProxyError, type Sent } from "../protocol/mod.ts";
import type { AttemptResponse, RequestTraits } from "./attempt.ts";

/** How often a request is sent again, and after how long. */
export interface RetryOptions {
  /** How many attempts are made in all, the first included. */
  readonly attempts: number;
  /** The longest first wait, in milliseconds. It doubles with every attempt. */
  readonly backoffMs: number;
  /** The longest wait of all, in milliseconds. If the upstream asks for more, there is no further attempt. */
  readonly maxBackoffMs: number;
}

/**
 * Makes attempts until one succeeds, fails for good, or is the last one. Returns the response of the last
 * attempt, or throws its error, whose `sent` covers all attempts. What an attempt sends once more itself is counted:
 * it asks `mayRepeat` before.
 */
export type Retry = <Given extends AttemptResponse>(
  attempt: (mayRepeat?: () => boolean) => Promise<Given>,
  traits: RequestTraits,
) => Promise<Given>;

type Outcome<Given extends AttemptResponse = AttemptResponse> = PromiseSettledResult<Given>;

const TEMPORARY_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.TooManyRequests,
  STATUS_CODE.BadGateway,
  STATUS_CODE.ServiceUnavailable,
  STATUS_CODE.GatewayTimeout,
]);

// RFC 9110 §5.6.7. Date.parse alone reads "1.5" as a date.
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} [\d:]{8} GMT$/, // obsolete
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/, // obsolete; GMT is implied
];

/**
 * Creates a {@linkcode Retry}.
 *
 * @param deps `isRefusing` returns whether another attempt would be refused: then the failure of the last one
 * tells the client more.
 */
export function createRetry(
  { attempts, backoffMs, maxBackoffMs }: RetryOptions,
  { isRefusing, clock }: { readonly isRefusing: () => boolean; readonly clock: Clock },
): Retry {
  const backoffs = new ExponentialBackoff({
    generator: fullJitterGenerator,
    initialDelay: backoffMs,
    maxDelay: maxBackoffMs,
  });

  return async function send<Given extends AttemptResponse>(
    attempt: (mayRepeat?: () => boolean) => Promise<Given>,
    { method, replayable, signal }: RequestTraits,
  ): Promise<Given> {
    if (!replayable || !isIdempotent(method)) return await attempt();
    let backoff = backoffs.next();
    let sent: Sent = "no";
    let left = attempts;
    const mayRepeat = (): boolean => left > 0 && left-- > 0;
    for (;;) {
      left--;
      const [outcome] = await Promise.allSettled([attempt(mayRepeat)]);
      const minWaitMs = readWaitMs(outcome, clock.epochMs());
      const isLast = signal.aborted || left <= 0 || !isTemporary(outcome) || isRefusing() ||
        minWaitMs > maxBackoffMs;
      if (isLast) {
        if (outcome.status === "fulfilled") return outcome.value;
        throw withEarlier(outcome.reason, sent, method);
      }
      sent = moreSent(sent, sentOf(outcome));
      if (outcome.status === "fulfilled") outcome.value.body.discard(); // its connection is not kept meanwhile
      try {
        await wait(Math.max(backoff.duration, minWaitMs), signal, clock);
        signal.throwIfAborted();
      } catch (reason) {
        throw withEarlier(reason, sent, method);
      }
      backoff = backoff.next(undefined);
    }
  };
}

/**
 * Parses the value of `Retry-After` (RFC 9110 §10.2.3).
 *
 * @param epochMs The current time, in milliseconds since the epoch.
 * @returns How long to wait, in milliseconds, or `undefined` if the value is neither seconds nor a date.
 */
export function parseRetryAfter(value: string, epochMs: number): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  if (!HTTP_DATES.some((form) => form.test(value))) return undefined;
  const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - epochMs);
}

function isTemporary(outcome: Outcome): boolean {
  if (outcome.status === "fulfilled") return TEMPORARY_STATUS.has(outcome.value.status);
  const error: unknown = outcome.reason;
  return error instanceof ProxyError && error.retryable && !isBrokenCircuitError(error.cause);
}

/** Returns how long the upstream asks to wait, in milliseconds; 0 if it does not ask. */
function readWaitMs(outcome: Outcome, epochMs: number): number {
  if (outcome.status === "rejected") {
    return outcome.reason instanceof ProxyError ? outcome.reason.retryAfterMs ?? 0 : 0;
  }
  const field = outcome.value.headers.find(([name]) => name === "retry-after");
  return field === undefined ? 0 : parseRetryAfter(field[1], epochMs) ?? 0;
}

function sentOf(outcome: Outcome): Sent {
  if (outcome.status === "fulfilled") return "yes";
  return outcome.reason instanceof ProxyError ? outcome.reason.sent : "maybe";
}

/** Returns the error with the `sent` of earlier attempts if that is more. */
function withEarlier(error: unknown, sent: Sent, method: string): unknown {
  return error instanceof ProxyError ? withSentOf(sent, error, method) : error;
}
