/**
 * Spares an upstream that fails: after so many failures in a row no request is made until one of them,
 * or a health check, has shown that it is well.
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
import { type ErrorCode, ProxyError } from "../protocol/mod.ts";

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** So many failures in a row open it. */
  readonly failures: number;
  /** Milliseconds until the upstream is tried again. */
  readonly openMs: number;
}

/** Timers, and the clock that they go by. */
export interface Timers {
  /** Calls back after so many milliseconds; gives what `clearTimeout` takes. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

/** Asks the health path; fulfils with whether the upstream is well. A rejection says that it is not. */
export type Probe = (signal: AbortSignal) => Promise<boolean>;

/** What a breaker works with. */
export interface BreakerDeps {
  readonly timers: Timers;
  /** Absent: the next request after `openMs` is the test. */
  readonly probe?: Probe;
}

/** A request that may speak against the upstream. */
export interface BreakerHop {
  readonly signal: AbortSignal;
  /** Whether a time out does: not when the client chose a shorter time than the operator. */
  readonly countsTimeouts: boolean;
}

/** Lets requests through, or refuses them. Disposed of, it probes no more. */
export interface Breaker extends Disposable {
  /**
   * Makes an attempt and counts how it ends.
   *
   * @throws {ProxyError} What {@linkcode Breaker.refusal} gives, before anything is sent.
   */
  run<Given extends { readonly status: number }>(
    attempt: () => Promise<Given>,
    hop: BreakerHop,
  ): Promise<Given>;
  /** Gives the error (`destination_unavailable`) of a request that came now, when it would be refused. */
  refusal(): ProxyError | undefined;
}

/** What an end says about the upstream: `unknown` counts neither for nor against it. */
type Verdict = "well" | "failing" | "unknown";

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
// Nobody knows how long a test takes; it is not worth a whole openMs.
const TEST_RETRY_AFTER_MS = 1000;

/** Creates a {@linkcode Breaker} that is closed: it lets requests through. */
export function createBreaker(
  { failures, openMs }: BreakerOptions,
  { timers, probe }: BreakerDeps,
): Breaker {
  const policy = circuitBreaker(handleWhenResult((verdict) => verdict !== "well"), {
    breaker: new ConsecutiveBreaker(failures),
    halfOpenAfter: -Infinity, // when to test is decided here, by a clock that never goes back
  });
  const disposal = new AbortController();
  let changes = 0;
  let testAt = 0;
  let timer: unknown;

  policy.onStateChange((state) => {
    changes++;
    if (state !== CircuitState.Open) return;
    testAt = timers.now() + openMs;
    if (probe === undefined || disposal.signal.aborted) return;
    timer = timers.setTimeout(() => runProbe(probe), openMs);
  });

  /** Begins to judge; the caller gives the verdict. With the breaker open this is its test. */
  function judge(): (verdict: Verdict) => Promise<void> {
    if (policy.state === CircuitState.Closed) {
      const changesBefore = changes;
      return async (verdict): Promise<void> => {
        // What began before a change is no news about what came after it.
        if (verdict === "unknown" || changes !== changesBefore) return;
        await policy.execute(() => verdict);
      };
    }
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const tested = policy.execute(() => promise); // half open from here on
    let isConcluded = false;
    return async (verdict): Promise<void> => {
      if (isConcluded) return;
      isConcluded = true;
      resolve(verdict);
      await tested;
      if (verdict === "unknown") testAt = timers.now(); // the next request is the test
    };
  }

  async function runProbe(ask: Probe): Promise<void> {
    const conclude = judge();
    const timeout = new AbortController();
    const signal = AbortSignal.any([disposal.signal, timeout.signal]);
    timer = timers.setTimeout(() => timeout.abort(), PROBE_TIMEOUT_MS);
    let isWell = false;
    try {
      isWell = await abortable(ask(signal), signal);
    } catch {
      // a health check that fails says what one that is answered with no says
    } finally {
      timers.clearTimeout(timer);
    }
    await conclude(isWell ? "well" : "failing");
  }

  function refusal(): ProxyError | undefined {
    const { state } = policy;
    if (state === CircuitState.Closed) return undefined;
    const waitMs = testAt - timers.now();
    if (waitMs > 0) return toRefusal(waitMs);
    if (state === CircuitState.Open && probe === undefined) return undefined;
    return toRefusal(Math.min(openMs, TEST_RETRY_AFTER_MS));
  }

  return {
    refusal,
    async run<Given extends { readonly status: number }>(
      attempt: () => Promise<Given>,
      hop: BreakerHop,
    ): Promise<Given> {
      hop.signal.throwIfAborted(); // it would be a test that says nothing
      const refused = refusal();
      if (refused !== undefined) throw refused;
      const isTest = policy.state !== CircuitState.Closed;
      const conclude = judge();
      // A client may draw its request out: its test holds nobody up for longer.
      const limit = isTest
        ? timers.setTimeout(() => void conclude("unknown"), TEST_TIMEOUT_MS)
        : undefined;
      let verdict: Verdict = "unknown";
      try {
        const response = await attempt();
        verdict = FAILING_STATUS.has(response.status) ? "failing" : "well";
        return response;
      } catch (error) {
        verdict = toVerdict(error, hop);
        throw error;
      } finally {
        if (isTest) timers.clearTimeout(limit);
        await conclude(verdict);
      }
    },
    [Symbol.dispose](): void {
      timers.clearTimeout(timer);
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

function toVerdict(error: unknown, { signal, countsTimeouts }: BreakerHop): Verdict {
  if (!(error instanceof ProxyError)) return "unknown";
  // An abort with an error is a deadline, whatever it was that took too long.
  const isTimeout = signal.aborted || error.code === "http_response_timeout";
  if (isTimeout && !countsTimeouts) return "unknown";
  return FAILING_CODES.has(error.code) ? "failing" : "unknown";
}
