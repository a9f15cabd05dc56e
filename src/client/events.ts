/**
 * Server-sent events as an async iterable, which takes up again where it was cut off.
 *
 * @module
 */
import { isIdempotent, ProxyError } from "../protocol/mod.ts";
import { createExchange } from "./exchange.ts";
import { toRejection } from "./fetch.ts";
import { invalid } from "./inbound.ts";
import {
  type FetchInit,
  type FetchInput,
  type OutgoingRequest,
  toOutgoingRequest,
} from "./request.ts";
import { toHeaders } from "./response.ts";
import type { Sink } from "./sink.ts";
import type { Timers } from "./timers.ts";
import type { Transport } from "./transport.ts";

/** An event of a `text/event-stream` (WHATWG HTML §9.2). */
export interface ServerSentEvent {
  /** `message` unless the event names one. */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream has set, `""` when none. */
  readonly lastEventId: string;
}

/** What event streams need. */
export interface EventsDeps {
  readonly transport: Transport;
  readonly timers: Timers;
}

/** Opens event streams. */
export type Events = (
  input: FetchInput,
  init?: FetchInit,
) => AsyncIterableIterator<ServerSentEvent, void, void>;

/** WHATWG HTML leaves it to the browser: a few seconds. */
const RETRY_MS = 3_000;

/** What one stream has said, and the next one has to know. */
interface Cursor {
  lastEventId: string;
  retryMs: number;
}

/** Why a stream was stopped that its reader has left. */
const LEFT = Symbol("left");

/** Creates an {@linkcode Events}. */
export function createEvents({ transport, timers }: EventsDeps): Events {
  async function* readAll(
    input: FetchInput,
    init: FetchInit | undefined,
    stop: AbortController,
  ): AsyncGenerator<ServerSentEvent, void, void> {
    const cursor: Cursor = { lastEventId: "", retryMs: RETRY_MS };
    const request = await toOutgoingRequest(input, init);
    const follow = (): void => stop.abort(request.signal?.reason);
    if (request.signal?.aborted) follow();
    request.signal?.addEventListener("abort", follow);
    try {
      for (;;) {
        try {
          yield* readStream(toEventRequest(request, cursor), { transport, stop, cursor });
        } catch (error) {
          if (!isRepeatable(request) || !(error instanceof ProxyError && error.retryable)) {
            throw toRejection(error);
          }
        }
        if (!isRepeatable(request)) return;
        await sleep(cursor.retryMs, { timers, stop });
      }
    } catch (error) {
      if (error !== LEFT) throw error;
    } finally {
      request.signal?.removeEventListener("abort", follow);
    }
  }

  return (input, init) => {
    const stop = new AbortController();
    const events = readAll(input, init, stop);
    return {
      next: () => events.next(),
      return(): Promise<IteratorResult<ServerSentEvent, void>> {
        stop.abort(LEFT); // before: a generator returns only when its pending next() has
        return events.return();
      },
      [Symbol.asyncIterator](): AsyncIterableIterator<ServerSentEvent, void, void> {
        return this;
      },
    };
  };
}

function isRepeatable({ method, body }: OutgoingRequest): boolean {
  return isIdempotent(method) && (body === null || body instanceof Uint8Array);
}

function toEventRequest(request: OutgoingRequest, { lastEventId }: Cursor): OutgoingRequest {
  const headers = toHeaders(request.headers);
  if (!headers.has("accept")) headers.set("accept", "text/event-stream");
  if (lastEventId !== "") {
    // Its bytes in UTF-8 (WHATWG HTML §9.2.3), one a character.
    headers.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  }
  return { ...request, headers: [...headers] };
}

async function* readStream(
  request: OutgoingRequest,
  { transport, stop: { signal }, cursor }: {
    readonly transport: Transport;
    readonly stop: AbortController;
    readonly cursor: Cursor;
  },
): AsyncGenerator<ServerSentEvent, void, void> {
  let hasHead = false;
  let controller: ReadableStreamDefaultController<ServerSentEvent | ProxyError> | undefined;
  const reader = new ReadableStream<ServerSentEvent | ProxyError>({
    start: (it) => void (controller = it),
  }).getReader();
  const sink: Sink = {
    accept(answer): boolean {
      const { type } = answer;
      if (hasHead === (type === "response") || type === "chunk") throw invalid();
      if (type === "response") {
        // Only 200 and an event stream come as events; anything else is final (WHATWG HTML §9.2.2).
        const { stream, status } = answer.frame;
        if (!stream) {
          throw new ProxyError("http_protocol_error", `No event stream, but ${status}`);
        }
        hasHead = true;
        return false;
      }
      if (type === "event") {
        const { event, data, lastEventId = cursor.lastEventId, retryMs = cursor.retryMs } = answer;
        Object.assign(cursor, { lastEventId, retryMs });
        controller?.enqueue({ type: event, data, lastEventId });
        return false;
      }
      controller?.close();
      return true;
    },
    fail(reason): void {
      if (!(reason instanceof ProxyError)) return controller?.error(reason);
      controller?.enqueue(reason); // behind what has come
    },
  };
  const { exchange } = createExchange(request, { stream: "events" }, {
    ...transport,
    createSink: () => sink,
  });
  signal.throwIfAborted();
  // One at a time is stopped, and the signal is ours.
  signal.onabort = () => exchange.abort(signal.reason);
  transport.submit(exchange);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value instanceof ProxyError) throw value;
      yield value;
    }
  } finally {
    exchange.abort(LEFT);
  }
}

function sleep(
  delayMs: number,
  { timers, stop: { signal } }: { readonly timers: Timers; readonly stop: AbortController },
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = timers.setTimeout(resolve, delayMs);
    signal.onabort = () => {
      timers.clearTimeout(timer);
      reject(signal.reason);
    };
  });
}
