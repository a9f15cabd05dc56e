/**
 * Decides where a redirect leads, and whether it may be followed; the hop is made, and checked, by forward.ts.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { findField, REDIRECT_STATUS } from "../http/grammar.ts";
import { withSentOf } from "../http/sent.ts";
import type { HopRequest } from "../http/transport.ts";
import {
  type HeaderPairs,
  MAX_URL_LENGTH,
  ProxyError,
  type RedirectMode,
} from "../protocol/mod.ts";
import { filterBodyHeaders, filterCrossOriginHeaders } from "./headers.ts";

const MAX_REDIRECTS = 10;

// A byte that is not ASCII, in a value with one character per byte.
const HIGH_BYTE = /[\u0080-\u00ff]/g;

/**
 * Returns the value of the `location` of a redirect, or `undefined` when the response is not one (Fetch, "location
 * URL"). Bytes that are not ASCII are percent-encoded, as in Chromium: a URL in UTF-8 stays what it is.
 */
export function redirectLocation(status: number, headers: HeaderPairs): string | undefined {
  if (!REDIRECT_STATUS.has(status)) return undefined;
  return findField(headers, "location")?.replace(
    HIGH_BYTE,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Throws when a redirect must not be followed.
 *
 * @param redirects How many redirects have been followed.
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
 * Returns the hop that a redirect leads to (Fetch, "HTTP-redirect fetch").
 *
 * @throws {ProxyError} `http_protocol_error` when the location is not a URL, `http_request_denied` when it leads from
 * https to http, and `too_many_redirects` when the body would have to be sent again but was streamed.
 */
export function followRedirect(hop: HopRequest, status: number, location: string): HopRequest {
  const url = URL.parse(location, hop.url);
  if (url === null || url.href.length > MAX_URL_LENGTH) {
    throw new ProxyError(
      "http_protocol_error",
      "The location of the redirect is not a valid URL, or too long",
    );
  }
  if (hop.url.protocol === "https:" && url.protocol === "http:") {
    throw new ProxyError("http_request_denied", "The redirect leads from https to http", {
      sent: "yes",
    });
  }
  const headers = url.origin === hop.url.origin
    ? hop.headers
    : filterCrossOriginHeaders(hop.headers);
  if (becomesGet(hop.method, status)) {
    return { ...hop, method: "GET", url, headers: filterBodyHeaders(headers), body: null };
  }
  if (hop.body instanceof ReadableStream) {
    const message = "The redirect needs the request body again, which was streamed";
    throw new ProxyError("too_many_redirects", message);
  }
  return { ...hop, url, headers };
}

/**
 * Returns the error of a hop after a redirect: the request has reached a destination by then, and may be repeated only
 * if its own method allows that.
 *
 * @param method The method of the original request.
 */
export function asSent(error: unknown, method: string): unknown {
  return error instanceof ProxyError ? withSentOf("yes", error, method) : error;
}

function becomesGet(method: string, status: number): boolean {
  if (status === STATUS_CODE.SeeOther) return method !== "GET" && method !== "HEAD";
  return method === "POST" &&
    (status === STATUS_CODE.MovedPermanently || status === STATUS_CODE.Found);
}
