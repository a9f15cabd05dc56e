/**
 * Makes an HTTP request hop by hop: each is checked before it is made, and redirects are followed here.
 *
 * @module
 */
import { type Body, mapBody } from "../http/body.ts";
import { contentCoding, gunzipBody } from "../http/coding.ts";
import { NULL_BODY_STATUS } from "../http/grammar.ts";
import type { HopRequest, Transport, TransportResponse } from "../http/transport.ts";
import { isIdempotent, ProxyError, type RedirectMode, type ResponseHead } from "../protocol/mod.ts";
import { filterRequestHeaders, filterResponseHeaders } from "./headers.ts";
import { createMakeHop, type HopOptions } from "./hop.ts";
import { asSent, followRedirect, redirectLocation, refuseRedirect } from "./redirect.ts";

/** A request, and what to do with redirects. */
export interface ForwardRequest extends HopRequest {
  readonly redirect: RedirectMode;
}

/** A response whose head has arrived and whose body has not been read. */
export interface ForwardResponse {
  readonly head: ResponseHead;
  /** `null` when the response cannot have a body. */
  readonly body: Body | null;
}

/**
 * Makes a request and returns its response, whatever its status.
 *
 * @throws {ProxyError} `sent` is `no` only when no byte of the request can have reached a destination.
 */
export type Forward = (request: ForwardRequest, options: HopOptions) => Promise<ForwardResponse>;

/** Creates a {@linkcode Forward}. */
export function createForward(transport: Transport): Forward {
  const makeHop = createMakeHop(transport);

  return async function forward(request, options): Promise<ForwardResponse> {
    let hop: HopRequest = request;
    const headers = filterRequestHeaders(request.headers);
    if (headers !== request.headers) hop = { ...request, headers };
    for (let redirects = 0;; redirects++) {
      try {
        const response = await makeHop(hop, options);
        const location = request.redirect === "manual" ? undefined : redirectLocation(response);
        if (location === undefined) {
          const forwarded = toForwardResponse(response, hop, redirects > 0);
          return hop.method === request.method ? forwarded : judgedBy(request.method, forwarded);
        }
        response.body.discard();
        refuseRedirect(request.redirect, redirects);
        hop = followRedirect(hop, response.status, location);
      } catch (error) {
        throw redirects > 0 ? asSent(error, request.method) : error;
      }
    }
  };
}

function toForwardResponse(
  response: TransportResponse,
  hop: HopRequest,
  redirected: boolean,
): ForwardResponse {
  const { status, statusText, headers, body } = response;
  const isBodiless = hop.method === "HEAD" || NULL_BODY_STATUS.has(status);
  if (isBodiless) body.discard();
  const isGzip = !isBodiless && !response.decoded && contentCoding(hop.headers, headers) === "gzip";
  const isDecoded = isGzip || !isBodiless && response.decoded;
  return {
    head: {
      status,
      statusText,
      url: withoutFragment(hop.url),
      redirected,
      headers: filterResponseHeaders(headers, isDecoded),
    },
    body: isBodiless ? null : isGzip ? gunzipBody(body) : body,
  };
}

/** A redirect has rewritten the method, but the client may repeat its request only if its own method allows it. */
function judgedBy(method: string, { head, body }: ForwardResponse): ForwardResponse {
  return { head, body: body && mapBody(body, { error: (thrown) => judgeBy(method, thrown) }) };
}

function judgeBy(method: string, thrown: unknown): unknown {
  if (!(thrown instanceof ProxyError) || !thrown.retryable || isIdempotent(method)) return thrown;
  return new ProxyError(thrown.code, thrown.message, { cause: thrown, retryable: false });
}

function withoutFragment({ href }: URL): string {
  const hash = href.indexOf("#");
  return hash < 0 ? href : href.slice(0, hash);
}
