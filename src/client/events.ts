/**
 * Server-sent events as an async iterable, which takes up again where it was cut off.
 *
 * @module
 */
import { type DecodedResponse, isIdempotent, ProxyError } from "../protocol/mod.ts";
import { createExchange, type Sink } from "./exchange.ts";
import { toRejection } from "./fetch.ts";
import { invalid } from "./inbound.ts";
import {
  type FetchInit,
  type FetchInput,
  type OutgoingRequest,
  toOutgoingRequest,
} from "./request.ts";
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

/** What one stream says, and what the next one has to know. */
interface Cursor {
  lastEventId: string;
  retryMs: number;
}

/** Creates an {@linkcode Events}. */
export function createEvents({ transport, timers }: EventsDeps): Events {
  async function* read(
    input: FetchInput,
    init: FetchInit | undefined,
    stop: AbortSignal,
  ): AsyncGenerator<ServerSentEvent, void, void> {
    const request = await toOutgoingRequest(input, init);
    const signal = request.signal === undefined ? stop : AbortSignal.any([request.signal, stop]);
    const isRepeatable = isIdempotent(request.method) &&
      (request.body === null || request.body instanceof Uint8Array);
    const cursor: Cursor = { lastEventId: "", retryMs: RETRY_MS };
    for (;;) {
      signal.throwIfAborted();
      try {
        yield* readStream(toEventRequest(request, cursor), { transport, signal, cursor });
        if (!isRepeatable) return;
      } catch (error) {
        const isBroken = error instanceof ProxyError && error.retryable;
        if (!isBroken || !isRepeatable) throw toRejection(error);
      }
      await sleep(cursor.retryMs, { timers, signal });
    }
  }

  return (input, init) => {
    const stop = new AbortController();
    const events = read(input, init, stop.signal);
    const unlessStopped = async (
      next: Promise<IteratorResult<ServerSentEvent, void>>,
    ): Promise<IteratorResult<ServerSentEvent, void>> => {
      try {
        return await next;
      } catch (error) {
        if (stop.signal.aborted) return { done: true, value: undefined };
        throw error;
      }
    };
    return {
      next: () => unlessStopped(events.next()),
      return(): Promise<IteratorResult<ServerSentEvent, void>> {
        stop.abort(); // before: a generator returns only when its pending next() has
        return unlessStopped(events.return());
      },
      [Symbol.asyncIterator](): AsyncIterableIterator<ServerSentEvent, void, void> {
        return this;
      },
    };
  };
}

function toEventRequest(request: OutgoingRequest, { lastEventId }: Cursor): OutgoingRequest {
  const headers = new Headers(
    request.headers.map(([name, value]): [string, string] => [name, value]),
  );
  if (!headers.has("accept") || headers.get("accept") === "*/*") {
    headers.set("accept", "text/event-stream");
  }
  if (lastEventId !== "") {
    // Its bytes in UTF-8 (WHATWG HTML §9.2.3), one a character.
    headers.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  }
  return { ...request, headers: [...headers] };
}

async function* readStream(
  request: OutgoingRequest,
  { transport, signal, cursor }: {
    readonly transport: Transport;
    readonly signal: AbortSignal;
    readonly cursor: Cursor;
  },
): AsyncGenerator<ServerSentEvent, void, void> {
  const events: ServerSentEvent[] = [];
  let ending: { readonly failure?: { readonly reason: unknown } } | undefined;
  let wake = (): void => {};
  let hasHead = false;

  const sink: Sink = {
    accept(answer): boolean {
      if (answer.type === "response" && !hasHead) {
        hasHead = true;
        refuse(answer.decoded);
        if (!answer.decoded.streamed) ending = {};
      } else if (answer.type === "end" && hasHead) ending = {};
      else if (answer.type !== "event" || !hasHead) {
        throw invalid("The server answered out of order");
      } else {
        cursor.lastEventId = answer.lastEventId ?? cursor.lastEventId;
        cursor.retryMs = answer.retryMs ?? cursor.retryMs;
        const { lastEventId } = cursor;
        events.push({ type: answer.event, data: answer.data, lastEventId });
      }
      wake();
      return ending !== undefined;
    },
    fail(reason): void {
      ending = { failure: { reason } };
      wake();
    },
  };
  const { exchange } = createExchange(request, { stream: "events" }, {
    ...transport,
    createSink: () => sink,
  });
  const abort = (): void => exchange.abort(signal.reason);
  signal.addEventListener("abort", abort);
  transport.submit(exchange);
  try {
    for (;;) {
      signal.throwIfAborted();
      const event = events.shift();
      if (event !== undefined) yield event;
      else if (ending === undefined) await new Promise<void>((resolve) => wake = resolve);
      else if (ending.failure !== undefined) throw ending.failure.reason;
      else return;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    exchange.abort(undefined);
  }
}

/** As EventSource does (WHATWG HTML §9.2.2): anything but 200 and an event stream is final. */
function refuse({ response: { status, headers } }: DecodedResponse): void {
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "nothing";
  if (status === 200 && /^\s*text\/event-stream\s*(;|$)/i.test(type)) return;
  const what = status === 200 ? `with ${type}` : `with status ${status}`;
  throw new ProxyError("http_protocol_error", `The answer is no event stream: it came ${what}`);
}

function sleep(
  delayMs: number,
  { timers, signal }: { readonly timers: Timers; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timers.clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = timers.setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", abort, { once: true });
  });
}
