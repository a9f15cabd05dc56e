/**
 * From an upstream's response to the client: whole, in chunks or in events.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { WholeResponse } from "../dialect/dialect.ts";
import type { StreamEvent, ToEvents } from "../forward/events.ts";
import type { ForwardResponse } from "../forward/forward.ts";
import type {
  HttpResponse,
  ProxyError,
  ResponseHead,
  StreamMode,
  Timing,
} from "../protocol/mod.ts";
import type { Deadline } from "./deadline.ts";
import { readAhead } from "./read_ahead.ts";

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
  readonly mode: StreamMode;
  readonly outlet: Outlet;
  /** Gives the times so far; `isWhole`: the body has been read. */
  readonly timing: (isWhole: boolean) => Timing;
  /** Of the exchange; while a body is streamed, it is for the destination's silence. */
  readonly deadline: Deadline;
  /** Gives the error of a silence that was too long. */
  readonly silent: () => ProxyError;
}

/** Sends a response in the form that the request asks for; throws what reading the body throws. */
export type Deliver = (response: ForwardResponse, delivery: Delivery) => Promise<void>;

// A streamed response whose body is known to be no longer comes whole, if it comes so soon behind its head.
const MAX_WHOLE_BYTES = 16_384;

/** Creates a {@linkcode Deliver}. */
export function createDeliver(
  { maxResponseBytes, maxStreamBytes, streamIdleMs }: DeliverOptions,
  { toServerSentEvents, toLines }: DeliverDeps,
): Deliver {
  /** Gives the same chunks; between two of them the destination may be silent only for so long. */
  async function* watch(
    chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
    { deadline, silent }: Pick<Delivery, "deadline" | "silent">,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    deadline.set(streamIdleMs, silent);
    for await (const chunk of chunks) {
      deadline.clear(); // what the client takes its time for is not the destination's silence
      yield chunk;
      deadline.set(streamIdleMs, silent);
    }
    deadline.clear();
  }

  return async function deliver(response, delivery): Promise<void> {
    const { mode, outlet, timing } = delivery;
    const ready = outlet.ready();
    if (ready !== undefined) await ready;
    const chunks = isStreamed(response, mode) ? response.chunks(maxStreamBytes) : undefined;
    if (chunks === undefined || chunks === null) {
      const whole = await readWhole(response, maxResponseBytes);
      return await outlet.whole({ response: whole, timing: timing(true), asBytes: mode === true });
    }
    const { length = Infinity } = response;
    const watched = watch(chunks, delivery);
    const ahead = mode === true && length <= MAX_WHOLE_BYTES ? readAhead(watched) : undefined;
    const body = await ahead?.whole(length);
    if (body !== undefined) {
      const whole = { ...toHead(response), body };
      return await outlet.whole({ response: whole, timing: timing(true), asBytes: true });
    }
    const head = outlet.head(toHead(response), timing(false));
    if (head !== undefined) await head;
    if (mode === true) return await sendBytes(ahead?.chunks() ?? watched, outlet);
    const toEvents = mode === "events" ? toServerSentEvents : toLines;
    for await (const event of toEvents(watched, maxResponseBytes)) await outlet.event(event);
    await outlet.end();
  };
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

function toHead({ status, statusText, url, redirected, headers }: ForwardResponse): ResponseHead {
  return { status, statusText, url, redirected, headers };
}

async function readWhole(response: ForwardResponse, maxBytes: number): Promise<HttpResponse> {
  const reading = response.bytes(maxBytes);
  const body = reading instanceof Promise ? await reading : reading;
  return { ...toHead(response), body };
}
