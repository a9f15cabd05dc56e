/**
 * One HTTP request and its response: limits, then policy on every hop, then the request, within one
 * deadline.
 *
 * @module
 */
import type { Forward } from "../forward/forward.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { Policy } from "../policy/policy.ts";
import { ProxyError, type ProxyRequest, type Timing } from "../protocol/mod.ts";
import type { Registry, Upstream } from "../upstream/registry.ts";
import { createCheck, type Decided } from "./check.ts";
import { createDeadline } from "./deadline.ts";
import { createWheel, type Wheel } from "./wheel.ts";
import { createDeliver, type DeliverDeps, type DeliverOptions, type Outlet } from "./delivery.ts";

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

/** On whose behalf an exchange is made. */
export interface Caller {
  /** Who was authenticated; `undefined`: nobody. */
  readonly identity: string | undefined;
  /** What limits count by: the identity, else the client's address. */
  readonly key: string;
}

/** What the caller runs an exchange with. */
export interface ExchangeContext {
  /** When the request frame came, by `performance.now()`. */
  readonly startedAt: number;
  readonly caller: Caller;
  /** Aborted by the caller to end the exchange; its reason is what the exchange throws. */
  readonly controller: AbortController;
  readonly outlet: Outlet;
  /** The body that follows, where one does. */
  readonly upload?: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** To be called back when some of that body has been taken. */
  onUploaded?: () => void;
  readonly decided: Decided;
  /** Called when the response head has come. */
  answered(waitMs: number, status: number): void;
}

/** Runs one exchange until all of its response has been sent. */
export type RunExchange = (request: ProxyRequest, context: ExchangeContext) => Promise<void>;

// What runs out of time, and how that is called.
const STAGES = {
  lookup: { code: "dns_timeout", what: "The host could not be resolved", sent: "no" },
  head: { code: "http_response_timeout", what: "There was no response", sent: "maybe" },
  body: { code: "http_response_timeout", what: "The response was not complete", sent: "yes" },
  stream: { code: "http_response_timeout", what: "The response did not go on", sent: "yes" },
} as const;

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
    request: ProxyRequest,
    context: ExchangeContext,
    { url, upstream }: Destination,
  ): Promise<void> {
    const { startedAt, controller, outlet, upload } = context;
    const { signal } = controller;
    const queueMs = elapsed(startedAt);
    let dnsMs: number | undefined;
    const ownTimeoutMs = upstream?.timeoutMs ?? options.timeoutMs;
    const maxTimeoutMs = upstream?.timeoutMs ?? options.maxTimeoutMs;
    const timeoutMs = Math.min(request.timeoutMs ?? ownTimeoutMs, maxTimeoutMs);
    const deadline = createDeadline(controller, wheel);
    let stage: keyof typeof STAGES = "lookup";
    const restart = (): void =>
      deadline.set(timeoutMs, () => timedOut(STAGES[stage], timeoutMs, request.method));

    const check = createCheck({
      policy,
      signal,
      decided: context.decided,
      lookingUp: (isLookingUp) => stage = isLookingUp ? "lookup" : "head",
      lookedUp: (durationMs) => dnsMs = round((dnsMs ?? 0) + durationMs),
      ...(upstream !== undefined && {
        upstream,
        // A client may be what an upload waits for.
        countsTimeouts: upload === undefined && timeoutMs >= ownTimeoutMs,
      }),
    });

    restart();
    context.onUploaded = restart;
    try {
      const { method, headers, redirect } = request;
      const response = await forward(
        { method, url, headers, redirect, body: upload ?? request.body },
        { check, signal },
      );
      context.onUploaded = (): void => {};
      const waitMs = elapsed(startedAt);
      context.answered(waitMs, response.status);
      stage = "body";
      await deliver(upstream === undefined ? response : upstream.conceal(response), {
        mode: request.stream,
        outlet,
        timing(isWhole): Timing {
          const totalMs = elapsed(startedAt);
          return {
            queueMs,
            ...(dnsMs !== undefined && { dnsMs }),
            waitMs,
            ...(isWhole && { transferMs: round(totalMs - waitMs) }),
            totalMs,
          };
        },
        deadline,
        silent: () => timedOut(STAGES.stream, options.streamIdleMs, request.method),
      });
    } catch (thrown) {
      throw signal.aborted && !(thrown instanceof ProxyError) ? signal.reason : thrown;
    } finally {
      context.onUploaded = (): void => {};
      deadline.clear();
    }
  }

  /** Finds what the request names, which has to be something that this caller may use. */
  function findDestination(
    { target }: ProxyRequest,
    { identity }: Caller,
  ): Destination {
    if (target instanceof URL) return { url: target };
    const upstream = registry.find(target.upstream, identity);
    return { url: upstream.resolve(target.path), upstream };
  }

  return async function runExchange(request, context): Promise<void> {
    const begun = limiter.begin(context.caller.key);
    const lease = begun instanceof Promise ? await begun : begun;
    if ("limit" in lease) {
      const { message, retryAfterMs } = lease;
      throw new ProxyError("rate_limited", message, { retryAfterMs });
    }
    using _place = lease;
    refuseRequest(request, options);
    const destination = findDestination(request, context.caller);
    const run = (): Promise<void> => perform(request, context, destination);
    return await (destination.upstream?.within(run) ?? run());
  };
}

interface Destination {
  readonly url: URL;
  readonly upstream?: Upstream;
}

/** Milliseconds since then, to the microsecond. */
export function elapsed(startedAt: number): number {
  return round(performance.now() - startedAt);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

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
