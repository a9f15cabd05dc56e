/**
 * What protects an upstream and its clients from each other's bad moments: a bulkhead, retries and a
 * circuit breaker, each only where it is configured.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import { bulkhead, isBulkheadRejectedError } from "cockatiel";
import { ProxyError } from "../protocol/mod.ts";
import {
  type BreakerHop,
  type BreakerOptions,
  createBreaker,
  type Probe,
  type Timers,
} from "./breaker.ts";
import { type Answer, createRetry, type RetryHop, type RetryOptions } from "./retry.ts";

export type { BreakerOptions, Probe, RetryOptions, Timers };

/** What an upstream is protected by; what is absent is off. */
export interface ResilienceOptions {
  /** Exchanges at a time. */
  readonly maxInFlight?: number;
  readonly retry?: RetryOptions;
  readonly breaker?: BreakerOptions;
}

/** What {@linkcode createResilience} works with. */
export interface ResilienceDeps {
  /** Absent: the next request after `openMs` is the breaker's test. */
  readonly probe?: Probe;
  /** Milliseconds since the epoch, for a `Retry-After` that is a date. Default `Date.now`. */
  readonly now?: () => number;
  /** Default: the platform's, which do not keep the process alive. */
  readonly timers?: Timers;
}

/** One HTTP request as fetch makes it. */
export interface Hop extends RetryHop, BreakerHop {}

/** The protection of one upstream. Disposed of, it has no timers but those of hops under way. */
export interface Resilience extends Disposable {
  /**
   * Runs a whole exchange in a place of the bulkhead.
   *
   * @throws {ProxyError} `too_many_in_flight`, as a rejection, when all places are taken.
   */
  within<T>(run: () => Promise<T>): Promise<T>;
  /**
   * Makes a hop with retries, each attempt through the breaker. An attempt gives a response whose body
   * has not been read, or throws a {@linkcode ProxyError} or the signal's reason.
   *
   * @throws {ProxyError} `destination_unavailable`, as a rejection, when the breaker is open; else what
   * the last attempt throws, or the signal's reason.
   */
  send<Given extends Answer>(attempt: () => Promise<Given>, hop: Hop): Promise<Given>;
}

type Send = Resilience["send"];

const platformTimers: Timers = {
  setTimeout(callback, delayMs): unknown {
    const timer = setTimeout(callback, delayMs);
    Deno.unrefTimer(timer);
    return timer;
  },
  clearTimeout(handle): void {
    clearTimeout(handle as ReturnType<typeof setTimeout>); // what setTimeout above has given
  },
  now: () => performance.now(),
};

/** Creates the {@linkcode Resilience} of one upstream. */
export function createResilience(
  { maxInFlight, retry, breaker: breakerOptions }: ResilienceOptions,
  { probe, now = Date.now, timers = platformTimers }: ResilienceDeps = {},
): Resilience {
  const breaker = breakerOptions &&
    createBreaker(breakerOptions, { timers, ...(probe && { probe }) });
  const sendOnce: Send = breaker === undefined
    ? (attempt) => attempt()
    : (attempt, hop) => breaker.run(attempt, hop);
  const sendAgain = retry && createRetry(retry, {
    delay: (delayMs, signal) => delay(delayMs, { signal, timers }),
    isRefusing: () => breaker?.refusal() !== undefined,
    now,
  });
  return {
    within: maxInFlight === undefined ? (run) => run() : createBulkhead(maxInFlight),
    send: sendAgain === undefined
      ? sendOnce
      : (attempt, hop) => sendAgain(() => sendOnce(attempt, hop), hop),
    [Symbol.dispose]: () => breaker?.[Symbol.dispose](),
  };
}

function createBulkhead(maxInFlight: number): Resilience["within"] {
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

async function delay(
  delayMs: number,
  { signal, timers }: { signal: AbortSignal; timers: Timers },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = timers.setTimeout(resolve, delayMs);
  try {
    await abortable(promise, signal);
  } finally {
    timers.clearTimeout(timer);
  }
}
