/**
 * Protects an upstream and its clients from each other: a limit of exchanges at a time, retries and a circuit
 * breaker, each of them only if it is configured.
 *
 * @module
 */
import { bulkhead, isBulkheadRejectedError } from "cockatiel";
import { type Clock, systemClock } from "../clock.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { AttemptResponse, RequestTraits } from "./attempt.ts";
import { type BreakerOptions, createBreaker, type Probe } from "./breaker.ts";
import { createRetry, type RetryOptions } from "./retry.ts";

/** How an upstream is protected. An absent option turns its protection off. */
export interface ResilienceOptions {
  /** How many exchanges may run at a time. */
  readonly maxInFlight?: number;
  readonly retry?: RetryOptions;
  readonly breaker?: BreakerOptions;
}

/** Runs exchanges with a protected upstream, and sends their requests. */
export interface ProtectedSender {
  /**
   * Runs an exchange and counts it as one of those at a time until its promise settles.
   *
   * @throws {ProxyError} `too_many_in_flight`, as a rejection, if as many exchanges as allowed are running.
   */
  within<T>(run: () => Promise<T>): Promise<T>;
  /**
   * Sends a request, again if that is allowed and may help. An attempt returns a response whose body has not
   * been read, or throws a {@linkcode ProxyError} or the signal's reason. Where attempts are counted, it asks `mayRepeat`
   * before it sends the request once more itself.
   *
   * @throws {ProxyError} `destination_unavailable`, as a rejection, if the breaker is open; else the error of
   * the last attempt, or the signal's reason.
   */
  send<Given extends AttemptResponse>(
    attempt: (mayRepeat?: () => boolean) => Promise<Given>,
    traits: RequestTraits,
  ): Promise<Given>;
}

/** The protection of one upstream. Disposing of it ends all its timers except those of running requests. */
export interface Resilience extends ProtectedSender, Disposable {}

type Send = ProtectedSender["send"];

/**
 * Creates the {@linkcode Resilience} of one upstream.
 *
 * @param deps Without `probe`, the first request after `openMs` tests whether an open breaker may close.
 */
export function createResilience(
  { maxInFlight, retry: retryOptions, breaker: breakerOptions }: ResilienceOptions,
  { probe, clock = systemClock }: { readonly probe?: Probe; readonly clock?: Clock } = {},
): Resilience {
  const breaker = breakerOptions && createBreaker(breakerOptions, { clock, probe });
  const sendOnce: Send = breaker === undefined
    ? (attempt) => attempt()
    : (attempt, traits) => breaker.run(attempt, traits);
  const retry = retryOptions && createRetry(retryOptions, {
    isRefusing: () => breaker?.refusal() !== undefined,
    clock,
  });
  return {
    within: maxInFlight === undefined ? (run) => run() : createWithin(maxInFlight),
    send: retry === undefined
      ? sendOnce
      : (attempt, traits) =>
        retry((mayRepeat) => sendOnce(() => attempt(mayRepeat), traits), traits),
    [Symbol.dispose]: () => breaker?.[Symbol.dispose](),
  };
}

function createWithin(maxInFlight: number): ProtectedSender["within"] {
  const policy = bulkhead(maxInFlight, 0);
  return async function within<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await policy.execute(run);
    } catch (cause) {
      if (!isBulkheadRejectedError(cause)) throw cause;
      throw new ProxyError(
        "too_many_in_flight",
        `This upstream takes ${maxInFlight} requests at a time; try again when one has ended`,
        { cause },
      );
    }
  };
}
