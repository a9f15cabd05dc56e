/**
 * What a message of the server means. Nothing that a server sends makes this throw.
 *
 * @module
 */
import {
  decodeChunk,
  type DecodedResponse,
  decodeResponse,
  type ErrorCode,
  type Limits,
  ProxyError,
  type Sent,
  SUBPROTOCOL,
} from "../protocol/mod.ts";

/** A part of the answer to a request. */
export type Answer =
  | { readonly type: "response"; readonly id: number; readonly decoded: DecodedResponse }
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
    readonly lastEventId?: string;
    readonly retryMs?: number;
  }
  | { readonly type: "end"; readonly id: number };

/** A message of the server. */
export type Inbound =
  | Answer
  | { readonly type: "hello"; readonly limits: Limits }
  | { readonly type: "grant"; readonly id: number; readonly bytes: number }
  | { readonly type: "error"; readonly id: number | undefined; readonly error: ProxyError }
  | { readonly type: "goaway" }
  | { readonly type: "pong" }
  /** Nothing that is known: fails the exchange that it names, and without one the connection. */
  | { readonly type: "invalid"; readonly id: number | undefined; readonly error: ProxyError };

type Members = Readonly<Record<string, unknown>>;

/** Gives what a message means. */
export function parseInbound(data: unknown): Inbound {
  let id: number | undefined;
  try {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength >= 4) id = new DataView(data).getUint32(0);
      return { type: "chunk", ...decodeChunk(data) };
    }
    const text = String(data);
    // As the server writes it: parsed once.
    if (text.startsWith('{"type":"response"')) {
      const decoded = readResponse(text);
      if (decoded !== undefined) return { type: "response", id: decoded.id, decoded };
    }
    const frame: unknown = JSON.parse(text);
    if (!isObject(frame)) throw invalid("The server sent a frame that is not an object");
    if (typeof frame.id === "number") id = frame.id;
    return parseFrame(frame, text, id);
  } catch (error) {
    return { type: "invalid", id, error: toInvalid(error) };
  }
}

/** Gives the failure of an exchange whose answer means nothing. */
export function invalid(message: string, cause?: unknown): ProxyError {
  return new ProxyError("bad_frame", message, { sent: "maybe", cause });
}

function readResponse(text: string): DecodedResponse | undefined {
  try {
    return decodeResponse(text);
  } catch {
    return undefined; // the long way finds its id
  }
}

function toInvalid(error: unknown): ProxyError {
  return error instanceof ProxyError && error.sent === "maybe"
    ? error
    : invalid("The server sent a frame that cannot be understood", error);
}

function parseFrame(frame: Members, text: string, id: number | undefined): Inbound {
  const { type } = frame;
  if (type === "hello") return parseHello(frame);
  if (type === "goaway" || type === "pong") return { type };
  if (type === "error") return { type, id, error: toProxyError(frame) };
  if (id === undefined) throw invalid("The server sent a frame without an id");
  if (type === "response") return { type, id, decoded: decodeResponse(text) };
  if (type === "end") return { type, id };
  if (type === "grant" && isCount(frame.bytes)) return { type, id, bytes: frame.bytes };
  if (type === "event") return parseEvent(frame, id);
  throw invalid("The server sent a frame of a type that is not known");
}

function parseHello({ protocol, limits }: Members): Inbound {
  if (protocol !== SUBPROTOCOL || !isObject(limits)) {
    throw invalid(`The server does not speak ${SUBPROTOCOL}`);
  }
  const limit = (name: string, otherwise: number): number => {
    const value = limits[name];
    return isCount(value) ? value : otherwise;
  };
  return {
    type: "hello",
    limits: {
      maxFrameBytes: limit("maxFrameBytes", Infinity),
      maxInFlight: limit("maxInFlight", Infinity) || 1,
      maxRequestBytes: limit("maxRequestBytes", Infinity),
      maxResponseBytes: limit("maxResponseBytes", Infinity),
      maxTimeoutMs: limit("maxTimeoutMs", Infinity),
      windowBytes: limit("windowBytes", 0),
    },
  };
}

function parseEvent({ event, data, lastEventId, retryMs }: Members, id: number): Inbound {
  if (
    typeof event !== "string" || typeof data !== "string" ||
    (lastEventId !== undefined &&
      (typeof lastEventId !== "string" || /[\0\r\n]/.test(lastEventId))) ||
    (retryMs !== undefined && !isCount(retryMs))
  ) throw invalid("The server sent an event that cannot be understood");
  return {
    type: "event",
    id,
    event,
    data,
    ...(lastEventId !== undefined && { lastEventId }),
    ...(retryMs !== undefined && { retryMs }),
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
