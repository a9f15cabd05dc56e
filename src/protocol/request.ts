/**
 * An HTTP request as a frame, and back: an inverse pair, one half for each end.
 *
 * @module
 */
import { decodeBody, encodeBytes } from "./body.ts";
import { ProxyError } from "./errors.ts";
import type {
  HeaderFields,
  HeaderPairs,
  Query,
  RedirectMode,
  RequestFrame,
  StreamMode,
} from "./frames.ts";
import { sliceMember } from "./verbatim.ts";

/** The longest URL of a request, in characters: the limit of Deno's HTTP client. */
export const MAX_URL_LENGTH = 65_534;

/** The parts of an HTTP request that do not depend on how its destination is written. */
export interface RequestContent {
  /** Upper-case. */
  readonly method: string;
  readonly headers: HeaderPairs;
  /** The whole body; `null`: no body, or a body that follows. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** An HTTP request with its whole body. */
export interface HttpRequest extends RequestContent {
  readonly url: URL;
}

// The lookahead excludes `http:/x`, which WHATWG URL parses as a URL with the host `x`.
const UPSTREAM_PATH = /^(?!https?:)([a-z][a-z0-9-]*):(\/(?!\/)[^]*)$/;

/** How the server makes a request and sends the response; see {@linkcode RequestFrame}. */
export interface RequestOptions {
  /** Default: set by the server. */
  readonly timeoutMs?: number;
  /** Default: `follow`. */
  readonly redirect?: RedirectMode;
  /** Default: `false`. */
  readonly stream?: StreamMode;
  readonly windowBytes?: number;
  /** Whether the content codings of the response are decoded. Default: `true`. */
  readonly decode?: boolean;
  /** Whether the body follows in chunks; `body` is `null` then. Default: `false`. */
  readonly bodyFollows?: boolean;
}

/** The destination of a request as the client wrote it: a URL, or a path below a named upstream. */
export type Target = URL | UpstreamTarget;

/** A path below the base URL of a named upstream. */
export interface UpstreamTarget {
  /** The name of the upstream. */
  readonly upstream: string;
  /** The path with its query, as the client wrote it. */
  readonly path: string;
}

/** The request that a client describes in a frame, with all defaults but those of the server's settings. */
export interface ProxyRequest extends RequestContent, RequestOptions {
  readonly target: Target;
  readonly redirect: RedirectMode;
  readonly decode: boolean;
  readonly stream: StreamMode;
  readonly bodyFollows: boolean;
}

/**
 * Returns the text of a request frame.
 *
 * @param id The id of the exchange.
 * @param request The request; its body is written as `text` if it is valid UTF-8, else as `base64`.
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
  const { method, url, headers, body, timeoutMs, redirect, decode, stream, windowBytes } = request;
  // JSON.stringify() leaves out members that are undefined.
  return JSON.stringify({
    type: "request",
    id,
    url: url.href,
    method,
    headers,
    timeoutMs,
    redirect,
    decode,
    stream,
    windowBytes,
    bodyFollows: request.bodyFollows || undefined,
    ...(body !== null && encodeBytes(body)),
  });
}

/**
 * Returns the request that a frame describes.
 *
 * @param frame A valid frame.
 * @param text The text that the frame was parsed from; a `json` body is copied from it byte for byte.
 * @throws {ProxyError} `bad_request`: the URL or the base64 is not valid, or the method allows no body.
 */
export function decodeRequest(frame: RequestFrame, text: string): ProxyRequest {
  const method = frame.method === undefined ? "GET" : frame.method.toUpperCase();
  const base = frame.upstream === undefined
    ? parseTarget(frame.url ?? "")
    : { upstream: frame.upstream, path: frame.path ?? "" };
  const target = frame.query === undefined ? base : addQuery(base, frame.query);
  const headers = frame.headers === undefined ? NO_HEADERS : toHeaderPairs(frame.headers);
  const json = frame.json === undefined ? undefined : sliceMember(text, "json")?.trim();
  const body = decodeBody(frame, json, "bad_request");
  const bodyFollows = frame.bodyFollows === true;
  if (body !== null || bodyFollows) refuseBodyOf(method);
  const request = {
    method,
    target,
    headers: frame.json === undefined ? headers : withJsonType(headers),
    body,
    redirect: frame.redirect ?? "follow",
    decode: frame.decode ?? true,
    stream: frame.stream ?? false,
    bodyFollows,
  };
  const { timeoutMs, windowBytes } = frame;
  if (timeoutMs === undefined) {
    return windowBytes === undefined ? request : { ...request, windowBytes };
  }
  return windowBytes === undefined
    ? { ...request, timeoutMs }
    : { ...request, timeoutMs, windowBytes };
}

const NO_HEADERS: HeaderPairs = [];

/**
 * Parses an absolute URL (WHATWG URL), or `name:/path`, a path below a named upstream.
 *
 * @throws {ProxyError} `bad_request`: the text is neither, or the URL is too long.
 */
export function parseTarget(text: string): Target {
  if (!text.startsWith("http://") && !text.startsWith("https://")) {
    const [, upstream, path] = UPSTREAM_PATH.exec(text) ?? [];
    if (upstream !== undefined && path !== undefined) return { upstream, path };
  }
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
 * Returns a target with parameters appended to its query; the query that it has stays as it is written.
 *
 * @throws {ProxyError} `bad_request`: the resulting URL is too long.
 */
export function addQuery(target: Target, query: Query): Target {
  const added = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of [value].flat()) added.append(name, String(item));
  }
  if (added.size === 0) return target;
  if (!(target instanceof URL)) {
    const [path = ""] = target.path.split("#");
    return { ...target, path: `${path}${path.includes("?") ? "&" : "?"}${added}` };
  }
  const url = new URL(target);
  url.search += `${url.search === "" ? "" : "&"}${added}`;
  refuseLongUrl(url);
  return url;
}

/** Converts header fields to a list of pairs. */
export function toHeaderPairs(headers: HeaderFields): HeaderPairs {
  return isPairs(headers) ? headers : Object.entries(headers);
}

/** Adds `content-type: application/json` to header fields without a content type. */
export function withJsonType(headers: HeaderPairs): HeaderPairs {
  if (headers.some(([name]) => name.toLowerCase() === "content-type")) return headers;
  return [...headers, ["content-type", "application/json"]];
}

/**
 * Throws if a request with this upper-case method cannot have a body (Fetch standard, `Request` constructor).
 *
 * @throws {ProxyError} `bad_request`: the method is GET or HEAD.
 */
export function refuseBodyOf(method: string): void {
  if (method !== "GET" && method !== "HEAD") return;
  throw new ProxyError(
    "bad_request",
    `A ${method} request cannot have a body; omit the body or use another method`,
  );
}

/** Returns the error of a request whose `timeoutMs` is above the server's limit. */
export function timeoutTooLong(maxTimeoutMs: number): ProxyError {
  return new ProxyError("bad_request", `"timeoutMs" must be at most ${maxTimeoutMs}`);
}

function isPairs(headers: HeaderFields): headers is HeaderPairs {
  return Array.isArray(headers);
}

function refuseLongUrl({ href }: URL): void {
  if (href.length <= MAX_URL_LENGTH) return;
  throw new ProxyError("bad_request", `"url" has more than ${MAX_URL_LENGTH} characters`);
}
