/**
 * A response of the server as the platform's `Response`.
 *
 * @module
 */
import type { HeaderPairs, ResponseHead } from "../protocol/mod.ts";

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
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
): Response {
  const { status, statusText } = head;
  const headers = toHeaders(head.headers);
  // The constructor takes these only; fetch gives any.
  const isUsual = status >= 200 && status <= 599;
  const response = new Response(body, { status: isUsual ? status : 200, statusText, headers });
  return complete(response, {
    url: head.url,
    redirected: head.redirected,
    ...(!isUsual && { status, ok: false }),
    // In a browser the constructor drops Set-Cookie.
    ...(headers.has("set-cookie") && !response.headers.has("set-cookie") && { headers }),
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
  const clone = (): Response => complete(Response.prototype.clone.call(response), members);
  for (const [name, value] of Object.entries({ ...members, clone })) {
    Object.defineProperty(response, name, {
      value: value instanceof Headers ? new Headers(value) : value,
      configurable: true,
    });
  }
  return response;
}
