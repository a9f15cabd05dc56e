/**
 * What fetch threw → what happened, and whether the destination may have acted on the request.
 *
 * @module
 */
import { type ErrorCode, ProxyError, type Sent } from "../../protocol/mod.ts";

interface Failure {
  /** Of what the HTTP client says. */
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly message: string;
  /** Instead of what follows from the stage that failed. */
  readonly sent?: Sent;
}

// The first that matches counts. The texts are those of hyper, rustls and the system's errors.
const FAILURES: readonly Failure[] = [
  { pattern: /dns error/, code: "dns_error", message: "The host could not be resolved" },
  {
    pattern: /invalid peer certificate/,
    code: "tls_certificate_error",
    message: "The destination's certificate is not valid for its name or not trusted",
  },
  {
    pattern: /tls|alert|corrupt message|peer is incompatible|peer misbehaved/i,
    code: "tls_protocol_error",
    message: "The TLS handshake with the destination failed",
  },
  {
    pattern: /Connection refused/,
    code: "connection_refused",
    message: "The destination refused the connection",
  },
  {
    pattern: /\(Connect\).*timed out/,
    code: "connection_timeout",
    message: "The connection to the destination was not made in time",
  },
  {
    pattern: /\(Connect\)/,
    code: "destination_unavailable",
    message: "The destination cannot be reached",
  },
  {
    pattern: /message head is too large|invalid |parsed|unexpected message|protocol error/,
    code: "http_protocol_error",
    message: "The destination answered with something that is not HTTP",
    sent: "yes",
  },
];

/**
 * Gives the error of a fetch that was rejected.
 *
 * @param thrown What fetch was rejected with: a `TypeError` whose cause says the reason.
 * @param method The request's method.
 */
export function toRequestError(thrown: unknown, method: string): ProxyError {
  if (/^Fetch failed: Requests to port \d+ are blocked/.test(messageOf(thrown))) {
    return new ProxyError("http_request_denied", "Fetch does not connect to this port", {
      cause: thrown, // WHATWG Fetch, "bad port"
    });
  }
  const reason = reasonOf(thrown);
  if (reason === undefined) return toInputError(thrown);
  // Only what failed while connecting has certainly not sent a byte.
  const stageSent = reason.startsWith("(Connect)") ? "no" : "maybe";
  const { code, message, sent = stageSent } =
    FAILURES.find(({ pattern }) => pattern.test(reason)) ?? {
      code: "connection_terminated",
      message: "The destination closed the connection before it answered",
    };
  return new ProxyError(code, message, { cause: thrown, sent, method });
}

/**
 * Gives the error of a response body that broke off.
 *
 * @param decoded Whether fetch was decoding the body.
 */
export function toBodyError(thrown: unknown, method: string, decoded: boolean): ProxyError {
  if (decoded && messageOf(thrown) !== "error reading a body from connection") {
    return new ProxyError(
      "http_response_content_coding",
      "The response body is not what its content-encoding says",
      { cause: thrown },
    );
  }
  return new ProxyError(
    "http_response_incomplete",
    "The destination broke off inside the response body",
    { cause: thrown, method },
  );
}

/** What fetch does not even try; its message holds the URL, which is not to be logged. */
function toInputError(thrown: unknown): ProxyError {
  if (thrown instanceof TypeError) {
    const message =
      "The HTTP client cannot send this request; check the host and the header fields";
    return new ProxyError("bad_request", message);
  }
  return new ProxyError("proxy_internal_error", "The request could not be made", { cause: thrown });
}

/**
 * The part of the reason that the client cannot write: a URL holds no space, so it cannot hold this.
 * Over HTTP/2 a failure after connecting is told without it, and without the URL.
 */
function reasonOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof TypeError) || thrown.cause === undefined) return undefined;
  const message = messageOf(thrown.cause);
  const start = message.indexOf("client error (");
  return start < 0 ? message : message.slice(start + "client error ".length);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : "";
}
