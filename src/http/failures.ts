/**
 * Every failure that a transport can meet, at a destination or on the way to it, defined once for all transports.
 *
 * @module
 */
import { ProxyError, type ProxyErrorOptions } from "../protocol/mod.ts";

/** Creates the error of a request that failed. For some codes the `method` decides whether the request may be repeated. */
export type ToFailure = (options?: ProxyErrorOptions) => ProxyError;

/** The name of the host was not resolved. */
export function unresolved(options?: ProxyErrorOptions): ProxyError {
  return new ProxyError("dns_error", "The host could not be resolved", options);
}

/** The name was not looked up within the time for a connection. */
export function lookupTimedOut(): ProxyError {
  return new ProxyError("dns_timeout", "The host was not resolved in time");
}

/** The host has no address to connect to. */
export function noAddress(): ProxyError {
  return new ProxyError("dns_error", "The host has no address");
}

/** The destination refused the connection. */
export function refused(options?: ProxyErrorOptions): ProxyError {
  return new ProxyError("connection_refused", "The destination refused the connection", options);
}

/** Connecting took too long. */
export function connectTimedOut(options?: ProxyErrorOptions): ProxyError {
  const message = "Connecting to the destination took too long";
  return new ProxyError("connection_timeout", message, options);
}

/** The destination keeps too many sockets from being closed. */
export function keepsSockets(): ProxyError {
  const message = "The destination does not let its former connections be closed; try again later";
  return new ProxyError("destination_unavailable", message);
}

/** The TLS handshake took too long. */
export function handshakeTimedOut(): ProxyError {
  return new ProxyError(
    "connection_timeout",
    "The TLS handshake with the destination took too long",
  );
}

/** Connecting failed for another reason. */
export function unreachable(options?: ProxyErrorOptions): ProxyError {
  return new ProxyError("destination_unavailable", "The destination cannot be reached", options);
}

/** Connecting failed at an address that was not checked: the reason would tell what listens there. */
export function unreachableUnchecked(options?: ProxyErrorOptions): ProxyError {
  const message =
    "No TLS connection to the destination could be made; with HTTP_CLIENT=fetch, the service " +
    "cannot tell why";
  return new ProxyError("destination_unavailable", message, options);
}

/** The proxy of the environment cannot be reached. */
export function proxyUnreachable(options?: ProxyErrorOptions): ProxyError {
  const message =
    "The service's own proxy cannot be reached; check HTTP_PROXY, HTTPS_PROXY or ALL_PROXY";
  return new ProxyError("destination_unavailable", message, options);
}

/** The proxy of the environment requires a user and a password. */
export function proxyUnauthorized(options?: ProxyErrorOptions): ProxyError {
  const message = "The service's own proxy requires a user and a password; put them into its URL";
  return new ProxyError("destination_unavailable", message, { retryable: false, ...options });
}

/** The proxy of the environment made no connection to the destination. */
export function proxyRefused(options?: ProxyErrorOptions): ProxyError {
  const message = "The service's own proxy made no connection to the destination";
  return new ProxyError("destination_unavailable", message, options);
}

/** The port is one that `fetch` does not connect to (WHATWG Fetch, "bad port"). */
export function badPort(options?: ProxyErrorOptions): ProxyError {
  return new ProxyError("http_request_denied", "Fetch does not connect to this port", options);
}

/** The request cannot be written as HTTP. */
export function unsendable(): ProxyError {
  const message = "The HTTP client cannot send this request; check the host and the header fields";
  return new ProxyError("bad_request", message);
}

/** The connection ended before the head of the response had arrived. */
export function terminated(options?: ProxyErrorOptions): ProxyError {
  const message = "The destination closed the connection before it responded";
  return new ProxyError("connection_terminated", message, options);
}

/** The destination sent something other than HTTP. */
export function notHttp(options?: ProxyErrorOptions): ProxyError {
  const message = "The destination responded with something that is not HTTP";
  return new ProxyError("http_protocol_error", message, options);
}

/** The destination responded with TLS to a request without it. */
export function speaksTls(): ProxyError {
  const message = "The destination speaks TLS on this port; use an https: URL, or another port";
  return new ProxyError("http_protocol_error", message);
}

/**
 * The response is HTTP but breaks one of its rules.
 *
 * @param problem What is wrong, as a clause; it quotes nothing that the destination sent.
 */
export function malformed(problem: string): ProxyError {
  return new ProxyError("http_protocol_error", `The response is not valid HTTP: ${problem}`);
}

/** The head of the response exceeds a limit. */
export function headTooLarge(limit: string): ProxyError {
  return new ProxyError("http_protocol_error", `The response has more than ${limit}`);
}

/** The body of the response has a transfer coding that is not decoded. */
export function undecodable(coding: string): ProxyError {
  const message = `The response body has a transfer coding that is not supported: ${coding}`;
  return new ProxyError("http_protocol_error", message);
}

/** The body of the response is not coded as its `transfer-encoding` says. */
export function mistransferred(options?: ProxyErrorOptions): ProxyError {
  const message = "The response body is not coded as its transfer-encoding says";
  return new ProxyError("http_protocol_error", message, options);
}

/** The destination switched protocols (status 101), which no request asks for. */
export function switchedProtocols(): ProxyError {
  const message = "The destination switched protocols, which the request does not ask for";
  return new ProxyError("http_protocol_error", message);
}

/** The connection ended inside the body of the response. */
export function incomplete(options?: ProxyErrorOptions): ProxyError {
  const message = "The destination closed the connection inside the response body";
  return new ProxyError("http_response_incomplete", message, options);
}

/**
 * The chunks or trailers of the body break the rules of HTTP, so that the body ends nowhere.
 *
 * @param problem What is wrong, as a clause; it quotes nothing that the destination sent.
 */
export function misframed(problem: string, options?: ProxyErrorOptions): ProxyError {
  const message = `The response body cannot be read to its end: ${problem}`;
  return new ProxyError("http_response_incomplete", message, options);
}

/** The body of the response exceeds its limit. */
export function tooLarge(maxBytes: number): ProxyError {
  const message = `The response body is larger than ${maxBytes} bytes`;
  return new ProxyError("http_response_body_size", message);
}

/** The body of the response has too many parts that decode to nothing. */
export function nearlyEmpty(maxMembers: number): ProxyError {
  const message = `More than ${maxMembers} members of the coded response body are empty`;
  return new ProxyError("http_response_content_coding", message);
}

/** The body of the response is not coded as its `content-encoding` says. */
export function miscoded(options?: ProxyErrorOptions): ProxyError {
  const message = "The response body is not coded as its content-encoding says";
  return new ProxyError("http_response_content_coding", message, options);
}
