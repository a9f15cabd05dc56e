/**
 * Where responses go: into frames, under credit, and in turn with other exchanges.
 *
 * @module
 */
import type { Dialect } from "../dialect/dialect.ts";
import type { StreamEvent } from "../forward/events.ts";
import type { Limiter } from "../limits/limiter.ts";
import {
  type Chunk,
  type EndFrame,
  type EventFrame,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_MESSAGE_BYTES,
  ProxyError,
  type ResponseHead,
  type Timing,
  type WholeResponse,
} from "../protocol/mod.ts";
import { type Exchange, failExchange } from "./in_flight.ts";
import type { FrameSocket } from "./socket.ts";

/** What the responses of one connection go through. */
export interface OutletDeps {
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
  readonly limiter: Pick<Limiter, "count" | "spend">;
  /** What the limiter counts by: the identity, else the client's address. */
  readonly key: string;
  /** How long a client may give no credit, in milliseconds. */
  readonly creditIdleMs: number;
  /** Called when the head of a response has come whose body is streamed. */
  answered(exchange: Exchange): void;
  /** Called with what keeps the limiter from counting. */
  failed(error: unknown): void;
}

/** Where the parts of one response go. What is not sent at once gives a promise. */
export interface Outlet {
  head(head: ResponseHead, timing: Timing): void | Promise<void>;
  /** A piece of the body of any size; `fin` with the last. */
  bytes(bytes: Uint8Array<ArrayBuffer>, fin: boolean): void | Promise<void>;
  event(event: StreamEvent): void | Promise<void>;
  end(): void | Promise<void>;
}

/** Sends a whole response; a promise, where the client does not read. */
export function sendWhole(
  exchange: Exchange,
  whole: WholeResponse,
  deps: OutletDeps,
): void | Promise<void> {
  const { dialect, socket, limiter, key } = deps;
  const bytes = whole.response.body?.byteLength ?? 0;
  exchange.record.responseBytes += bytes;
  const counting = limiter.count(key, bytes);
  if (counting !== undefined) counting.catch((error) => deps.failed(error));
  return socket.send(() =>
    exchange.cancelled ? undefined : dialect.encodeResponse(exchange.id, whole)
  );
}

/** Creates the {@linkcode Outlet} of an exchange. */
export function createOutlet(exchange: Exchange, deps: OutletDeps): Outlet {
  const { id, record, credit, controller: { signal } } = exchange;
  const { dialect: { stream }, socket, limiter, key } = deps;
  // Only a dialect that streams has requests that stream, and its ids are numbers.
  const streamId = typeof id === "number" ? id : 0;
  let scratch: Uint8Array<ArrayBuffer> | undefined;

  function sendPart(part: Chunk | EventFrame | EndFrame): void | Promise<void> {
    return socket.sendPart(() =>
      exchange.cancelled ? undefined : stream?.encodePart(part, scratch)
    );
  }

  /** Counts the bytes of a part, which goes when what it gives has fulfilled. */
  function spend(bytes: number): void | Promise<void> {
    const spending = limiter.spend(key, bytes, signal);
    const spent = (): void => void (record.responseBytes += bytes);
    return spending === undefined ? spent() : spending.then(spent);
  }

  /** A client that takes nothing must not hold an upstream's place for ever. */
  async function waitForCredit(taking: Promise<number>): Promise<number> {
    const { creditIdleMs } = deps;
    const message = `The client granted no credit within ${creditIdleMs} ms`;
    const timer = setTimeout(
      () => failExchange(exchange, new ProxyError("flow_control_error", message, { sent: "yes" })),
      creditIdleMs,
    );
    const size = await taking;
    clearTimeout(timer);
    return size;
  }

  async function sendBytes(bytes: Uint8Array<ArrayBuffer>, fin: boolean): Promise<void> {
    // A WebSocket copies what it is given, so that one piece of memory serves every chunk.
    scratch ??= new Uint8Array(MAX_CHUNK_MESSAGE_BYTES);
    let rest = bytes;
    while (rest.byteLength > 0 && !exchange.cancelled) {
      const wanted = Math.min(rest.byteLength, MAX_CHUNK_BYTES);
      const taking = credit === undefined ? wanted : credit.take(wanted);
      const size = typeof taking === "number" ? taking : await waitForCredit(taking);
      if (size === 0) return; // the exchange has failed meanwhile
      const payload = rest.subarray(0, size);
      rest = rest.subarray(size);
      const spending = spend(size);
      if (spending !== undefined) await spending;
      const sending = sendPart({ id: streamId, payload, fin: fin && rest.byteLength === 0 });
      if (sending !== undefined) await sending;
    }
    if (fin && bytes.byteLength === 0) await sendPart({ id: streamId, payload: bytes, fin });
  }

  return {
    head(head, timing): void | Promise<void> {
      deps.answered(exchange);
      const { requestId } = record;
      const make = (): string | undefined =>
        exchange.cancelled ? undefined : stream?.encodeHead(streamId, { head, timing, requestId });
      return socket.send(make, false); // parts follow it, and need not make way for it
    },
    bytes: sendBytes,
    event(event): void | Promise<void> {
      const spending = spend(sizeOf(event));
      const send = (): void | Promise<void> => sendPart({ type: "event", id: streamId, ...event });
      return spending === undefined ? send() : spending.then(send);
    },
    end: () => sendPart({ type: "end", id: streamId }),
  };
}

// Types that the body has not named.
const OWN_TYPES: ReadonlySet<string> = new Set(["message", "line"]);

/** Bytes of what an event carries of the body: every text can be long, and each event repeats the last id. */
function sizeOf({ event, data, lastEventId = "" }: StreamEvent): number {
  const type = OWN_TYPES.has(event) ? "" : event;
  return new TextEncoder().encode(type + lastEventId + data).byteLength;
}
