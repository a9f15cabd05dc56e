/**
 * A circuit breaker: after several failures in a row, an upstream gets no requests until a test request or a
 * health check has shown that it works again.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import { STATUS_CODE } from "@std/http/status";
import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhenResult,
} from "cockatiel";
import type { Cancel, Clock } from "../clock.ts";
import { type ErrorCode, ProxyError } from "../protocol/mod.ts";
import type { RequestTraits } from "./attempt.ts";

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** How many failures in a row open it. */
  readonly failures: number;
  /** How long it stays open before the upstream is tested, in milliseconds. */
  readonly openMs: number;
}

/** Checks the health of the upstream. Fulfils with whether it is healthy; a rejection means that it is not. */
export type Probe = (signal: AbortSignal) => Promise<boolean>;

/** Lets requests through, or refuses them while it is open. Disposing of it ends its health checks. */
export interface Breaker extends Disposable {
  /**
   * Makes an attempt and counts its outcome.
   *
   * @throws {ProxyError} The error of {@linkcode Breaker.refusal}, before the attempt.
   */
  run<Given extends { readonly status: number }>(
    attempt: () => Promise<Given>,
    traits: RequestTraits,
  ): Promise<Given>;
  /** Returns the error (`destination_unavailable`) of a request that would be refused now, else `undefined`. */
  refusal(): ProxyError | undefined;
}

/** What the outcome of an attempt tells about the upstream. `unknown` counts neither for nor against it. */
type Health = "healthy" | "failing" | "unknown";

const FAILING_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.BadGateway,
  STATUS_CODE.ServiceUnavailable,
  STATUS_CODE.GatewayTimeout,
]);

const FAILING_CODES: ReadonlySet<ErrorCode> = new Set([
  "connection_refused",
  "connection_terminated",
  "connection_timeout",
  "destination_unavailable",
  "dns_error",
  "dns_timeout",
  "http_protocol_error",
  "http_response_timeout",
  "tls_certificate_error",
  "tls_protocol_error",
]);

const PROBE_TIMEOUT_MS = 5000;
const TEST_TIMEOUT_MS = 5000;
// How long a test takes is not known, but seldom as long as openMs.
const TEST_RETRY_AFTER_MS = 1000;

/**
 * Creates a {@linkcode Breaker} that is closed: it lets requests through.
 *
 * @param deps Without `probe`, the first request after `openMs` is the test of the upstream.
 */
export function createBreaker(
  { failures, openMs }: BreakerOptions,
  { clock, probe }: { readonly clock: Clock; readonly probe?: Probe | undefined },
): Breaker {
  const policy = circuitBreaker(handleWhenResult((health) => health !== "healthy"), {
    breaker: new ConsecutiveBreaker(failures),
    halfOpenAfter: -Infinity, // when to test is decided here, by a clock that never goes back
  });
  const disposal = new AbortController();
  let changes = 0;
  let testAt = 0;
  let cancelTimer: Cancel = () => {};

  policy.onStateChange((state) => {
    changes++;
    if (state !== CircuitState.Open) return;
    testAt = clock.now() + openMs;
    if (probe === undefined || disposal.signal.aborted) return;
    cancelTimer = clock.after(openMs, () => void runProbe(probe));
  });

  /** Starts to observe an attempt; the returned function counts its outcome. If the breaker is open, it is a test. */
  function observe(): (health: Health) => Promise<void> {
    if (policy.state === CircuitState.Closed) {
      const changesBefore = changes;
      return async (health): Promise<void> => {
        // An attempt that began before the breaker opened tells nothing about the time after it.
        if (health === "unknown" || changes !== changesBefore) return;
        await policy.execute(() => health);
      };
    }
    const { promise, resolve } = Promise.withResolvers<Health>();
    const tested = policy.execute(() => promise); // the breaker is half open until the promise fulfils
    let isConcluded = false;
    return async (health): Promise<void> => {
      if (isConcluded) return;
      isConcluded = true;
      resolve(health);
      await tested;
      if (health === "unknown") testAt = clock.now(); // the next request is the test
    };
  }

  async function runProbe(probe: Probe): Promise<void> {
    const conclude = observe();
    const timeout = new AbortController();
    const signal = AbortSignal.any([disposal.signal, timeout.signal]);
    cancelTimer = clock.after(PROBE_TIMEOUT_MS, () => timeout.abort());
    let isHealthy = false;
    try {
      isHealthy = await abortable(probe(signal), signal);
    } catch {
      // a health check that fails means the same as one that fulfils with `false`
    } finally {
      cancelTimer();
    }
    await conclude(isHealthy ? "healthy" : "failing");
  }

  function refusal(): ProxyError | undefined {
    const { state } = policy;
    if (state === CircuitState.Closed) return undefined;
    const waitMs = testAt - clock.now();
    if (waitMs > 0) return toRefusal(waitMs);
    if (state === CircuitState.Open && probe === undefined) return undefined;
    return toRefusal(Math.min(openMs, TEST_RETRY_AFTER_MS));
  }

  return {
    refusal,
    async run<Given extends { readonly status: number }>(
      attempt: () => Promise<Given>,
      traits: RequestTraits,
    ): Promise<Given> {
      traits.signal.throwIfAborted(); // its test would have no result
      const refused = refusal();
      if (refused !== undefined) throw refused;
      const isTest = policy.state !== CircuitState.Closed;
      const conclude = observe();
      // A slow client may delay its request: others wait no longer than this for the result of the test.
      const cancelLimit = isTest
        ? clock.after(TEST_TIMEOUT_MS, () => void conclude("unknown"))
        : undefined;
      let health: Health = "unknown";
      try {
        const response = await attempt();
        health = FAILING_STATUS.has(response.status) ? "failing" : "healthy";
        return response;
      } catch (error) {
        health = toHealth(error, traits);
        throw error;
      } finally {
        cancelLimit?.();
        await conclude(health);
      }
    },
    [Symbol.dispose](): void {
      cancelTimer();
      disposal.abort();
    },
  };
}

function toRefusal(waitMs: number): ProxyError {
  const retryAfterMs = Math.max(1, Math.ceil(waitMs));
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new ProxyError(
    "destination_unavailable",
    `The upstream is failing and gets no requests for now; try again in ${seconds} s`,
    { cause: new BrokenCircuitError(), sent: "no", retryable: true, retryAfterMs },
  );
}

function toHealth(error: unknown, { signal, countsTimeouts }: RequestTraits): Health {
  if (!(error instanceof ProxyError)) return "unknown";
  // If the signal was aborted with an error, a deadline has passed.
  const isTimeout = signal.aborted || error.code === "http_response_timeout";
  if (isTimeout && !countsTimeouts) return "unknown";
  return FAILING_CODES.has(error.code) ? "failing" : "unknown";
}
