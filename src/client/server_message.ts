/**
 * Parses the messages of the server. Invalid messages never throw: they become a message of type `invalid`.
 *
 * @module
 */
import {
  decodeChunk,
  type ErrorCode,
  ProxyError,
  type ResponseFrame,
  type Sent,
  SUBPROTOCOL,
} from "../protocol/mod.ts";
import { parseResponse } from "../protocol/response.ts";

/** A part of the response to a request. */
export type ResponsePart =
  | {
    readonly type: "response";
    readonly id: number;
    readonly frame: ResponseFrame;
    /** The text of the frame. */
    readonly text: string;
  }
  | {
    readonly type: "chunk";
    readonly id: number;
    readonly payload: Uint8Array<ArrayBuffer>;
    readonly fin: boolean;
  }
  | {
    readonly type: "event";
    readonly id: number;
    readonly event: string;
    readonly data: string;
    readonly lastEventId: string | undefined;
    readonly retryMs: number | undefined;
  }
  | { readonly type: "end"; readonly id: number };

/** Grants credit for an upload. */
export interface UploadGrant {
  readonly type: "grant";
  readonly id: number;
  readonly bytes: number;
}

/** A message of the server. */
export type ServerMessage =
  | ResponsePart
  | UploadGrant
  | { readonly type: "hello"; readonly limits: ServerLimits }
  | { readonly type: "error"; readonly id: number | undefined; readonly error: ProxyError }
  | { readonly type: "goaway" }
  | { readonly type: "pong" }
  /** Fails the exchange that the message names, or the connection if the message names none. */
  | { readonly type: "invalid"; readonly id: number | undefined; readonly error: ProxyError };

/** The limits in `hello` that a client observes. */
export interface ServerLimits {
  readonly maxFrameBytes: number;
  readonly maxInFlight: number;
  readonly maxRequestBytes: number;
  readonly maxTimeoutMs: number;
  /** Credit in bytes that every upload starts with. */
  readonly windowBytes: number;
}

/** The limits of a server that has announced none. */
export const NO_LIMITS: ServerLimits = {
  maxFrameBytes: Infinity,
  maxInFlight: Infinity,
  maxRequestBytes: Infinity,
  maxTimeoutMs: Infinity,
  windowBytes: 0,
};

type Members = Readonly<Record<string, unknown>>;

/** Parses the data of a WebSocket message. */
export function parseServerMessage(data: unknown): ServerMessage {
  let id: number | undefined;
  try {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength >= 4) id = new DataView(data).getUint32(0);
      return { type: "chunk", ...decodeChunk(data) };
    }
    const text = String(data);
    const frame: Members = Object(JSON.parse(text));
    if (typeof frame.id === "number") id = frame.id;
    const message = parseFrame(frame, text, id);
    if (message !== undefined) return message;
    throw new TypeError("Not a frame of a server");
  } catch (cause) {
    return { type: "invalid", id, error: invalidMessage(cause) };
  }
}

/** Returns the failure of an exchange for which the server has sent an invalid or unexpected message. */
export function invalidMessage(cause?: unknown): ProxyError {
  return new ProxyError("bad_frame", "The server sent an invalid message", {
    sent: "maybe",
    cause,
  });
}

function parseFrame(
  frame: Members,
  text: string,
  id: number | undefined,
): ServerMessage | undefined {
  const { type } = frame;
  if (type === "hello") return parseHello(frame);
  if (type === "goaway" || type === "pong") return { type };
  if (type === "error") return { type, id, error: toProxyError(frame) };
  if (id === undefined) return undefined;
  if (type === "response") return { type, id, frame: parseResponse(frame), text };
  if (type === "end") return { type, id };
  if (type === "grant" && isCount(frame.bytes)) return { type, id, bytes: frame.bytes };
  return type === "event" ? parseEvent(frame, id) : undefined;
}

function parseHello({ protocol, limits }: Members): ServerMessage | undefined {
  if (protocol !== SUBPROTOCOL || !isObject(limits)) return undefined;
  return { type: "hello", limits: toServerLimits(limits) };
}

function toServerLimits(limits: Members): ServerLimits {
  const valid = Object.entries(limits).filter(([name, value]) =>
    Object.hasOwn(NO_LIMITS, name) && isCount(value) && value > 0
  );
  return { ...NO_LIMITS, ...Object.fromEntries(valid) };
}

function parseEvent(
  { event, data, lastEventId, retryMs }: Members,
  id: number,
): ServerMessage | undefined {
  if (typeof event !== "string" || typeof data !== "string") return undefined;
  return {
    type: "event",
    id,
    event,
    data,
    // The client sends the last event id in a header.
    lastEventId: typeof lastEventId === "string" && !/[\0\r\n]/.test(lastEventId)
      ? lastEventId
      : undefined,
    retryMs: isCount(retryMs) ? retryMs : undefined,
  };
}

function toProxyError({ code, message, sent, retryable, retryAfterMs }: Members): ProxyError {
  return new ProxyError(
    // A newer server may send a code that is not in ErrorCode.
    typeof code === "string" ? code as ErrorCode : "proxy_internal_error",
    typeof message === "string" ? message : "The server gave no reason",
    {
      sent: sent === "no" || sent === "yes" ? sent satisfies Sent : "maybe",
      retryable: retryable === true,
      ...(isCount(retryAfterMs) && { retryAfterMs }),
    },
  );
}

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns whether the value is a safe integer from 0. */
function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isSafeInteger(value);
}
