/**
 * Server-sent events as an async iterable that reopens its stream when it breaks.
 *
 * @module
 */
import { isIdempotent, ProxyError } from "../protocol/mod.ts";
import { toRejection } from "./fetch.ts";
import { isReplayable, PendingExchange, type ResponseReceiver } from "./pending_exchange.ts";
import type { ExchangeQueue } from "./queued_exchange.ts";
import {
  type FetchInit,
  type FetchInput,
  type OutgoingRequest,
  toOutgoingRequest,
} from "./request.ts";
import { toHeaders } from "./response.ts";
import { invalidMessage } from "./server_message.ts";
import type { ClientTimers } from "./timers.ts";

/** An event of a `text/event-stream` (WHATWG HTML §9.2). */
export interface ServerSentEvent {
  /** `message` unless the event has another type. */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream has set; `""` if it has set none. */
  readonly lastEventId: string;
}

/** Requests a stream of server-sent events. */
export type Events = (
  input: FetchInput,
  init?: FetchInit,
) => AsyncIterableIterator<ServerSentEvent, void, void>;

/** How the next stream continues the previous one. */
interface StreamPosition {
  lastEventId: string;
  retryMs: number;
}

/** WHATWG HTML: "probably in the region of a few seconds". */
const DEFAULT_RETRY_MS = 3_000;
/** The abort reason of a stream whose iteration was stopped. */
const STOPPED = Symbol("stopped");

/** Creates an {@linkcode Events} whose requests go into the queue. */
export function createEvents(
  queue: ExchangeQueue,
  { timers }: { readonly timers: ClientTimers },
): Events {
  async function* readAll(
    input: FetchInput,
    init: FetchInit | undefined,
    stop: AbortController,
  ): AsyncGenerator<ServerSentEvent, void, void> {
    const position: StreamPosition = { lastEventId: "", retryMs: DEFAULT_RETRY_MS };
    const request = await toOutgoingRequest(input, init, timers);
    const mayRepeat = isIdempotent(request.method) && isReplayable(request);
    const onAbort = (): void => stop.abort(request.signal?.reason);
    if (request.signal?.aborted) onAbort();
    request.signal?.addEventListener("abort", onAbort);
    try {
      for (;;) {
        try {
          yield* readStream(toEventRequest(request, position), {
            queue,
            signal: stop.signal,
            position,
          });
        } catch (error) {
          if (!mayRepeat || !(error instanceof ProxyError && error.retryable)) {
            throw toRejection(error);
          }
        }
        if (!mayRepeat) return;
        await sleep(position.retryMs, stop.signal, timers);
      }
    } catch (error) {
      if (error !== STOPPED) throw error;
    } finally {
      request.signal?.removeEventListener("abort", onAbort);
    }
  }

  return (input, init) => {
    const stop = new AbortController();
    const events = readAll(input, init, stop);
    return {
      next: () => events.next(),
      return(): Promise<IteratorResult<ServerSentEvent, void>> {
        stop.abort(STOPPED); // first: a generator returns only after its pending next()
        return events.return();
      },
      [Symbol.asyncIterator](): AsyncIterableIterator<ServerSentEvent, void, void> {
        return this;
      },
    };
  };
}

function toEventRequest(
  request: OutgoingRequest,
  { lastEventId }: StreamPosition,
): OutgoingRequest {
  const headers = toHeaders(request.headers);
  if (!headers.has("accept")) headers.set("accept", "text/event-stream");
  if (lastEventId !== "") {
    // The bytes of its UTF-8 encoding (WHATWG HTML §9.2.3), as one character each.
    headers.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  }
  return { ...request, headers: [...headers] };
}

/** @throws {ProxyError} The stream has failed, or the response is not an event stream. */
async function* readStream(
  request: OutgoingRequest,
  { queue, signal, position }: {
    readonly queue: ExchangeQueue;
    readonly signal: AbortSignal;
    /** Updated with every event. */
    readonly position: StreamPosition;
  },
): AsyncGenerator<ServerSentEvent, void, void> {
  let hasHead = false;
  let controller: ReadableStreamDefaultController<ServerSentEvent | ProxyError> | undefined;
  const reader = new ReadableStream<ServerSentEvent | ProxyError>({
    start: (it) => void (controller = it),
  }).getReader();
  const receiver: ResponseReceiver = {
    accept(part): boolean {
      const { type } = part;
      if (hasHead === (type === "response") || type === "chunk") throw invalidMessage();
      if (type === "response") {
        // The server sends events only for 200 and an event stream. Other responses are final (WHATWG HTML §9.2.2).
        const { stream, status } = part.frame;
        if (!stream) {
          throw new ProxyError("http_protocol_error", `Expected an event stream, got ${status}`);
        }
        hasHead = true;
        return false;
      }
      if (type === "event") {
        const { event, data, lastEventId = position.lastEventId, retryMs = position.retryMs } =
          part;
        Object.assign(position, { lastEventId, retryMs });
        controller?.enqueue({ type: event, data, lastEventId });
        return false;
      }
      controller?.close();
      return true;
    },
    fail(reason): void {
      if (!(reason instanceof ProxyError)) return controller?.error(reason);
      controller?.enqueue(reason); // read after the events that have arrived
    },
  };
  const exchange = new PendingExchange(request, receiver, { queue, mode: { stream: "events" } });
  signal.throwIfAborted();
  // No other code uses the signal, so that one handler at a time is enough.
  signal.onabort = () => exchange.abort(signal.reason);
  queue.submit(exchange);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value instanceof ProxyError) throw value;
      yield value;
    }
  } finally {
    exchange.abort(STOPPED);
  }
}

function sleep(delayMs: number, signal: AbortSignal, timers: ClientTimers): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = timers.setTimeout(resolve, delayMs);
    signal.onabort = () => {
      timers.clearTimeout(timer);
      reject(signal.reason);
    };
  });
}
