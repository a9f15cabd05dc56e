/**
 * Runs an exchange from its request to the end of its response: limits, destination, memory, place, request, outlet; then its
 * error, its span and its record.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ForwardResponse } from "../forward/forward.ts";
import type { Lease, Limiter, LimitExceeded } from "../limits/limiter.ts";
import { ProxyError, type ProxyRequest } from "../protocol/mod.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Turns } from "../turns/turns.ts";
import { admit, type MemoryLimits } from "./admit.ts";
import { createDeliver, type DeliverLimits } from "./deliver.ts";
import { toProxyError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Outlet } from "./outlet.ts";
import { Pace } from "./pace.ts";
import type { ExchangeRecord } from "./record.ts";
import {
  createMakeRequest,
  findFirstHop,
  type FirstHop,
  refuseRequest,
  type RequestDeps,
  type RequestLimits,
} from "./request.ts";
import { startSpan, withoutTrace } from "./trace.ts";

/** The parts that exchanges are run with. */
export interface ExchangeDeps extends RequestDeps {
  readonly limiter: Limiter;
  /** `undefined` when nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly turns: Turns;
  readonly clock: Clock;
}

/** Runs exchanges. */
export interface Runner {
  /** Runs an exchange until the outlet has taken all of its response, or its error, and the exchange was logged. */
  run(exchange: Exchange, outlet: Outlet): Promise<void>;
  /** Logs and traces an exchange that is refused before it starts. */
  refuse(record: ExchangeRecord, error: ProxyError, request?: ProxyRequest): void;
}

/** Creates the {@linkcode Runner} of all exchanges of the service. */
export function createRunner(
  limits: RequestLimits & DeliverLimits & MemoryLimits,
  deps: ExchangeDeps,
): Runner {
  const { limiter, registry, telemetry, tracing, clock } = deps;
  const pace = new Pace(clock);
  const makeRequest = createMakeRequest(limits, deps);
  const deliver = createDeliver(limits, deps);

  async function perform(exchange: Exchange, outlet: Outlet): Promise<void> {
    const { request, caller } = exchange;
    const admitting = limiter.admitExchange(caller.key);
    using _lease = leaseOf(admitting instanceof Promise ? await admitting : admitting);
    exchange.signal.throwIfAborted();

    // A request that is refused waits neither for memory nor for a place.
    refuseRequest(request, limits);
    const hop = findFirstHop(request, caller, registry);

    exchange.stage = "place";
    const admitted = admit(exchange, limits, clock);
    if (admitted !== undefined) await admitted;
    using place = exchange.place = pace.enter(caller.queue);
    const waiting = place.waitForStart();
    if (waiting !== undefined) await waiting;
    exchange.signal.throwIfAborted();

    await (hop.upstream === undefined
      ? respond(exchange, hop, outlet)
      : hop.upstream.within(() => respond(exchange, hop, outlet)));
  }

  async function respond(exchange: Exchange, hop: FirstHop, outlet: Outlet): Promise<void> {
    let response: ForwardResponse | undefined;
    try {
      response = await makeRequest(exchange, hop);
      const delivering = deliver(exchange, response, outlet);
      if (delivering !== undefined) await delivering;
    } finally {
      exchange.clearDeadline();
      response?.body?.discard();
    }
  }

  async function fail(exchange: Exchange, thrown: unknown, outlet: Outlet): Promise<void> {
    if (exchange.isCancelled) return;
    const { signal, record } = exchange;
    record.outcome = "error";
    const reason = signal.aborted && !(thrown instanceof ProxyError) ? signal.reason : thrown;
    const error = toProxyError(reason, telemetry, record.connection);
    record.code = error.code;
    const sending = outlet.fail(error);
    if (sending !== undefined) await sending;
  }

  return {
    async run(exchange, outlet): Promise<void> {
      const { record, request } = exchange;
      const span = startSpan(record, request, tracing);
      try {
        if (span === undefined) {
          await perform(exchange, outlet);
        } else {
          exchange.request = withoutTrace(request);
          await span.run(() => perform(exchange, outlet));
        }
        record.outcome = "response";
      } catch (thrown) {
        await fail(exchange, thrown, outlet);
      } finally {
        exchange.memory?.release();
        if (exchange.isCancelled) record.outcome = "cancelled";
        record.totalMs = exchange.elapsedMs();
        span?.end(record);
        telemetry.emit(record);
      }
    },
    refuse(record, error, request): void {
      const span = startSpan(record, request, tracing);
      record.outcome = "error";
      record.code = error.code;
      span?.end(record);
      telemetry.emit(record);
    },
  };
}

/** @throws {ProxyError} `rate_limited` */
function leaseOf(outcome: Lease | LimitExceeded): Lease {
  if (!("limit" in outcome)) return outcome;
  const { message, retryAfterMs } = outcome;
  throw new ProxyError("rate_limited", message, { retryAfterMs });
}
