/**
 * A response of the server as the platform's `Response`.
 *
 * @module
 */
import type { HeaderPairs, ResponseHead } from "../protocol/mod.ts";
import { contentTypeOf } from "../protocol/response.ts";

const CONTENT_TYPE = "content-type";
const SET_COOKIE = "set-cookie";
// Fetch §2.2.3: null body status.
const NULL_BODY_STATUSES: readonly number[] = [101, 103, 204, 205, 304];

/** Says whether Fetch gives a response no body, whatever came (Fetch §4.1, main fetch). */
export function hasNullBody(method: string, status: number): boolean {
  return method === "HEAD" || NULL_BODY_STATUSES.includes(status);
}

/**
 * Gives the `Response`, with what its constructor cannot be told.
 *
 * @throws {TypeError} A header or the status text cannot be one.
 */
export function toResponse(
  head: ResponseHead,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | string | null,
): Response {
  const { status, statusText, url, redirected, headers: pairs } = head;
  const type = contentTypeOf(pairs);
  // A string gets a content type where there is none, and in Deno keeps its byte order mark.
  const isOdd = typeof body === "string" && (type === undefined || body.startsWith("\ufeff"));
  // The constructor takes these only; fetch gives any.
  const isUsual = status >= 200 && status <= 599;
  const response = new Response(isOdd ? new TextEncoder().encode(body) : body, {
    status: isUsual ? status : 200,
    statusText,
    headers: type === undefined ? {} : { [CONTENT_TYPE]: type },
  });
  const { headers } = response;
  let isTyped = false;
  // The constructor takes four times as long over them.
  for (const [name, value] of pairs) {
    if (name === CONTENT_TYPE && !isTyped) isTyped = true;
    else headers.append(name, value);
  }
  // A browser drops Set-Cookie.
  const isCut = pairs.some(([name]) => name === SET_COOKIE) && !headers.has(SET_COOKIE);
  return complete(response, {
    url,
    ...(redirected && { redirected }),
    ...(!isUsual && { status, ok: false }),
    ...(isCut && { headers: toHeaders(pairs) }),
  });
}

/**
 * Gives header fields as `Headers`.
 *
 * @throws {TypeError} One of them cannot be a header.
 */
export function toHeaders(pairs: HeaderPairs): Headers {
  return new Headers(pairs as [string, string][]); // only the type is not readonly
}

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
