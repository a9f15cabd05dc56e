/**
 * Redirects, followed by hand so that every hop is checked.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { isIdempotent, MAX_URL_LENGTH, ProxyError, type RedirectMode } from "../protocol/mod.ts";
import { findField, REDIRECT_STATUS } from "../http/grammar.ts";
import type { HopRequest, TransportResponse } from "../http/transport.ts";
import { filterBodyHeaders, filterCrossOriginHeaders } from "./headers.ts";

const MAX_REDIRECTS = 10;
/** Gives where a response redirects to, or `undefined` when it does not (Fetch, "location URL"). */
export function redirectLocation(
  { status, headers }: Pick<TransportResponse, "status" | "headers">,
): string | undefined {
  return REDIRECT_STATUS.has(status) ? findField(headers, "location") : undefined;
}

/**
 * Refuses a redirect that must not be followed.
 *
 * @param redirects How many have been followed.
 * @throws {ProxyError} `too_many_redirects`
 */
export function refuseRedirect(mode: RedirectMode, redirects: number): void {
  if (mode === "error") {
    throw new ProxyError(
      "too_many_redirects",
      'The response is a redirect, and "redirect" is "error"',
    );
  }
  if (redirects >= MAX_REDIRECTS) {
    throw new ProxyError("too_many_redirects", `More than ${MAX_REDIRECTS} redirects`);
  }
}

/**
 * Gives the next hop (Fetch, "HTTP-redirect fetch").
 *
 * @throws {ProxyError} `http_protocol_error`: the location is not a URL; `http_request_denied`: it leads
 * from https to http; `too_many_redirects`: it asks again for a body that was streamed.
 */
export function followRedirect(hop: HopRequest, status: number, location: string): HopRequest {
  const url = URL.parse(location, hop.url);
  if (url === null || url.href.length > MAX_URL_LENGTH) {
    throw new ProxyError("http_protocol_error", "The redirect's location is no URL to request");
  }
  if (hop.url.protocol === "https:" && url.protocol === "http:") {
    throw new ProxyError("http_request_denied", "The redirect leads from https to http", {
      sent: "yes",
    });
  }
  const headers = url.origin === hop.url.origin
    ? hop.headers
    : filterCrossOriginHeaders(hop.headers);
  const rewritten = status === STATUS_CODE.SeeOther
    ? hop.method !== "GET" && hop.method !== "HEAD"
    : hop.method === "POST" &&
      (status === STATUS_CODE.MovedPermanently || status === STATUS_CODE.Found);
  if (!rewritten && hop.body instanceof ReadableStream) {
    throw new ProxyError(
      "too_many_redirects",
      "The redirect asks again for the body, which was streamed and is gone",
    );
  }
  if (!rewritten) return { ...hop, url, headers };
  return { method: "GET", url, headers: filterBodyHeaders(headers), body: null };
}

/** Once a redirect has been answered, the request as a whole has reached a destination. */
export function asSent(error: unknown, method: string): unknown {
  if (!(error instanceof ProxyError) || error.sent === "yes") return error;
  return new ProxyError(error.code, error.message, {
    cause: error,
    sent: "yes",
    retryable: error.retryable && isIdempotent(method),
  });
}
