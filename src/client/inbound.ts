/**
 * What a message of the server means. Nothing that a server sends makes this throw.
 *
 * @module
 */
import {
  decodeChunk,
  type ErrorCode,
  type Limits,
  ProxyError,
  type ResponseFrame,
  type Sent,
  SUBPROTOCOL,
} from "../protocol/mod.ts";
import { parseResponse } from "../protocol/response.ts";

/** A part of the answer to a request. */
export type Answer =
  | {
    readonly type: "response";
    readonly id: number;
    readonly frame: ResponseFrame;
    /** What the frame was parsed from. */
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

/** A message of the server. */
export type Inbound =
  | Answer
  | { readonly type: "hello"; readonly limits: ClientLimits }
  | { readonly type: "grant"; readonly id: number; readonly bytes: number }
  | { readonly type: "error"; readonly id: number | undefined; readonly error: ProxyError }
  | { readonly type: "goaway" }
  | { readonly type: "pong" }
  /** Nothing that is known: fails the exchange that it names, and without one the connection. */
  | { readonly type: "invalid"; readonly id: number | undefined; readonly error: ProxyError };

/** The limits that a client can obey. */
export type ClientLimits = Omit<Limits, "maxResponseBytes">;

type Members = Readonly<Record<string, unknown>>;

/** What holds as long as the server has not said anything else. */
export const NO_LIMITS: ClientLimits = {
  maxFrameBytes: Infinity,
  maxInFlight: Infinity,
  maxRequestBytes: Infinity,
  maxTimeoutMs: Infinity,
  windowBytes: 0,
};

function toLimits(limits: Readonly<Record<string, unknown>>): ClientLimits {
  const said = Object.keys(NO_LIMITS).filter((name) => isCount(limits[name]) && limits[name] > 0);
  return { ...NO_LIMITS, ...Object.fromEntries(said.map((name) => [name, limits[name]])) };
}

/** Gives what a message means. */
export function parseInbound(data: unknown): Inbound {
  let id: number | undefined;
  try {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength >= 4) id = new DataView(data).getUint32(0);
      return { type: "chunk", ...decodeChunk(data) };
    }
    const text = String(data);
    const frame: unknown = JSON.parse(text);
    if (!isObject(frame)) throw new TypeError("not an object");
    if (typeof frame.id === "number") id = frame.id;
    const inbound = parseFrame(frame, text, id);
    if (inbound !== undefined) return inbound;
    throw new TypeError("not a frame");
  } catch (cause) {
    return { type: "invalid", id, error: invalid(cause) };
  }
}

/** Gives the failure of an exchange whose answer means nothing. */
export function invalid(cause?: unknown): ProxyError {
  const message = "The server sent what cannot be understood";
  return new ProxyError("bad_frame", message, { sent: "maybe", cause });
}

function parseFrame(frame: Members, text: string, id: number | undefined): Inbound | undefined {
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

function parseHello({ protocol, limits }: Members): Inbound | undefined {
  if (protocol !== SUBPROTOCOL || !isObject(limits)) return undefined;
  return { type: "hello", limits: toLimits(limits) };
}

function parseEvent(
  { event, data, lastEventId, retryMs }: Members,
  id: number,
): Inbound | undefined {
  if (typeof event !== "string" || typeof data !== "string") return undefined;
  return {
    type: "event",
    id,
    event,
    data,
    // It goes into a header.
    lastEventId: typeof lastEventId === "string" && !/[\0\r\n]/.test(lastEventId)
      ? lastEventId
      : undefined,
    retryMs: isCount(retryMs) ? retryMs : undefined,
  };
}

function toProxyError({ code, message, sent, retryable, retryAfterMs }: Members): ProxyError {
  return new ProxyError(
    // A newer server may have a code that this client does not know.
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

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isSafeInteger(value);
}
