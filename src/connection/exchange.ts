/**
 * One HTTP request and its response: limits, then policy on every hop, then the request, within one
 * deadline.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Forward, ForwardResponse } from "../forward/forward.ts";
import type { Allowance, Decision, Policy } from "../policy/policy.ts";
import { type HttpResponse, ProxyError, type ProxyRequest, type Timing } from "../protocol/mod.ts";

/** What an exchange may do. */
export interface ExchangeOptions {
  /** Upper-case. */
  readonly allowMethods: readonly string[];
  /** Bytes of a request body. */
  readonly maxRequestBytes: number;
  /** Bytes of a decoded response body. */
  readonly maxResponseBytes: number;
  /** When the request names none. */
  readonly timeoutMs: number;
  /** The most that a request may name. */
  readonly maxTimeoutMs: number;
}

/** Who does the work. */
export interface ExchangeDeps {
  readonly policy: Policy;
  readonly forward: Forward;
}

/** What the caller follows an exchange with. */
export interface ExchangeContext {
  /** Aborted by the caller to end the exchange; its reason is what the exchange throws. */
  readonly controller: AbortController;
  /** Called with every decision, before the hop is made. */
  decided(url: URL, decision: Decision): void;
  /** Called when the response head has come. */
  answered(waitMs: number, status: number): void;
}

/** A finished exchange. */
export interface ExchangeResult {
  readonly response: HttpResponse;
  readonly timing: Timing;
}

/** Runs one exchange to its end. */
export type RunExchange = (
  request: ProxyRequest,
  context: ExchangeContext,
) => Promise<ExchangeResult>;

// What runs out of time, and how that is called.
const STAGES = {
  lookup: { code: "dns_timeout", what: "The host could not be resolved", sent: "no" },
  head: { code: "http_response_timeout", what: "There was no response", sent: "maybe" },
  body: { code: "http_response_timeout", what: "The response was not complete", sent: "yes" },
} as const;

// An error quotes at most so much of a method.
const MAX_QUOTED_LENGTH = 32;

/**
 * Creates a {@linkcode RunExchange}, which throws {@linkcode ProxyError} or the reason its controller
 * was aborted with.
 */
export function createRunExchange(
  options: ExchangeOptions,
  { policy, forward }: ExchangeDeps,
): RunExchange {
  const { maxResponseBytes } = options;

  return async function runExchange(request, context): Promise<ExchangeResult> {
    refuseRequest(request, options);
    const { controller } = context;
    const { signal } = controller;
    const startedAt = performance.now();
    const timeoutMs = request.timeoutMs ?? options.timeoutMs;
    let stage: keyof typeof STAGES = "lookup";
    const timer = setTimeout(() => {
      controller.abort(timedOut(STAGES[stage], timeoutMs, request.method));
    }, timeoutMs);

    const check = async (url: URL): Promise<Allowance> => {
      stage = "lookup";
      const decided = policy.decide(url);
      const decision: Decision = decided instanceof Promise
        ? await abortable(decided, signal)
        : decided;
      context.decided(url, decision);
      if (!decision.allow) throw new ProxyError(decision.code, decision.message);
      stage = "head";
      return decision;
    };

    try {
      const head = await forward(request, { check, signal });
      const waitMs = elapsed(startedAt);
      context.answered(waitMs, head.status);
      stage = "body";
      const response = await readWhole(head, maxResponseBytes);
      return { response, timing: { waitMs, totalMs: elapsed(startedAt) } };
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Milliseconds since then, to the microsecond. */
export function elapsed(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000) / 1000;
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

async function readWhole(
  { status, statusText, url, redirected, headers, ...head }: ForwardResponse,
  maxBytes: number,
): Promise<HttpResponse> {
  const body = await head.bytes(maxBytes);
  return { status, statusText, url, redirected, headers, body };
}
