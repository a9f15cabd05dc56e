/**
 * One HTTP request and its response: limits, then policy on every hop, then the request, within one
 * deadline.
 *
 * @module
 */
import type { Forward, ForwardResponse } from "../forward/forward.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { Policy } from "../policy/policy.ts";
import { ProxyError, type ProxyRequest } from "../protocol/mod.ts";
import type { Registry, Upstream } from "../upstream/registry.ts";
import { createCheck, type Decided } from "./check.ts";
import { createDeadline } from "./deadline.ts";
import { createDeliver, type DeliverDeps, type DeliverOptions } from "./delivery.ts";
import type { Exchange } from "./in_flight.ts";
import type { OutletDeps } from "./outlet.ts";
import type { Pace } from "./pace.ts";
import { elapsed, round } from "./times.ts";
import { createWheel, type Wheel } from "./wheel.ts";

/** What an exchange may do. */
export interface ExchangeOptions extends DeliverOptions {
  /** Upper-case. */
  readonly allowMethods: readonly string[];
  /** Bytes of a request body. */
  readonly maxRequestBytes: number;
  /** When the request names none. */
  readonly timeoutMs: number;
  /** The most that a request may name. */
  readonly maxTimeoutMs: number;
}

/** Who does the work. */
export interface ExchangeDeps extends DeliverDeps {
  readonly limiter: Limiter;
  readonly registry: Registry;
  readonly policy: Policy;
  readonly forward: Forward;
  /** Where deadlines are kept. */
  readonly wheel?: Wheel;
}

/** Runs one exchange until all of its response has been sent. */
export type RunExchange = (exchange: Exchange, context: ExchangeContext) => Promise<void>;

/** What the exchanges of one connection have in common. */
export interface ExchangeContext extends OutletDeps {
  /** On whose behalf they are made: who was authenticated; `undefined`: nobody. */
  readonly subject: string | undefined;
  /** Where they wait for one another; whoever runs them leaves it. */
  readonly pace: Pace;
  /** Called with every decision on a hop, before it is made. */
  decided(exchange: Exchange, ...decision: Parameters<Decided>): void;
}

// What runs out of time, and how that is called.
const STAGES = {
  queue: { code: "http_response_timeout", what: "The request could not be made", sent: "no" },
  lookup: { code: "dns_timeout", what: "The host could not be resolved", sent: "no" },
  head: { code: "http_response_timeout", what: "There was no response", sent: "maybe" },
  body: { code: "http_response_timeout", what: "The response was not complete", sent: "yes" },
  stream: { code: "http_response_timeout", what: "The response did not go on", sent: "yes" },
} as const;

const DELAY_STEP_MS = 16;
// An error quotes at most so much of a method.
const MAX_QUOTED_LENGTH = 32;

/**
 * Creates a {@linkcode RunExchange}, which throws {@linkcode ProxyError} or the reason its controller
 * was aborted with.
 */
export function createRunExchange(
  options: ExchangeOptions,
  { limiter, registry, policy, forward, toServerSentEvents, toLines, wheel = createWheel() }:
    ExchangeDeps,
): RunExchange {
  const deliver = createDeliver(options, { toServerSentEvents, toLines });

  /** Makes the request and delivers its response, within the time that it has. */
  async function perform(
    exchange: Exchange,
    context: ExchangeContext,
    { url, upstream }: Destination,
  ): Promise<void> {
    const { request, controller, record, times, upload } = exchange;
    const { method, headers, redirect } = request;
    const { signal } = controller;
    const ownTimeoutMs = upstream?.timeoutMs ?? options.timeoutMs;
    const maxTimeoutMs = upstream?.timeoutMs ?? options.maxTimeoutMs;
    const timeoutMs = Math.min(request.timeoutMs ?? ownTimeoutMs, maxTimeoutMs);
    const deadline = createDeadline(controller, wheel);
    let stage: keyof typeof STAGES = "lookup";
    const tooLate = (): ProxyError => timedOut(STAGES[stage], timeoutMs, method);
    const check = createCheck({
      policy,
      signal,
      upstream,
      // A client may be what an upload waits for.
      countsTimeouts: upload === undefined && timeoutMs >= ownTimeoutMs,
      decided: (hop, decision) => context.decided(exchange, hop, decision),
      lookingUp: (isLookingUp) => stage = isLookingUp ? "lookup" : "head",
      lookedUp: (durationMs) => times.dnsMs = round((times.dnsMs ?? 0) + durationMs),
    });

    const now = performance.now();
    const waitedMs = now - times.startedAt;
    times.queueMs = round(waitedMs);
    if (waitedMs >= timeoutMs) throw timedOut(STAGES.queue, timeoutMs, method);
    deadline.set(timeoutMs - toSteps(waitedMs), tooLate, now);
    if (upload !== undefined) exchange.uploaded = () => deadline.set(timeoutMs, tooLate);
    let response: ForwardResponse | undefined;
    try {
      const body = upload === undefined ? request.body : upload.body;
      response = await forward({ method, url, headers, redirect, body }, { check, signal });
      exchange.uploaded = ignore;
      record.waitMs = times.waitMs = elapsed(times.startedAt);
      record.status = response.status;
      stage = "body";
      const shown = upstream === undefined ? response : upstream.conceal(response);
      const silent = (): ProxyError => timedOut(STAGES.stream, options.streamIdleMs, method);
      const delivering = deliver(shown, { exchange, outlet: context, deadline, silent });
      if (delivering !== undefined) await delivering;
    } catch (thrown) {
      throw signal.aborted && !(thrown instanceof ProxyError) ? signal.reason : thrown;
    } finally {
      exchange.uploaded = ignore;
      deadline.clear();
      response?.discard();
    }
  }

  /** Finds what the request names, which has to be something that this caller may use. */
  function findDestination(
    { target }: ProxyRequest,
    { subject }: ExchangeContext,
  ): Destination {
    if (target instanceof URL) return { url: target, upstream: undefined };
    const upstream = registry.find(target.upstream, subject);
    return { url: upstream.resolve(target.path), upstream };
  }

  return async function runExchange(exchange, context): Promise<void> {
    const { request, controller } = exchange;
    const begun = limiter.admitExchange(context.key);
    const lease = begun instanceof Promise ? await begun : begun;
    if ("limit" in lease) {
      const { message, retryAfterMs } = lease;
      throw new ProxyError("rate_limited", message, { retryAfterMs });
    }
    using _place = lease;
    refuseRequest(request, options);
    const destination = findDestination(request, context);
    const entering = context.pace.enter(exchange); // what is refused need not wait
    if (entering !== undefined) {
      await entering;
      controller.signal.throwIfAborted();
    }
    const { upstream } = destination;
    return upstream === undefined
      ? await perform(exchange, context, destination)
      : await upstream.within(() => perform(exchange, context, destination));
  };
}

interface Destination {
  readonly url: URL;
  readonly upstream: Upstream | undefined;
}

/** Deadlines of few different delays are cheap. */
function toSteps(ms: number): number {
  return ms - ms % DELAY_STEP_MS;
}

function ignore(): void {}

function refuseRequest(
  { method, body, timeoutMs }: ProxyRequest,
  { allowMethods, maxRequestBytes, maxTimeoutMs }: ExchangeOptions,
): void {
  if (!allowMethods.includes(method)) {
    const quoted = JSON.stringify(method.slice(0, MAX_QUOTED_LENGTH));
    throw new ProxyError(
      "unsupported_method",
      `The method ${quoted} is not supported; use one of ${allowMethods.join(", ")}`,
    );
  }
  if (body !== null && body.byteLength > maxRequestBytes) {
    throw new ProxyError(
      "request_too_large",
      `The request body has ${body.byteLength} bytes; at most ${maxRequestBytes} are allowed`,
    );
  }
  if (timeoutMs !== undefined && timeoutMs > maxTimeoutMs) {
    throw new ProxyError("bad_request", `"timeoutMs" must be at most ${maxTimeoutMs}`);
  }
}

function timedOut(
  { code, what, sent }: typeof STAGES[keyof typeof STAGES],
  timeoutMs: number,
  method: string,
): ProxyError {
  return new ProxyError(code, `${what} within ${timeoutMs} ms`, { sent, method });
}
