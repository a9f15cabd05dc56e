/**
 * An HTTP response as a frame, and back: the mirror pair of request.ts.
 *
 * @module
 */
import { decodeBody, formBody } from "./body.ts";
import { ProxyError } from "./errors.ts";
import type { HeaderPairs, ResponseFrame, Timing } from "./frames.ts";
import { sliceMember } from "./verbatim.ts";

/** The head of an HTTP response. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** Of the last hop, without its fragment. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: HeaderPairs;
}

/** An HTTP response with its whole body. */
export interface HttpResponse extends ResponseHead {
  /** Decoded; `null`: the response cannot have one. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** How a response frame is written. */
export interface EncodeOptions {
  /** The exchange's name in the server's log. */
  readonly requestId?: string;
  /** Never as `json`: for a client that wants bytes. Default `false`. */
  readonly asBytes?: boolean;
}

/** What a response frame holds. */
export interface DecodedResponse {
  readonly id: number;
  readonly response: HttpResponse;
  readonly timing: Timing;
  /** The body follows in frames of its own; `response.body` is `null`. */
  readonly streamed: boolean;
}

/**
 * Gives the text of a response frame. A JSON body stands in it byte for byte.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { encodeResponse } from "./response.ts";
 *
 * const frame = encodeResponse(1, {
 *   status: 200, statusText: "OK", url: "https://api.example.com/", redirected: false,
 *   headers: [["content-type", "application/json"]],
 *   body: new TextEncoder().encode("[12345678901234567890, 1.0]"),
 * }, { waitMs: 12.5, totalMs: 13 });
 * assertStringIncludes(frame, '"json":[12345678901234567890, 1.0]}');
 * ```
 */
export function encodeResponse(
  id: number,
  response: HttpResponse,
  timing: Timing,
  { asBytes = false, requestId }: EncodeOptions = {},
): string {
  const { body, headers } = response;
  const head = JSON.stringify(toFrame(id, response, { timing, requestId }));
  if (body === null) return head;
  const { kind, text } = formBody(asBytes ? undefined : contentTypeOf(headers), body);
  return `${head.slice(0, -1)},"${kind}":${kind === "json" ? text : JSON.stringify(text)}}`;
}

/** Gives the text of a response frame whose body follows in frames of its own. */
export function encodeStreamedResponse(
  id: number,
  head: ResponseHead,
  timing: Timing,
  { requestId }: Pick<EncodeOptions, "requestId"> = {},
): string {
  const frame = toFrame(id, head, { timing, requestId });
  return JSON.stringify({ ...frame, stream: true });
}

/**
 * Gives the response that a frame's text holds, its body in the bytes that the upstream sent.
 *
 * @param parsed What `JSON.parse` gives for the text, where that is known already.
 * @throws {ProxyError} `bad_frame`: this is not a response frame.
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

/** Gives the value of `content-type`. */
export function contentTypeOf(headers: HeaderPairs): string | undefined {
  return headers.find(([name]) => name === "content-type")?.[1];
}

function toFrame(
  id: number,
  { status, statusText, url, redirected, headers }: ResponseHead,
  { timing, requestId }: { readonly timing: Timing; readonly requestId: string | undefined },
): Omit<ResponseFrame, "requestId"> & { readonly requestId: string | undefined } {
  return { type: "response", id, requestId, status, statusText, url, redirected, headers, timing };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProxyError("bad_frame", "The frame is not JSON", { cause });
  }
}

/**
 * Gives a frame that was parsed as a response frame.
 *
 * @throws {ProxyError} `bad_frame`: this is none.
 */
export function parseResponse(frame: unknown): ResponseFrame {
  if (isResponseFrame(frame)) return frame;
  throw new ProxyError("bad_frame", "The frame is not a response frame of wsfetch.v1");
}

// By hand: the client has no schema library, and its server is trusted further than a stranger.
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
