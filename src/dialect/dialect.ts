/**
 * A dialect: the frames of one subprotocol. Its `decode` turns untrusted text into a typed request.
 *
 * @module
 */
import {
  type AuthenticatedFrame,
  type Chunk,
  type EndFrame,
  type EventFrame,
  type GoawayFrame,
  type GrantFrame,
  type HelloFrame,
  type PongFrame,
  ProxyError,
  type ProxyRequest,
  type StreamedResponse,
  type WholeResponse,
} from "../protocol/mod.ts";
import { parseFrameText } from "./long_frame.ts";

/**
 * The id that a client has given to an exchange. A number is unique among the exchanges in flight; a string
 * is JSON text that is returned as it is written; `undefined`: the client has given no id.
 */
export type ExchangeId = number | string | undefined;

/** A decoded message of a client. */
export type Incoming =
  | { readonly type: "request"; readonly id: ExchangeId; readonly request: ProxyRequest }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "grant"; readonly id: number; readonly bytes: number }
  | { readonly type: "chunk"; readonly chunk: Chunk }
  | { readonly type: "ping"; readonly data?: string }
  | { readonly type: "auth"; readonly token: string }
  /** A frame that is not valid: the server sends this error. */
  | { readonly type: "invalid"; readonly id: ExchangeId; readonly error: ProxyError };

/** Frames of the server that belong to the connection and not to an exchange. */
export type ConnectionFrame = HelloFrame | PongFrame | AuthenticatedFrame | GoawayFrame;

/** The frames of a response whose body is sent in parts. */
export interface StreamDialect {
  encodeHead(id: number, response: StreamedResponse): string;
  /**
   * Returns the message of a chunk, or of an event, end or grant frame.
   *
   * @param scratch The memory to write a chunk to; allocated if absent.
   */
  encodePart(
    part: Chunk | EventFrame | EndFrame | GrantFrame,
    scratch?: Uint8Array<ArrayBuffer>,
  ): string | Uint8Array<ArrayBuffer>;
  /**
   * Returns the text of an event frame in steps that take a few milliseconds at most; yields between them.
   *
   * @param frame Its data is not used.
   * @param data The data as bytes; U+FFFD stands for what is not UTF-8.
   */
  encodeLongEvent(
    frame: EventFrame,
    data: Uint8Array<ArrayBuffer>,
  ): Generator<undefined, string>;
}

/** Decodes and encodes the messages of one subprotocol. None of these functions throws. */
export interface Dialect {
  /** The name of the dialect in the log. */
  readonly name: string;
  /** Decodes a WebSocket message of the client. */
  decode(data: string | ArrayBuffer): Incoming;
  encodeResponse(id: ExchangeId, whole: WholeResponse): string;
  /** Returns the same text in steps that take a few milliseconds at most, for a long body; yields between them. */
  encodeLongResponse(id: ExchangeId, whole: WholeResponse): Generator<undefined, string>;
  /** Encodes an error frame; `requestId` is the name of the exchange in the log. */
  encodeError(id: ExchangeId, error: ProxyError, requestId?: string): string;
  /** Encodes a frame of the connection; `undefined` if the dialect has no such frame. */
  encodeConnectionFrame(frame: ConnectionFrame): string | undefined;
  /** Absent: the dialect cannot stream, and its requests never ask for it. */
  readonly stream?: StreamDialect;
}

/**
 * Parses a text message as a JSON object.
 *
 * @param body The member of a JSON body, whose value may be replaced; see {@linkcode parseFrameText}.
 * @throws {ProxyError} `bad_frame`: the message is not a JSON object.
 */
export function parseObject(data: string, body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseFrameText(data, body);
  } catch (cause) {
    if (cause instanceof ProxyError) throw cause;
    throw new ProxyError("bad_frame", "The frame is not JSON; send one JSON object", { cause });
  }
  if (!isObject(value)) {
    throw new ProxyError("bad_frame", "The frame is not a JSON object; send one JSON object");
  }
  return value;
}

/** Reports whether a parsed JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Returns the {@linkcode ProxyError} that a decoder has thrown as an `invalid` frame; rethrows any other error.
 *
 * @param id The exchange that the error belongs to, if any.
 */
export function toInvalid(id: ExchangeId, thrown: unknown): Incoming {
  if (thrown instanceof ProxyError) return { type: "invalid", id, error: thrown };
  throw thrown;
}

/** Returns an id that a client has chosen; `undefined` for the ids of dialects in which clients choose none. */
export function toNumber(id: ExchangeId): number | undefined {
  return typeof id === "number" ? id : undefined;
}
