/**
 * An HTTP request as a frame, and back: one inverse pair that both ends use.
 *
 * @module
 */
import { decodeBody, encodeBytes } from "./body.ts";
import { ProxyError } from "./errors.ts";
import type { HeaderPairs, QueryValue, RedirectMode, RequestFrame, StreamMode } from "./frames.ts";
import { sliceMember } from "./verbatim.ts";

/** An HTTP request with its whole body. */
export interface HttpRequest {
  /** Upper-case. */
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderPairs;
  /** `null`: none. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** The longest URL that is requested, in characters: what Deno's HTTP client takes. */
export const MAX_URL_LENGTH = 65_534;

/** How the server is to make a request; see {@linkcode RequestFrame}. */
export interface RequestOptions {
  readonly timeoutMs?: number;
  /** Default `follow`. */
  readonly redirect?: RedirectMode;
  /** Default `false`. */
  readonly stream?: StreamMode;
  readonly windowBytes?: number;
  /** Then `body` is `null`. */
  readonly bodyFollows?: boolean;
}

/** A request that came in a frame. */
export interface ProxyRequest extends HttpRequest, RequestOptions {
  readonly redirect: RedirectMode;
  readonly stream: StreamMode;
  readonly bodyFollows: boolean;
}

/**
 * Gives the text of a request frame.
 *
 * @param id The exchange's id.
 * @param request The request; its body goes as `text` when it is valid UTF-8, else as `base64`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeRequest } from "./request.ts";
 *
 * const url = new URL("https://api.example.com/items");
 * assertEquals(
 *   encodeRequest(1, { method: "GET", url, headers: [], body: null }),
 *   '{"type":"request","id":1,"url":"https://api.example.com/items","method":"GET","headers":[]}',
 * );
 * ```
 */
export function encodeRequest(id: number, request: HttpRequest & RequestOptions): string {
  const { method, url, headers, body, timeoutMs, redirect, stream, windowBytes } = request;
  const frame: RequestFrame = {
    type: "request",
    id,
    url: url.href,
    method,
    headers,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(redirect !== undefined && { redirect }),
    ...(stream !== undefined && { stream }),
    ...(windowBytes !== undefined && { windowBytes }),
    ...(request.bodyFollows === true && { bodyFollows: true }),
    ...(body !== null && encodeBytes(body)),
  };
  return JSON.stringify(frame);
}

/**
 * Gives the request that a frame describes.
 *
 * @param frame A valid frame.
 * @param text The text it was parsed from: a `json` body is taken from it byte for byte.
 * @throws {ProxyError} `bad_request`: the URL does not parse, or the body cannot be.
 */
export function decodeRequest(frame: RequestFrame, text: string): ProxyRequest {
  const method = (frame.method ?? "GET").toUpperCase();
  const url = parseUrl(frame.url ?? "");
  if (frame.query !== undefined) appendQuery(url, frame.query);
  const headers = toHeaderPairs(frame.headers ?? []);
  const json = frame.json === undefined ? undefined : sliceMember(text, "json")?.trim();
  const body = decodeBody(frame, json, "bad_request");
  const bodyFollows = frame.bodyFollows === true;
  if (body !== null || bodyFollows) refuseBodyOf(method);
  return {
    method,
    url,
    headers: frame.json === undefined ? headers : withJsonType(headers),
    body,
    redirect: frame.redirect ?? "follow",
    stream: frame.stream ?? false,
    bodyFollows,
    ...(frame.timeoutMs !== undefined && { timeoutMs: frame.timeoutMs }),
    ...(frame.windowBytes !== undefined && { windowBytes: frame.windowBytes }),
  };
}

/**
 * Parses an absolute URL (WHATWG URL).
 *
 * @throws {ProxyError} `bad_request`
 */
export function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) {
    throw new ProxyError(
      "bad_request",
      '"url" is not an absolute URL; send one like "https://api.example.com/items"',
    );
  }
  refuseLongUrl(url);
  return url;
}

/**
 * Appends parameters to a URL's query and leaves what stands there as it is.
 *
 * @throws {ProxyError} `bad_request`: the URL is too long then.
 */
export function appendQuery(
  url: URL,
  query: Readonly<Record<string, QueryValue | readonly QueryValue[]>>,
): void {
  const added = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of [value].flat()) added.append(name, String(item));
  }
  if (added.size > 0) url.search += `${url.search === "" ? "" : "&"}${added}`;
  refuseLongUrl(url);
}

/** Gives header fields as pairs, whichever way they were written. */
export function toHeaderPairs(
  headers: HeaderPairs | Readonly<Record<string, string>>,
): HeaderPairs {
  return isPairs(headers) ? headers : Object.entries(headers);
}

/** Adds `content-type: application/json` unless there is a content type already. */
export function withJsonType(headers: HeaderPairs): HeaderPairs {
  if (headers.some(([name]) => name.toLowerCase() === "content-type")) return headers;
  return [...headers, ["content-type", "application/json"]];
}

/**
 * Refuses a body with a method that cannot have one in Fetch.
 *
 * @throws {ProxyError} `bad_request`
 */
export function refuseBodyOf(method: string): void {
  if (method !== "GET" && method !== "HEAD") return;
  throw new ProxyError(
    "bad_request",
    `A ${method} request cannot have a body; leave it out or use another method`,
  );
}

function isPairs(headers: HeaderPairs | Readonly<Record<string, string>>): headers is HeaderPairs {
  return Array.isArray(headers);
}

/** No HTTP client sends a URL that is longer. */
function refuseLongUrl({ href }: URL): void {
  if (href.length <= MAX_URL_LENGTH) return;
  throw new ProxyError("bad_request", `"url" has more than ${MAX_URL_LENGTH} characters`);
}
