/**
 * Sends an idempotent request again when its failure may pass, after a wait with jitter that is at
 * least what the upstream asks for.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { ExponentialBackoff, fullJitterGenerator, isBrokenCircuitError } from "cockatiel";
import { type HeaderPairs, isIdempotent, ProxyError, type Sent } from "../protocol/mod.ts";

/** How often and how patiently a request is sent again. */
export interface RetryOptions {
  /** How many requests in all, the first included. */
  readonly attempts: number;
  /** The longest first wait, in milliseconds; it doubles with every further one. */
  readonly backoffMs: number;
  /** The longest wait of all, in milliseconds; an upstream that asks for more is not asked again. */
  readonly maxBackoffMs: number;
}

/** What a retry goes by. */
export interface RetryDeps {
  /** Fulfils after so many milliseconds, or rejects with the signal's reason as soon as it is aborted. */
  readonly delay: (delayMs: number, signal: AbortSignal) => Promise<void>;
  /** Whether a further request would be refused unsent; then the failure at hand says more. */
  readonly isRefusing: () => boolean;
  /** Milliseconds since the epoch, which a `Retry-After` may name. */
  readonly now: () => number;
}

/** A request that may be sent again. */
export interface RetryHop {
  /** In upper case. */
  readonly method: string;
  /** The body can be sent again. */
  readonly replayable: boolean;
  /** Ends a wait, and there is no further attempt. */
  readonly signal: AbortSignal;
}

/** What is looked at in a response; a `Response` of Fetch is one. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: { discard(): void };
}

/**
 * Makes attempts until one does not fail in passing or they are used up, and gives the last one's
 * response or throws its error. An error whose `sent` is less than an earlier attempt's comes with
 * that one's.
 */
export type Retry = <Given extends Answer>(
  attempt: () => Promise<Given>,
  hop: RetryHop,
) => Promise<Given>;

type Outcome<Given extends Answer = Answer> = PromiseSettledResult<Given>;

const PASSING_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.TooManyRequests,
  STATUS_CODE.BadGateway,
  STATUS_CODE.ServiceUnavailable,
  STATUS_CODE.GatewayTimeout,
]);

// From the least to the most.
const SENT: readonly Sent[] = ["no", "maybe", "yes"];

// RFC 9110 §5.6.7. Date.parse alone takes "1.5" for a date.
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} [\d:]{8} GMT$/, // obsolete
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/, // obsolete; in GMT without saying so
];

/** Creates a {@linkcode Retry}. */
export function createRetry(
  { attempts, backoffMs, maxBackoffMs }: RetryOptions,
  { delay, isRefusing, now }: RetryDeps,
): Retry {
  const backoffs = new ExponentialBackoff({
    generator: fullJitterGenerator,
    initialDelay: backoffMs,
    maxDelay: maxBackoffMs,
  });

  return async function send<Given extends Answer>(
    attempt: () => Promise<Given>,
    { method, replayable, signal }: RetryHop,
  ): Promise<Given> {
    if (!replayable || !isIdempotent(method)) return await attempt();
    let backoff = backoffs.next();
    let sent: Sent = "no";
    for (let left = attempts - 1;; left--) {
      const [outcome] = await Promise.allSettled([attempt()]);
      if (signal.aborted) return settle(outcome);
      if (left <= 0 || !isPassing(outcome) || isRefusing()) return settle(outcome, sent);
      const atLeastMs = askedWaitMs(outcome, now());
      if (atLeastMs > maxBackoffMs) return settle(outcome, sent);
      sent = moreSent(sent, sentOf(outcome));
      await discard(outcome);
      await delay(Math.max(backoff.duration, atLeastMs), signal);
      signal.throwIfAborted();
      backoff = backoff.next(undefined);
    }
  };
}

/**
 * Reads a `Retry-After` (RFC 9110 §10.2.3).
 *
 * @param now Milliseconds since the epoch.
 * @returns Milliseconds from now, or `undefined` when it is neither seconds nor a date.
 */
export function parseRetryAfter(value: string, now: number): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  if (!HTTP_DATES.some((form) => form.test(value))) return undefined;
  const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now);
}

function isPassing(outcome: Outcome): boolean {
  if (outcome.status === "fulfilled") return PASSING_STATUS.has(outcome.value.status);
  const error: unknown = outcome.reason;
  return error instanceof ProxyError && error.retryable && !isBrokenCircuitError(error.cause);
}

/** How long the upstream asks to wait, in milliseconds; 0 when it does not. */
function askedWaitMs(outcome: Outcome, now: number): number {
  if (outcome.status === "rejected") {
    return outcome.reason instanceof ProxyError ? outcome.reason.retryAfterMs ?? 0 : 0;
  }
  return parseRetryAfter(
    outcome.value.headers.find(([name]) => name === "retry-after")?.[1] ?? "",
    now,
  ) ?? 0;
}

function sentOf(outcome: Outcome): Sent {
  if (outcome.status === "fulfilled") return "yes";
  return outcome.reason instanceof ProxyError ? outcome.reason.sent : "maybe";
}

function moreSent(one: Sent, other: Sent): Sent {
  return SENT.indexOf(one) > SENT.indexOf(other) ? one : other;
}

/** Lets go of the connection, so that it is not held during the wait. */
async function discard(outcome: Outcome): Promise<void> {
  try {
    if (outcome.status === "fulfilled") outcome.value.body.discard();
  } catch {
    // the body broke off, and nobody wanted it
  }
}

/** Hands an outcome on; an error that says less than what earlier attempts have sent says that too. */
function settle<Given extends Answer>(outcome: Outcome<Given>, sent: Sent = "no"): Given {
  if (outcome.status === "fulfilled") return outcome.value;
  const error: unknown = outcome.reason;
  if (!(error instanceof ProxyError) || moreSent(error.sent, sent) === error.sent) throw error;
  throw new ProxyError(error.code, error.message, {
    cause: error,
    sent,
    retryable: error.retryable,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  });
}
