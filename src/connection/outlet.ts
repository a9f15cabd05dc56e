/**
 * Where the response of one exchange goes: into frames, under credit, and in turn with other exchanges.
 *
 * @module
 */
import type { Dialect, ExchangeId } from "../dialect/dialect.ts";
import {
  type Chunk,
  type EndFrame,
  type EventFrame,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_MESSAGE_BYTES,
  ProxyError,
} from "../protocol/mod.ts";
import type { Credit } from "./credit.ts";
import type { StreamEvent } from "../forward/events.ts";
import type { Outlet } from "./delivery.ts";
import type { FrameSocket } from "./socket.ts";

/** What an outlet works with. */
export interface OutletDeps {
  /** The exchange's name in the log. */
  readonly requestId: string;
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
  /** For the payload of chunks. */
  readonly credit: Credit;
  /** How long a client may give no credit, in milliseconds. */
  readonly creditIdleMs: number;
  /** Ends the exchange. */
  readonly fail: (error: ProxyError) => void;
  /** Whether anybody still wants the response. */
  readonly isWanted: () => boolean;
  /** Counts the bytes of a body that goes whole. */
  readonly count: (bytes: number) => void;
  /** Counts the bytes of a part of a body, which goes when what it gives has fulfilled. */
  readonly spend: (bytes: number) => void | Promise<void>;
}

/** Creates the {@linkcode Outlet} of an exchange. */
export function createOutlet(
  id: ExchangeId,
  deps: OutletDeps,
): Outlet {
  const { requestId, dialect, socket, credit, isWanted, count, spend } = deps;
  const { stream } = dialect;
  // Only a dialect that streams has requests that stream, and its ids are numbers.
  const streamId = typeof id === "number" ? id : 0;

  let scratch: Uint8Array<ArrayBuffer> | undefined;

  function sendPart(part: Chunk | EventFrame | EndFrame): void | Promise<void> {
    return socket.sendPart(() => isWanted() ? stream?.encodePart(part, scratch) : undefined);
  }

  /** A client that takes nothing must not hold an upstream's place for ever. */
  async function waitForCredit(taking: Promise<number>): Promise<number> {
    const { creditIdleMs, fail } = deps;
    const message = `The client granted no credit within ${creditIdleMs} ms`;
    const timer = setTimeout(
      () => fail(new ProxyError("flow_control_error", message, { sent: "yes" })),
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
    while (rest.byteLength > 0 && isWanted()) {
      const taking = credit.take(Math.min(rest.byteLength, MAX_CHUNK_BYTES));
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
    ready: () => socket.send(() => undefined, false),
    whole(whole): void | Promise<void> {
      count(whole.response.body?.byteLength ?? 0);
      return socket.send(() =>
        isWanted() ? dialect.encodeResponse(id, { ...whole, requestId }) : undefined
      );
    },
    head(head, timing): void | Promise<void> {
      const make = (): string | undefined =>
        isWanted() ? stream?.encodeHead(streamId, head, timing, { requestId }) : undefined;
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
