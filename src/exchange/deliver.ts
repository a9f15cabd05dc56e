/**
 * Delivers a response to the outlet of its exchange: whole, in chunks or in events.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import type { ForwardResponse } from "../forward/forward.ts";
import type { Body, Bytes } from "../http/body.ts";
import type { ResponseHead, StreamMode, Timing } from "../protocol/mod.ts";
import type { Turns } from "../turns/turns.ts";
import { toLines, toServerSentEvents } from "./events.ts";
import { type Exchange, roundMs } from "./exchange.ts";
import { FrameMemory } from "./frame_memory.ts";
import type { Outlet } from "./outlet.ts";
import { readAhead } from "./read_ahead.ts";

/** Limits of what is delivered. */
export interface DeliverLimits {
  /** Bytes of a decoded response body that is delivered whole, and of one event of a stream. */
  readonly maxResponseBytes: number;
  /** Bytes of a decoded response body that is streamed. */
  readonly maxStreamBytes: number;
  /** The longest silence of a streamed response, in milliseconds. */
  readonly streamIdleMs: number;
}

/**
 * Delivers a response in the form that the request asks for; throws what reading the body throws. Returns no
 * promise when the whole body has arrived and was taken at once.
 */
export type Deliver = (
  exchange: Exchange,
  response: ForwardResponse,
  outlet: Outlet,
) => void | Promise<void>;

interface StreamedResponse {
  readonly head: ResponseHead;
  readonly body: Body;
}

// A streamed body that is no longer than this is delivered whole when it arrives at once.
const MAX_WHOLE_BYTES = 16_384;

/** Creates a {@linkcode Deliver}. */
export function createDeliver(
  { maxResponseBytes, maxStreamBytes, streamIdleMs }: DeliverLimits,
  { clock, turns }: { readonly clock: Clock; readonly turns: Turns },
): Deliver {
  /** Returns the same chunks; between two of them the destination may be silent only for so long. */
  async function* watch(chunks: AsyncIterable<Bytes>, exchange: Exchange): AsyncGenerator<Bytes> {
    exchange.stage = "stream";
    exchange.setDeadline(streamIdleMs);
    for await (const chunk of chunks) {
      exchange.clearDeadline(); // the destination is not silent while the client reads
      yield chunk;
      exchange.setDeadline(streamIdleMs);
    }
    exchange.clearDeadline();
  }

  /** Returns no promise when the body has arrived with its head, as most bodies have. */
  function deliverWhole(
    exchange: Exchange,
    { head, body }: ForwardResponse,
    outlet: Outlet,
  ): void | Promise<void> {
    if (body === null) return sendWhole(exchange, head, null, outlet);
    const maxBytes = exchange.request.stream === true ? maxStreamBytes : maxResponseBytes;
    const { memory } = exchange;
    const kept = body.isHere || memory === undefined
      ? undefined
      : new FrameMemory(memory, maxBytes);
    const reading = body.bytes(maxBytes, kept);
    return reading instanceof Promise
      ? reading.then((bytes) => sendWhole(exchange, head, bytes, outlet))
      : sendWhole(exchange, head, reading, outlet);
  }

  async function deliverParts(
    exchange: Exchange,
    { head, body }: StreamedResponse,
    outlet: Outlet,
  ): Promise<void> {
    const { length } = body;
    const { memory, request: { stream: mode } } = exchange;
    const chunks = watch(body.chunks(maxStreamBytes, memory), exchange);
    const ahead = mode === true && isShort(length)
      ? readAhead(chunks, { length, clock })
      : undefined;
    const whole = await ahead?.whole();
    if (whole !== undefined) return await sendWhole(exchange, head, whole, outlet);
    // A stream can last long, and mostly waits for its destination or its client.
    exchange.place?.[Symbol.dispose]();
    await outlet.head(head, toTiming(exchange, false));
    if (mode === true) return await sendBytes(ahead?.chunks() ?? chunks, outlet);
    const toEvents = mode === "events" ? toServerSentEvents : toLines;
    for await (const event of toEvents(chunks, maxResponseBytes, { turns, memory })) {
      const sending = outlet.event(event);
      if (sending !== undefined) await sending;
    }
    await outlet.end();
  }

  function deliverReady(
    exchange: Exchange,
    response: ForwardResponse,
    outlet: Outlet,
  ): void | Promise<void> {
    const { head, body } = response;
    return body !== null && isStreamed(head, body, exchange.request.stream)
      ? deliverParts(exchange, { head, body }, outlet)
      : deliverWhole(exchange, response, outlet);
  }

  return (exchange, response, outlet) => {
    // No body is read for a client that does not read.
    const ready = outlet.ready();
    return ready === undefined
      ? deliverReady(exchange, response, outlet)
      : ready.then(() => deliverReady(exchange, response, outlet));
  };
}

/** Returns whether a body is delivered in parts. Events are read from a 200 of type `text/event-stream` alone. */
function isStreamed(
  { status, headers }: ResponseHead,
  { length, isHere }: Body,
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

function sendWhole(
  exchange: Exchange,
  { status, statusText, url, redirected, headers }: ResponseHead,
  body: Bytes | null,
  outlet: Outlet,
): void | Promise<void> {
  const response = { status, statusText, url, redirected, headers, body };
  return outlet.whole(response, toTiming(exchange, true));
}

async function sendBytes(chunks: AsyncIterable<Bytes>, outlet: Outlet): Promise<void> {
  for await (const chunk of chunks) {
    const sending = outlet.bytes(chunk, false);
    if (sending !== undefined) await sending;
  }
  await outlet.bytes(new Uint8Array(), true);
}

/** Returns the times that a response reports. */
function toTiming(exchange: Exchange, isWhole: boolean): Timing {
  const { queueMs, dnsMs, waitMs, record: { connectMs, tlsMs } } = exchange;
  const totalMs = exchange.elapsedMs();
  return {
    queueMs,
    ...(dnsMs !== undefined && { dnsMs }),
    ...(connectMs !== undefined && { connectMs }),
    ...(tlsMs !== undefined && { tlsMs }),
    waitMs,
    ...(isWhole && { transferMs: roundMs(totalMs - waitMs) }),
    totalMs,
  };
}
