/**
 * Every failure that a destination can cause, or the way to it: each stands here once, whatever transport meets it.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";

/** The host's name was not resolved. */
export function unresolved(cause?: unknown): ProxyError {
  return new ProxyError("dns_error", "The host could not be resolved", { cause });
}

/** No address of the host was given. */
export function noAddress(): ProxyError {
  return new ProxyError("dns_error", "The host has no address");
}

/** The destination refused the connection. */
export function refused(cause: unknown): ProxyError {
  return new ProxyError("connection_refused", "The destination refused the connection", { cause });
}

/** The connection was not made in time. */
export function connectTimedOut(cause: unknown): ProxyError {
  const message = "The connection to the destination was not made in time";
  return new ProxyError("connection_timeout", message, { cause });
}

/** The connection was not made, for another reason. */
export function unreachable(cause: unknown): ProxyError {
  return new ProxyError("destination_unavailable", "The destination cannot be reached", { cause });
}

/** The certificate of the destination is not valid. */
export function untrusted(cause: unknown): ProxyError {
  const message = "The destination's certificate is not valid for its name or not trusted";
  return new ProxyError("tls_certificate_error", message, { cause });
}

/** The TLS handshake failed, for another reason than the certificate. */
export function handshakeFailed(cause: unknown): ProxyError {
  const message = "The TLS handshake with the destination failed";
  return new ProxyError("tls_protocol_error", message, { cause });
}

/** WHATWG Fetch, "bad port": `fetch` would not connect to it either. */
export function badPort(cause?: unknown): ProxyError {
  return new ProxyError("http_request_denied", "Fetch does not connect to this port", { cause });
}

/** The request has a form that no HTTP client sends. */
export function unsendable(): ProxyError {
  const message = "The HTTP client cannot send this request; check the host and the header fields";
  return new ProxyError("bad_request", message);
}

/**
 * The connection ended before the head of the response.
 *
 * @param method The request's method, which decides whether it may be sent again.
 */
export function terminated(method: string, cause?: unknown): ProxyError {
  return new ProxyError(
    "connection_terminated",
    "The destination closed the connection before it answered",
    { method, cause },
  );
}

/** The destination sent something that is not HTTP. */
export function notHttp(cause?: unknown): ProxyError {
  const message = "The destination answered with something that is not HTTP";
  return new ProxyError("http_protocol_error", message, { cause });
}

/** The destination switched protocols (status 101) without being asked to. */
export function switchedProtocols(): ProxyError {
  const message = "The destination switched protocols without being asked to";
  return new ProxyError("http_protocol_error", message);
}

/**
 * The body ended before its end.
 *
 * @param method The request's method, which decides whether it may be sent again.
 */
export function incomplete(method: string, cause?: unknown): ProxyError {
  const message = "The destination broke off inside the response body";
  return new ProxyError("http_response_incomplete", message, { method, cause });
}

/** The body has more bytes than it may have. */
export function tooLarge(maxBytes: number): ProxyError {
  const message = `The response body is larger than ${maxBytes} bytes`;
  return new ProxyError("http_response_body_size", message);
}

/** The body cannot be decoded as its `content-encoding` says. */
export function miscoded(cause: unknown): ProxyError {
  const message = "The response body is not what its content-encoding says";
  return new ProxyError("http_response_content_coding", message, { cause });
}
