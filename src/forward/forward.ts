/**
 * Makes an HTTP request hop by hop: checks each hop before it is made, and follows redirects.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { systemClock } from "../clock.ts";
import { type Body, mapErrors } from "../http/body.ts";
import { contentCodings, decodeCodings } from "../http/coding.ts";
import { NULL_BODY_STATUS } from "../http/grammar.ts";
import type { HopRequest, Transport, TransportResponse } from "../http/transport.ts";
import { isIdempotent, ProxyError, type RedirectMode, type ResponseHead } from "../protocol/mod.ts";
import { Turns } from "../turns/turns.ts";
import { filterRequestHeaders, filterResponseHeaders } from "./headers.ts";
import { createMakeHop, type HopOptions } from "./hop.ts";
import { asSent, followRedirect, redirectLocation, refuseRedirect } from "./redirect.ts";

/** A request to make. */
export interface ForwardRequest extends HopRequest {
  /** What to do with a redirect. */
  readonly redirect: RedirectMode;
}

/** A response whose head has arrived and whose body has not been read. */
export interface ForwardResponse {
  readonly head: ResponseHead;
  /** `null` when the response cannot have a body. Decoded unless the request says otherwise, or a coding is unknown. */
  readonly body: Body | null;
}

/**
 * Makes a request and returns its response, whatever the status.
 *
 * @throws {ProxyError} `sent` is `no` only when no byte of the request can have reached a destination.
 */
export type Forward = (request: ForwardRequest, options: HopOptions) => Promise<ForwardResponse>;

/**
 * Creates a {@linkcode Forward}.
 *
 * @param turns When bodies are decoded. Default: in turns that these bodies alone share.
 */
export function createForward(
  transport: Transport,
  turns: Turns = new Turns(systemClock),
): Forward {
  const makeHop = createMakeHop(transport);

  return async function forward(request, options): Promise<ForwardResponse> {
    let hop: HopRequest = request;
    const headers = filterRequestHeaders(request.headers);
    if (headers !== request.headers) hop = { ...request, headers };
    for (let redirects = 0;; redirects++) {
      try {
        const response = await makeHop(hop, options);
        const { status, body } = response;
        const location = request.redirect === "manual"
          ? undefined
          : redirectLocation(status, response.headers);
        if (location === undefined) {
          const forwarded = toForwardResponse(response, {
            hop,
            redirected: redirects > 0,
            turns,
          });
          return hop.method === request.method ? forwarded : judgeErrors(forwarded, request.method);
        }
        body.discard();
        refuseRedirect(request.redirect, redirects);
        hop = followRedirect(hop, status, location);
      } catch (error) {
        throw redirects > 0 ? asSent(error, request.method) : error;
      }
    }
  };
}

function toForwardResponse(
  response: TransportResponse,
  { hop, redirected, turns }: {
    readonly hop: HopRequest;
    readonly redirected: boolean;
    readonly turns: Turns;
  },
): ForwardResponse {
  const { status, statusText, headers, body } = response;
  const hasBody = hop.method !== "HEAD" && !NULL_BODY_STATUS.has(status);
  if (!hasBody) body.discard();
  // A part of a coded body cannot be decoded.
  const isCoded = hasBody && !response.decoded && hop.decode !== false &&
    status !== STATUS_CODE.PartialContent;
  const codings = isCoded ? contentCodings(headers) : [];
  return {
    head: {
      status,
      statusText,
      url: withoutFragment(hop.url),
      redirected,
      headers: filterResponseHeaders(headers, hasBody && (response.decoded || codings.length > 0)),
    },
    body: !hasBody ? null : codings.length > 0 ? decodeCodings(body, codings, turns) : body,
  };
}

/**
 * Corrects `retryable` in errors of the body after a redirect that rewrote the method: the client may repeat its request
 * only if the request's own method allows that.
 */
function judgeErrors({ head, body }: ForwardResponse, method: string): ForwardResponse {
  const toError = (thrown: unknown): unknown => {
    if (!(thrown instanceof ProxyError) || !thrown.retryable || isIdempotent(method)) return thrown;
    const { code, message, sent } = thrown;
    return new ProxyError(code, message, { cause: thrown, sent, retryable: false });
  };
  return { head, body: body && mapErrors(body, toError) };
}

function withoutFragment({ href }: URL): string {
  const hash = href.indexOf("#");
  return hash < 0 ? href : href.slice(0, hash);
}
