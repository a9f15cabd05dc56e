/**
 * A dialect: how one subprotocol writes requests and answers. Its `decode` is where untrusted text
 * becomes a typed request.
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

/**
 * What a client calls an exchange. A number is unique among the exchanges in flight; a string is JSON
 * text to be handed back as it is; `undefined`: the exchange has no name.
 */
export type ExchangeId = number | string | undefined;

/** What a frame from the client turned out to be. */
export type Incoming =
  | { readonly type: "request"; readonly id: ExchangeId; readonly request: ProxyRequest }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "grant"; readonly id: number; readonly bytes: number }
  | { readonly type: "chunk"; readonly chunk: Chunk }
  | { readonly type: "ping"; readonly data?: string }
  | { readonly type: "auth"; readonly token: string }
  /** To be answered with this error. */
  | { readonly type: "invalid"; readonly id: ExchangeId; readonly error: ProxyError };

/** Frames that belong to the connection, not to an exchange. */
export type ConnectionFrame = HelloFrame | PongFrame | AuthenticatedFrame | GoawayFrame;

/** The frames of an exchange whose response comes in parts. */
export interface StreamDialect {
  encodeHead(id: number, response: StreamedResponse): string;
  /**
   * A chunk of the body, or an event frame, an end or a grant.
   *
   * @param scratch Memory for a chunk, where there is some to use again.
   */
  encodePart(
    part: Chunk | EventFrame | EndFrame | GrantFrame,
    scratch?: Uint8Array<ArrayBuffer>,
  ): string | Uint8Array<ArrayBuffer>;
}

/** One way to write frames. Nothing here throws. */
export interface Dialect {
  /** Its name in the log. */
  readonly name: string;
  /** Reads one WebSocket message. */
  decode(data: string | ArrayBuffer): Incoming;
  encodeResponse(id: ExchangeId, whole: WholeResponse): string;
  /** `requestId`: the exchange's name in the log. */
  encodeError(id: ExchangeId, error: ProxyError, requestId?: string): string;
  /** `undefined`: this dialect has no such frame. */
  encodeConnectionFrame(frame: ConnectionFrame): string | undefined;
  /** Absent: nothing streams in this dialect, and no request asks for it. */
  readonly stream?: StreamDialect;
}

/**
 * Parses a text message into a JSON object.
 *
 * @throws {ProxyError} `bad_frame`
 */
export function parseObject(data: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw new ProxyError("bad_frame", "The frame is not JSON; send one JSON object", { cause });
  }
  if (!isObject(value)) {
    throw new ProxyError("bad_frame", "The frame is not a JSON object; send one JSON object");
  }
  return value;
}

/** Says whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Turns the {@linkcode ProxyError} of a decoder into an `invalid` frame; throws everything else again.
 *
 * @param id The exchange to tie the error to.
 */
export function toInvalid(id: ExchangeId, thrown: unknown): Incoming {
  if (thrown instanceof ProxyError) return { type: "invalid", id, error: thrown };
  throw thrown;
}
