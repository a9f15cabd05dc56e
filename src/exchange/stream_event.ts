/**
 * An event of a streamed response: a server-sent event, or a line.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../http/body.ts";
import { ProxyError } from "../protocol/mod.ts";

/** What a stream tells besides its events. */
export interface StreamState {
  /** The last id that the stream has set; `""` when the stream has reset it, absent when it has set none. */
  readonly lastEventId?: string;
  /** The reconnection time that the stream has set since the last event, in milliseconds. */
  readonly retryMs?: number;
}

/** An event or a line. It is valid until the next one is requested. */
export interface StreamEvent extends StreamState {
  /** The type of the event, `message` if the stream names none; `line` for a line. */
  readonly event: string;
  /** The text. A long text is kept as bytes, outside V8's heap, and decoded each time it is read. */
  readonly data: string;
  /** The bytes of a long text, as received; absent when `data` is a plain string. */
  readonly dataBytes?: Bytes;
}

// Types that are not part of the body.
const OWN_TYPES: ReadonlySet<string> = new Set(["message", "line"]);

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Returns a part of bytes as text; U+FFFD stands for what is not UTF-8. */
export function decodeText(bytes: Bytes, start: number, end: number): string {
  return start === end ? "" : UTF8.decode(bytes.subarray(start, end));
}

/** Creates an event. Data that is given as bytes is decoded when it is read, so that an event that waits stays small. */
export function createEvent(
  event: string,
  data: string | Bytes,
  state: StreamState = {},
): StreamEvent {
  if (typeof data === "string") return { event, data, ...state };
  return {
    event,
    get data(): string {
      return decodeText(data, 0, data.byteLength);
    },
    dataBytes: data,
    ...state,
  };
}

/** Returns an event with the text as a plain string, or with other data: to be called when the event can be sent. */
export function toPlainEvent(streamed: StreamEvent, data = streamed.data): StreamEvent {
  const { event, lastEventId, retryMs } = streamed;
  return {
    event,
    data,
    ...(lastEventId !== undefined && { lastEventId }),
    ...(retryMs !== undefined && { retryMs }),
  };
}

/**
 * Returns how many bytes of the body an event carries. Any text can be long, and every event repeats the last id.
 */
export function sizeOfEvent(streamed: StreamEvent): number {
  const { event, lastEventId = "", dataBytes } = streamed;
  const type = OWN_TYPES.has(event) ? "" : event;
  const state = Buffer.byteLength(type) + Buffer.byteLength(lastEventId);
  return state + (dataBytes?.byteLength ?? Buffer.byteLength(streamed.data));
}

/** Returns the error of an event or a line that is too large, or of a field of an event. */
export function eventTooLarge(maxBytes: number, field?: string): ProxyError {
  const part = field === undefined ? "An event" : `A field "${field}"`;
  const message = `${part} of the response is larger than ${maxBytes} bytes`;
  return new ProxyError("http_response_body_size", message);
}

/** Parses a stream piece by piece. */
export interface StreamParser {
  /** Takes the next piece, when {@linkcode next} has returned nothing. The piece must stay as it is until then. */
  load(piece: Bytes): void;
  /**
   * Returns the next event, or nothing when the piece is used up. A promise has to be waited for before the next call.
   *
   * @throws {ProxyError} `http_response_body_size`: an event is too large.
   */
  next(): StreamEvent | Promise<void> | undefined;
  /** Returns the event that the end of the stream completes. */
  end(): StreamEvent | undefined;
  /** Frees the memory of the parser. */
  close(): void;
  /** The number of lines so far. */
  readonly lines: number;
}
