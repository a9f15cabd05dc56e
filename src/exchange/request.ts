/**
 * Makes the request of an exchange and returns the response. Nothing is delivered here, so that a response can be had
 * without a client that takes it.
 *
 * @module
 */
import type { Forward, ForwardResponse } from "../forward/forward.ts";
import { overridingMethods } from "../http/override.ts";
import type { Policy } from "../policy/policy.ts";
import { ProxyError, type ProxyRequest, timeoutTooLong } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Registry, Upstream } from "../upstream/registry.ts";
import { createCheck } from "./check.ts";
import { timedOut } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Caller } from "./record.ts";

/** Limits of a request. */
export interface RequestLimits {
  /** Upper-case. */
  readonly allowMethods: readonly string[];
  /** Bytes of a request body. */
  readonly maxRequestBytes: number;
  /** Milliseconds for the response when the request names none. */
  readonly timeoutMs: number;
  /** The most milliseconds that a request may name. */
  readonly maxTimeoutMs: number;
}

/** The parts that make requests. */
export interface RequestDeps {
  readonly policy: Policy;
  readonly telemetry: Telemetry;
  readonly registry: Registry;
  readonly forward: Forward;
}

/** The first destination of a request. */
export interface FirstHop {
  readonly url: URL;
  /** The upstream that the request names; `undefined` when it names a URL. */
  readonly upstream: Upstream | undefined;
}

/**
 * Makes the request of an exchange and returns the response once its head has arrived. The deadline that is set for
 * the request also limits the time to read the body.
 *
 * @throws {ProxyError} The failure of the request, or the reason of the exchange's signal.
 */
export type MakeRequest = (exchange: Exchange, hop: FirstHop) => Promise<ForwardResponse>;

// The fewer different delays there are, the cheaper a deadline is.
const DELAY_STEP_MS = 16;
// An error quotes at most so many characters of a method.
const MAX_QUOTED_LENGTH = 32;

/** Creates a {@linkcode MakeRequest}. */
export function createMakeRequest(limits: RequestLimits, deps: RequestDeps): MakeRequest {
  return async function makeRequest(exchange, { url, upstream }): Promise<ForwardResponse> {
    const { request, upload, signal, record } = exchange;
    const { method, headers, redirect, decode } = request;
    const ownTimeoutMs = upstream?.timeoutMs ?? limits.timeoutMs;
    const maxTimeoutMs = upstream?.timeoutMs ?? limits.maxTimeoutMs;
    const timeoutMs = Math.min(request.timeoutMs ?? ownTimeoutMs, maxTimeoutMs);
    startDeadline(exchange, timeoutMs);
    exchange.stage = "lookup";
    const check = createCheck(exchange, upstream, deps);
    // An upload may be late because its client is, and a client may allow the upstream less time than it needs.
    const countsTimeouts = upload === undefined && timeoutMs >= ownTimeoutMs;
    const response = await deps.forward(
      { method, url, headers, redirect, decode, body: upload ?? request.body },
      {
        check,
        signal,
        resilience: upstream && { send: upstream.send, countsTimeouts },
        identity: exchange.caller.key,
        owner: exchange.caller.connection,
        observer: exchange,
      },
    );
    exchange.stage = "body";
    record.waitMs = exchange.waitMs = exchange.elapsedMs();
    record.status = response.head.status;
    if (upstream === undefined) return response;
    return { head: upstream.conceal(response.head), body: response.body };
  };
}

/** Sets the deadline of a request. The time that it waited for its turn counts. */
function startDeadline(exchange: Exchange, timeoutMs: number): void {
  const now = exchange.now();
  const waitedMs = now - exchange.startedAt;
  exchange.queueMs = exchange.elapsedMs(now);
  if (waitedMs >= timeoutMs) throw timedOut(exchange.stage, timeoutMs, exchange.request.method);
  exchange.setDeadline(timeoutMs, timeoutMs - (waitedMs - waitedMs % DELAY_STEP_MS), now);
}

/**
 * Returns where the request of an exchange goes.
 *
 * @throws {ProxyError} `unknown_upstream`, `forbidden`, `bad_request`, `http_request_denied`
 */
export function findFirstHop(
  { target }: ProxyRequest,
  { subject }: Caller,
  registry: Registry,
): FirstHop {
  if (target instanceof URL) return { url: target, upstream: undefined };
  const upstream = registry.find(target.upstream, subject);
  return { url: upstream.resolve(target.path), upstream };
}

/**
 * Refuses a request whose method, body or time-out is not allowed. A method counts, too, if a header field asks the
 * destination to use it instead.
 *
 * @throws {ProxyError} `unsupported_method`, `request_too_large`, `bad_request`
 */
export function refuseRequest(
  { method, headers, body, timeoutMs }: ProxyRequest,
  { allowMethods, maxRequestBytes, maxTimeoutMs }: RequestLimits,
): void {
  refuseMethod(method, allowMethods);
  for (const each of overridingMethods(headers)) refuseMethod(each, allowMethods);
  if (body !== null && body.byteLength > maxRequestBytes) {
    throw new ProxyError(
      "request_too_large",
      `The request body has ${body.byteLength} bytes; at most ${maxRequestBytes} are allowed`,
    );
  }
  if (timeoutMs !== undefined && timeoutMs > maxTimeoutMs) {
    throw timeoutTooLong(maxTimeoutMs);
  }
}

function refuseMethod(method: string, allowMethods: readonly string[]): void {
  if (allowMethods.includes(method)) return;
  const quoted = JSON.stringify(method.slice(0, MAX_QUOTED_LENGTH));
  throw new ProxyError(
    "unsupported_method",
    `The method ${quoted} is not supported; use one of ${allowMethods.join(", ")}`,
  );
}
