/**
 * Converts a response of the server to the platform's `Response`.
 *
 * @module
 */
import type { HeaderPairs, ResponseHead } from "../protocol/mod.ts";
import { contentTypeOf } from "../protocol/response.ts";

const CONTENT_TYPE = "content-type";
const SET_COOKIE = "set-cookie";
// Fetch §2.2.3: null body status.
const NULL_BODY_STATUSES: readonly number[] = [101, 103, 204, 205, 304];

/** Returns whether the body of a response is `null` even if bytes have arrived (Fetch §4.1, main fetch). */
export function hasNullBody(method: string, status: number): boolean {
  return method === "HEAD" || NULL_BODY_STATUSES.includes(status);
}

/**
 * Returns a `Response` with all members of the head, including those that its constructor does not accept.
 *
 * @throws {TypeError} A header or the status text is invalid.
 */
export function toResponse(
  head: ResponseHead,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | string | null,
): Response {
  const { status, statusText, url, redirected, headers: pairs } = head;
  const type = contentTypeOf(pairs);
  // For a string the constructor adds a missing content type, and Deno keeps its byte order mark.
  const needsBytes = typeof body === "string" && (type === undefined || body.startsWith("\ufeff"));
  // The constructor accepts only these, but fetch may return others.
  const isUsual = status >= 200 && status <= 599;
  const response = new Response(needsBytes ? new TextEncoder().encode(body) : body, {
    status: isUsual ? status : 200,
    statusText,
    headers: type === undefined ? {} : { [CONTENT_TYPE]: type },
  });
  const { headers } = response;
  let isTyped = false;
  // append() is four times as fast as passing the headers to the constructor.
  for (const [name, value] of pairs) {
    if (name === CONTENT_TYPE && !isTyped) isTyped = true;
    else headers.append(name, value);
  }
  // Browsers ignore Set-Cookie in the headers of a Response.
  const isCut = pairs.some(([name]) => name === SET_COOKIE) && !headers.has(SET_COOKIE);
  return complete(response, {
    url,
    ...(redirected && { redirected }),
    ...(!isUsual && { status, ok: false }),
    ...(isCut && { headers: toHeaders(pairs) }),
  });
}

/**
 * Converts header fields to `Headers`.
 *
 * @throws {TypeError} A name or a value is invalid.
 */
export function toHeaders(pairs: HeaderPairs): Headers {
  return new Headers(pairs as [string, string][]); // the same type, but mutable
}

/** Defines the members on the response, and on its clones. */
function complete(response: Response, members: Readonly<Record<string, unknown>>): Response {
  for (const [name, value] of Object.entries(members)) {
    define(response, name, value instanceof Headers ? new Headers(value) : value);
  }
  const clone = (): Response => complete(Response.prototype.clone.call(response), members);
  return define(response, "clone", clone);
}

function define(response: Response, name: string, value: unknown): Response {
  return Object.defineProperty(response, name, { value, configurable: true });
}
