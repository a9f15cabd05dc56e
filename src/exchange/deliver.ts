/**
 * From an upstream's response to the client: whole, in chunks or in events.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { ToEvents } from "./events.ts";
import type { ForwardResponse } from "../forward/forward.ts";
import type { ProxyError, ResponseHead, StreamMode } from "../protocol/mod.ts";
import type { Deadline } from "../connection/deadline.ts";
import type { Exchange } from "../connection/in_flight.ts";
import { createOutlet, type Outlet, type OutletDeps, sendWhole } from "../connection/outlet.ts";
import { readAhead } from "./read_ahead.ts";
import { toTiming } from "../connection/times.ts";

/** How much is delivered. */
export interface DeliverOptions {
  /** Bytes of a decoded response body that comes whole, and of one event of a stream. */
  readonly maxResponseBytes: number;
  /** Bytes of a decoded response body that is streamed. */
  readonly maxStreamBytes: number;
  /** The longest silence of a streamed response, in milliseconds. */
  readonly streamIdleMs: number;
}

/** What cuts a body into events. */
export interface DeliverDeps {
  readonly toServerSentEvents: ToEvents;
  readonly toLines: ToEvents;
}

/** How one response goes to its client. */
export interface Delivery {
  readonly exchange: Exchange;
  readonly outlet: OutletDeps;
  /** Of the exchange; while a body is streamed, it is for the destination's silence. */
  readonly deadline: Deadline;
  /** Gives the error of a silence that was too long. */
  readonly silent: () => ProxyError;
}

/**
 * Sends a response in the form that the request asks for; throws what reading the body throws. Gives no
 * promise when all has come and was sent at once.
 */
export type Deliver = (response: ForwardResponse, delivery: Delivery) => void | Promise<void>;

type Bytes = Uint8Array<ArrayBuffer>;

// A streamed body that is no longer than this goes whole when it comes at once.
const MAX_WHOLE_BYTES = 16_384;

/** Creates a {@linkcode Deliver}. */
export function createDeliver(
  { maxResponseBytes, maxStreamBytes, streamIdleMs }: DeliverOptions,
  { toServerSentEvents, toLines }: DeliverDeps,
): Deliver {
  /** Gives the same chunks; between two of them the destination may be silent only for so long. */
  async function* watch(
    chunks: AsyncIterable<Bytes>,
    { deadline, silent }: Pick<Delivery, "deadline" | "silent">,
  ): AsyncGenerator<Bytes> {
    deadline.set(streamIdleMs, silent);
    for await (const chunk of chunks) {
      deadline.clear(); // what the client takes its time for is not the destination's silence
      yield chunk;
      deadline.set(streamIdleMs, silent);
    }
    deadline.clear();
  }

  /** Most bodies have come with their heads: nothing is waited for then. */
  function deliverWhole(response: ForwardResponse, delivery: Delivery): void | Promise<void> {
    const isBuffered = delivery.exchange.request.stream !== true;
    const reading = response.bytes(isBuffered ? maxResponseBytes : maxStreamBytes);
    return reading instanceof Promise
      ? reading.then((body) => send(response, body, delivery))
      : send(response, reading, delivery);
  }

  async function deliverParts(
    response: ForwardResponse,
    chunks: AsyncIterable<Bytes>,
    delivery: Delivery,
  ): Promise<void> {
    const { exchange } = delivery;
    const { length } = response;
    const mode = exchange.request.stream;
    const watched = watch(chunks, delivery);
    const ahead = mode === true && isShort(length) ? readAhead(watched, length) : undefined;
    const body = await ahead?.whole();
    if (body !== undefined) return await send(response, body, delivery);
    const outlet = createOutlet(exchange, delivery.outlet);
    const head = outlet.head(toHead(response), toTiming(exchange.times, false));
    if (head !== undefined) await head;
    if (mode === true) return await sendBytes(ahead?.chunks() ?? watched, outlet);
    const toEvents = mode === "events" ? toServerSentEvents : toLines;
    for await (const event of toEvents(watched, maxResponseBytes)) await outlet.event(event);
    await outlet.end();
  }

  function deliver(response: ForwardResponse, delivery: Delivery): void | Promise<void> {
    const mode = delivery.exchange.request.stream;
    const chunks = isStreamed(response, mode) ? response.chunks(maxStreamBytes) : null;
    return chunks === null
      ? deliverWhole(response, delivery)
      : deliverParts(response, chunks, delivery);
  }

  return (response, delivery) => {
    // No body is read for a client that does not read.
    const ready = delivery.outlet.socket.send(() => undefined, false);
    return ready === undefined
      ? deliver(response, delivery)
      : ready.then(() => deliver(response, delivery));
  };
}

/** Events come only of an event stream that was granted; of anything else the client sees the whole. */
function isStreamed(
  { status, headers, length, isHere }: ForwardResponse,
  mode: StreamMode,
): boolean {
  if (mode === false) return false;
  if (mode === true) return length !== 0 && !(isHere && isShort(length));
  if (mode === "lines") return true;
  const [, type = ""] = headers.find(([name]) => name === "content-type") ?? [];
  return status === STATUS_CODE.OK && /^\s*text\/event-stream\s*(?:;|$)/i.test(type);
}

function isShort(length: number | undefined): length is number {
  return length !== undefined && length <= MAX_WHOLE_BYTES;
}

function send(
  response: ForwardResponse,
  body: Bytes | null,
  { exchange, outlet }: Delivery,
): void | Promise<void> {
  const { status, statusText, url, redirected, headers } = response;
  return sendWhole(exchange, {
    response: { status, statusText, url, redirected, headers, body },
    timing: toTiming(exchange.times, true),
    asBytes: exchange.request.stream === true,
    requestId: exchange.record.requestId,
  }, outlet);
}

async function sendBytes(chunks: AsyncIterable<Bytes>, outlet: Outlet): Promise<void> {
  for await (const chunk of chunks) {
    const sending = outlet.bytes(chunk, false);
    if (sending !== undefined) await sending;
  }
  await outlet.bytes(new Uint8Array(), true);
}

function toHead({ status, statusText, url, redirected, headers }: ForwardResponse): ResponseHead {
  return { status, statusText, url, redirected, headers };
}
