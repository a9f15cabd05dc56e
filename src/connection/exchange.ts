/**
 * One HTTP request and its response: limits, then policy on every hop, then the request, within one
 * deadline.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import { STATUS_CODE } from "@std/http/status";
import type { WholeResponse } from "../dialect/dialect.ts";
import type { StreamEvent, ToEvents } from "../forward/events.ts";
import type { Forward, ForwardResponse } from "../forward/forward.ts";
import type { Allowance, Decision, Policy } from "../policy/policy.ts";
import {
  type HttpResponse,
  ProxyError,
  type ProxyRequest,
  type ResponseHead,
  type StreamMode,
  type Timing,
} from "../protocol/mod.ts";
import { createDeadline } from "./deadline.ts";
import { readAhead } from "./read_ahead.ts";

/** What an exchange may do. */
export interface ExchangeOptions {
  /** Upper-case. */
  readonly allowMethods: readonly string[];
  /** Bytes of a request body. */
  readonly maxRequestBytes: number;
  /** Bytes of a decoded response body that comes whole, and of one event of a stream. */
  readonly maxResponseBytes: number;
  /** Bytes of a decoded response body that is streamed. */
  readonly maxStreamBytes: number;
  /** The longest silence of a streamed response, in milliseconds. */
  readonly streamIdleMs: number;
  /** When the request names none. */
  readonly timeoutMs: number;
  /** The most that a request may name. */
  readonly maxTimeoutMs: number;
}

/** Who does the work. */
export interface ExchangeDeps {
  readonly policy: Policy;
  readonly forward: Forward;
  readonly toServerSentEvents: ToEvents;
  readonly toLines: ToEvents;
}

/** Where the response of one exchange goes. What is not sent at once gives a promise. */
export interface Outlet {
  /** Waits while the client does not read, so that no body is read for it. */
  ready(): void | Promise<void>;
  whole(whole: WholeResponse): void | Promise<void>;
  head(head: ResponseHead, timing: Timing): void | Promise<void>;
  /** A piece of the body of any size; `fin` with the last. */
  bytes(bytes: Uint8Array<ArrayBuffer>, fin: boolean): void | Promise<void>;
  event(event: StreamEvent): void | Promise<void>;
  end(): void | Promise<void>;
}

/** What the caller runs an exchange with. */
export interface ExchangeContext {
  /** Aborted by the caller to end the exchange; its reason is what the exchange throws. */
  readonly controller: AbortController;
  readonly outlet: Outlet;
  /** The body that follows, where one does. */
  readonly upload?: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** To be called back when some of that body has been taken. */
  onUploaded?: () => void;
  /** Called with every decision, before the hop is made. */
  decided(url: URL, decision: Decision): void;
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

// A streamed response whose body is known to be no longer comes whole, if it comes so soon behind its head.
const MAX_WHOLE_BYTES = 16_384;

/**
 * Creates a {@linkcode RunExchange}, which throws {@linkcode ProxyError} or the reason its controller
 * was aborted with.
 */
export function createRunExchange(
  options: ExchangeOptions,
  { policy, forward, toServerSentEvents, toLines }: ExchangeDeps,
): RunExchange {
  const { maxResponseBytes, maxStreamBytes, streamIdleMs } = options;

  /** Sends a response in the form that the request asks for. */
  async function deliver(
    response: ForwardResponse,
    { mode, outlet, timing, watch }: Delivery,
  ): Promise<void> {
    const ready = outlet.ready();
    if (ready !== undefined) await ready;
    const chunks = isStreamed(response, mode) ? response.chunks(maxStreamBytes) : undefined;
    if (chunks === undefined || chunks === null) {
      const whole = await readWhole(response, maxResponseBytes);
      return await outlet.whole({ response: whole, timing: timing(), asBytes: mode === true });
    }
    const { length = Infinity } = response;
    const watched = watch(chunks);
    const ahead = mode === true && length <= MAX_WHOLE_BYTES ? readAhead(watched) : undefined;
    const body = await ahead?.whole(length);
    if (body !== undefined) {
      const whole = { ...toHead(response), body };
      return await outlet.whole({ response: whole, timing: timing(), asBytes: true });
    }
    const head = outlet.head(toHead(response), timing());
    if (head !== undefined) await head;
    if (mode === true) return await sendBytes(ahead?.chunks() ?? watched, outlet);
    const toEvents = mode === "events" ? toServerSentEvents : toLines;
    for await (const event of toEvents(watched, maxResponseBytes)) await outlet.event(event);
    await outlet.end();
  }

  return async function runExchange(request, context): Promise<void> {
    refuseRequest(request, options);
    const { controller, outlet, upload } = context;
    const { signal } = controller;
    const startedAt = performance.now();
    const timeoutMs = request.timeoutMs ?? options.timeoutMs;
    const deadline = createDeadline(controller);
    let stage: keyof typeof STAGES = "lookup";
    const restart = (): void =>
      deadline.set(timeoutMs, () => timedOut(STAGES[stage], timeoutMs, request.method));

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

    /** Gives the same chunks; between two of them the destination may be silent only for so long. */
    async function* watch(
      chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
    ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      const silent = (): void =>
        deadline.set(streamIdleMs, () => timedOut(STAGES.stream, streamIdleMs, request.method));
      silent();
      for await (const chunk of chunks) {
        deadline.clear(); // what the client takes its time for is not the destination's silence
        yield chunk;
        silent();
      }
      deadline.clear();
    }

    restart();
    context.onUploaded = restart;
    try {
      const response = await forward(
        { ...request, body: upload ?? request.body },
        { check, signal },
      );
      context.onUploaded = (): void => {};
      const waitMs = elapsed(startedAt);
      context.answered(waitMs, response.status);
      stage = "body";
      await deliver(response, {
        mode: request.stream,
        outlet,
        timing: () => ({ waitMs, totalMs: elapsed(startedAt) }),
        watch,
      });
    } catch (thrown) {
      throw signal.aborted && !(thrown instanceof ProxyError) ? signal.reason : thrown;
    } finally {
      context.onUploaded = (): void => {};
      deadline.clear();
    }
  };
}

interface Delivery {
  readonly mode: StreamMode;
  readonly outlet: Outlet;
  readonly timing: () => Timing;
  readonly watch: (
    chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ) => AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Events come only of an event stream that was granted; of anything else the client sees the whole. */
function isStreamed({ status, headers, length }: ForwardResponse, mode: StreamMode): boolean {
  if (mode === false) return false;
  if (mode === true) return length !== 0;
  if (mode === "lines") return true;
  const [, type = ""] = headers.find(([name]) => name === "content-type") ?? [];
  return status === STATUS_CODE.OK && /^\s*text\/event-stream\s*(?:;|$)/i.test(type);
}

async function sendBytes(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  outlet: Outlet,
): Promise<void> {
  for await (const chunk of chunks) {
    const sending = outlet.bytes(chunk, false);
    if (sending !== undefined) await sending;
  }
  await outlet.bytes(new Uint8Array(), true);
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

function toHead({ status, statusText, url, redirected, headers }: ForwardResponse): ResponseHead {
  return { status, statusText, url, redirected, headers };
}

async function readWhole(response: ForwardResponse, maxBytes: number): Promise<HttpResponse> {
  const body = await response.bytes(maxBytes);
  return { ...toHead(response), body };
}
