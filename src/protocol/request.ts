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

/** Query parameters; a list repeats its name. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

// A name that could be a scheme, and a path: WHATWG URL reads `http:/x` as a host.
const UPSTREAM_PATH = /^(?!https?:)([a-z][a-z0-9-]*):(\/(?!\/)[^]*)$/;

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

/** Where a request goes: a URL, or a path below a named upstream. */
export type Target = URL | UpstreamTarget;

/** A path below the base URL of an upstream that the operator has named. */
export interface UpstreamTarget {
  readonly upstream: string;
  /** With its query, as the client wrote it. */
  readonly path: string;
}

/** A request that came in a frame. */
export interface ProxyRequest extends Omit<HttpRequest, "url">, RequestOptions {
  readonly target: Target;
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
  // JSON leaves out what is undefined.
  return JSON.stringify({
    type: "request",
    id,
    url: url.href,
    method,
    headers,
    timeoutMs,
    redirect,
    stream,
    windowBytes,
    bodyFollows: request.bodyFollows || undefined,
    ...(body !== null && encodeBytes(body)),
  });
}

/**
 * Gives the request that a frame describes.
 *
 * @param frame A valid frame.
 * @param text The text it was parsed from: a `json` body is taken from it byte for byte.
 * @throws {ProxyError} `bad_request`: the URL does not parse, or the body cannot be.
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
    stream: frame.stream ?? false,
    bodyFollows,
  };
  const { timeoutMs, windowBytes } = frame;
  if (timeoutMs === undefined && windowBytes === undefined) return request;
  return {
    ...request,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(windowBytes !== undefined && { windowBytes }),
  };
}

const NO_HEADERS: HeaderPairs = [];

/**
 * Parses an absolute URL (WHATWG URL), or `name:/path`, which is a path below a named upstream.
 *
 * @throws {ProxyError} `bad_request`
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
 * Gives the same target with parameters behind its query; what stands there stays as it is.
 *
 * @throws {ProxyError} `bad_request`: the URL is too long then.
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

/** Returns the error of a request whose `timeoutMs` is above the server's limit. */
export function timeoutTooLong(maxTimeoutMs: number): ProxyError {
  return new ProxyError("bad_request", `"timeoutMs" must be at most ${maxTimeoutMs}`);
}

function isPairs(headers: HeaderPairs | Readonly<Record<string, string>>): headers is HeaderPairs {
  return Array.isArray(headers);
}

/** No HTTP client sends a URL that is longer. */
function refuseLongUrl({ href }: URL): void {
  if (href.length <= MAX_URL_LENGTH) return;
  throw new ProxyError("bad_request", `"url" has more than ${MAX_URL_LENGTH} characters`);
}
