/**
 * An HTTP response, and the client's half of its way through a frame. The server's half is `src/dialect/response_frame.ts`,
 * which browsers do not load.
 *
 * @module
 */
import { decodeBody } from "./body.ts";
import { ProxyError } from "./errors.ts";
import type { HeaderPairs, ResponseFrame, Timing } from "./frames.ts";
import { sliceMember } from "./verbatim.ts";

/** The head of an HTTP response. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** The URL of the last hop, without its fragment. */
  readonly url: string;
  /** Whether a redirect was followed. */
  readonly redirected: boolean;
  /** The header fields, with names in lower case. */
  readonly headers: HeaderPairs;
}

/** An HTTP response with its whole body. */
export interface HttpResponse extends ResponseHead {
  /** The whole body without content coding; `null`: the response cannot have a body. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** A response whose body is sent in the response frame. */
export interface WholeResponse {
  readonly response: HttpResponse;
  readonly timing: Timing;
  /** The name of the exchange in the server's log. */
  readonly requestId?: string;
  /** Whether the frame must not hold the body as `json`, for a client that wants bytes. Default: `false`. */
  readonly asBytes?: boolean;
}

/** The start of a response whose body follows in frames of its own. */
export interface StreamedResponse {
  readonly head: ResponseHead;
  readonly timing: Timing;
  /** The name of the exchange in the server's log. */
  readonly requestId?: string;
}

/** The contents of a response frame. */
export interface DecodedResponse {
  readonly id: number;
  readonly response: HttpResponse;
  readonly timing: Timing;
  /** Whether the body follows in frames of its own; `response.body` is `null` then. */
  readonly streamed: boolean;
}

/**
 * Returns the response that the text of a frame holds, with its body as the bytes that the destination sent.
 *
 * @param parsed The result of `JSON.parse` for the text, if it has been parsed already.
 * @throws {ProxyError} `bad_frame`: the text is not a response frame.
 */
export function decodeResponse(
  text: string,
  parsed: unknown = parseJson(text),
): DecodedResponse {
  const frame = parseResponse(parsed);
  return {
    id: frame.id,
    response: {
      status: frame.status,
      statusText: frame.statusText,
      url: frame.url,
      redirected: frame.redirected,
      headers: frame.headers,
      body: decodeBody(
        frame,
        frame.json === undefined ? undefined : sliceMember(text, "json"),
        "bad_frame",
      ),
    },
    timing: frame.timing,
    streamed: frame.stream === true,
  };
}

/** Returns the value of the field `content-type`; expects names in lower case. */
export function contentTypeOf(headers: HeaderPairs): string | undefined {
  return headers.find(([name]) => name === "content-type")?.[1];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProxyError("bad_frame", "The frame is not JSON", { cause });
  }
}

/**
 * Returns a parsed frame as a response frame.
 *
 * @throws {ProxyError} `bad_frame`: the value is not a response frame.
 */
export function parseResponse(frame: unknown): ResponseFrame {
  if (isResponseFrame(frame)) return frame;
  throw new ProxyError("bad_frame", "The frame is not a response frame of wsfetch.v1");
}

// Checks what this code relies on, and no more: a client trusts its server, and has to stay small.
function isResponseFrame(frame: unknown): frame is ResponseFrame {
  return isObject(frame) && frame.type === "response" &&
    typeof frame.id === "number" && typeof frame.status === "number" &&
    typeof frame.statusText === "string" && typeof frame.url === "string" &&
    typeof frame.redirected === "boolean" && isPairs(frame.headers) && isTiming(frame.timing) &&
    isOptionalString(frame.text) && isOptionalString(frame.base64) &&
    (frame.stream === undefined || frame.stream === true);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPairs(value: unknown): value is HeaderPairs {
  return Array.isArray(value) &&
    value.every((pair) =>
      Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string")
    );
}

function isTiming(value: unknown): value is Timing {
  return isObject(value) && typeof value.waitMs === "number" && typeof value.totalMs === "number";
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
